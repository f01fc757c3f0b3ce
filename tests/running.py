"""Runs the hub's own commands in processes, talks to them, and sees what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import given
import requests
from servers.program import PASSWORD, PATIENCE_SECONDS, wait_until
from signing import headers as signed_headers

from hub import catalog

ROUTES = """\
version: 1
sources:
  clerk:
    type: clerk
    path: /api/webhooks
    signing_secret: ${CLERK_WEBHOOK_SIGNING_SECRET}
destinations:
  crm:
    type: http
    url: ${CRM_WEBHOOK_URL}
    retry: [1s]
routes:
  - name: everything
    events: "*"
    send: crm
"""


class Running:
    """A shell line that runs in a session of its own, so that whatever it leaves behind can be found."""

    def __init__(self, line: str, folder: Path, env: Mapping[str, str]) -> None:
        self.output = folder / f"output-{time.monotonic_ns()}.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                ["bash", "-c", line],
                cwd=folder,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    @property
    def text(self) -> str:
        return self.output.read_text(errors="replace")

    def pids(self) -> list[int]:
        """Every process of its session that lives, orphans included."""
        return [pid for pid in map(int, _numbered(Path("/proc"))) if self._is_mine(pid)]

    def children_of(self, pid: int) -> list[int]:
        return [child for child in self.pids() if _stat(child).get("parent") == pid]

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = PATIENCE_SECONDS) -> float:
        """Send a signal to the process that was started; returns how many seconds it took to end."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(seconds)
        return time.monotonic() - began

    def wait_for_text(self, wanted: str, seconds: float = PATIENCE_SECONDS) -> str:
        return wait_until(
            lambda: self.text if re.search(wanted, self.text) else None, wanted, seconds, lambda: self.text
        )

    def _is_mine(self, pid: int) -> bool:
        stat = _stat(pid)
        return stat.get("session") == self.process.pid and stat.get("state") != "Z"


def _numbered(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> dict[str, Any]:
    """State, parent and session of a process; empty where it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {"state": fields[0], "parent": int(fields[1]), "session": int(fields[3])}


def pss_megabytes(pids: list[int]) -> float:
    """The memory of processes, what they share counted once."""
    kilobytes = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        kilobytes += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1])  # type: ignore[index]
    return kilobytes / 1024


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process of the hub: nothing of ours but the path of programs."""
    own = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "CLERK_WEBHOOK_SIGNING_SECRET": given.SECRET,
        "HUB_PASSWORD": PASSWORD,
        "HUB_LOG_FORMAT": "text",
    }
    return {**own, **more}


def write_configuration(folder: Path, routes: str = ROUTES) -> Path:
    (folder / "config").mkdir(exist_ok=True)
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "config" / "routes.yaml").write_text(routes)
    return folder


def run(line: str, folder: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a shell line to its end."""
    return subprocess.run(
        ["bash", "-c", line], cwd=folder, env=dict(env), capture_output=True, text=True, timeout=200
    )


def wait_until_ready(port: int, running: Running, path: str = "/readyz") -> None:
    def is_ready() -> bool:
        assert running.process.poll() is None, running.text
        with contextlib.suppress(requests.ConnectionError):
            return get(port, path).status_code == 200
        return False

    wait_until(is_ready, f"{path} to answer 200", explain=lambda: running.text)


def get(port: int, path: str, **headers: str) -> requests.Response:
    return requests.get(
        f"http://127.0.0.1:{port}{path}", headers=headers, timeout=PATIENCE_SECONDS, allow_redirects=False
    )


def post_event(
    port: int, event_type: str = "user.created", message_id: str | None = None, **headers: str
) -> requests.Response:
    """Send a sample of the catalog, signed now."""
    body = json.dumps(catalog.sample(event_type)).encode()
    message_id = message_id or f"msg_{time.monotonic_ns()}"
    signed = {**signed_headers(body, message_id=message_id), "content-type": "application/json"}
    return requests.post(
        f"http://127.0.0.1:{port}/api/webhooks",
        body,
        headers={**signed, **headers},
        timeout=PATIENCE_SECONDS,
    )
