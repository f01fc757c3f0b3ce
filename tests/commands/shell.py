"""What a shell does: environments in which a command runs, and programs in processes of their own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from servers.http_receiver import HttpReceiver

ROOT = Path(__file__).parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PASSWORD = "correct horse battery staple"

ROUTES = """\
version: 1
sources:
  clerk:
    type: clerk
    path: /api/webhooks
    signing_secret: ${CLERK_WEBHOOK_SIGNING_SECRET}
    ignore: [session.*]
  partner:
    type: svix
    path: /api/partner
    signing_secret: ${PARTNER_SECRET}
destinations:
  crm:
    type: http
    url: ${CRM_WEBHOOK_URL}/crm
  gone:
    type: http
    url: ${CRM_WEBHOOK_URL}/gone
  team:
    type: slack
    webhook_url: ${SLACK_WEBHOOK_URL}
routes:
  - {name: to-crm, events: user.created, send: crm}
  - {name: to-gone, events: user.deleted, send: gone}
"""


def bare_environment(**more: str) -> dict[str, str]:
    """An environment in which nothing is set but what Python needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def shipped_environment(**more: str) -> dict[str, str]:
    """... and the shipped routes and templates."""
    files = {"HUB_CONFIG": str(ROOT / "config/routes.yaml"), "HUB_TEMPLATES": str(ROOT / "templates")}
    return bare_environment(**files, **more)


class Program:
    """`python -m hub ...` in a process group of its own."""

    def __init__(self, arguments: list[str], folder: Path, env: Mapping[str, str]) -> None:
        self.output = folder / f"output-{time.monotonic_ns()}.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hub", *arguments],
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(12)
        self.process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        return self.output.read_text("utf-8", "replace")

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(15)

    def wait_for(self, condition: Callable[[], object], what: str, seconds: float = 20) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, f"waited {seconds:g} s for {what}:\n{self.text}"
            time.sleep(0.05)


@dataclass
class Served:
    """A hub that serves, web and worker, and the endpoint that its destinations share."""

    url: str
    environment: dict[str, str]
    receiver: HttpReceiver
    statuses: dict[str, int] = field(default_factory=dict)

    @property
    def far_away(self) -> dict[str, str]:
        """What somebody needs who operates it from another machine."""
        return bare_environment(HUB_PASSWORD=PASSWORD)
