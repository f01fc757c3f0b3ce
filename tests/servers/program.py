"""The `hub` program in a process of its own, and ways to wait for it."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery staple"

PATIENCE_SECONDS = 90.0
"""What is awaited comes within a second or two; a machine may be busy, and only a hang shall be a failure."""

_reserved: deque[socket.socket] = deque(maxlen=64)


class Program:
    """`python -m hub ...` in a process group of its own, to be used in a `with`."""

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
            self.process.wait(PATIENCE_SECONDS)
        self.process.kill()
        self.process.wait()

    @property
    def text(self) -> str:
        return self.output.read_text("utf-8", "replace")

    def interrupt(self) -> int:
        """Press Ctrl-C, and return the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE_SECONDS)

    def wait_until(self, condition: Callable[[], Any], goal: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """Return the condition's first true value; fail with its output, also where it ended before."""

        def value() -> Any:
            ended = self.process.poll() is not None
            reached = condition()
            assert reached or not ended, f"it ended before {goal}:\n{self.text}"
            return reached

        return wait_until(value, goal, seconds, lambda: self.text)

    def wait_until_ready(self, url: str, seconds: float = PATIENCE_SECONDS) -> None:
        self.wait_until(lambda: is_ready(url), "the hub to be ready", seconds)


def wait_until(
    condition: Callable[[], Any],
    goal: str,
    seconds: float = PATIENCE_SECONDS,
    explain: Callable[[], str] = str,
) -> Any:
    """Return the condition's first true value; fail after `seconds` with an explanation."""
    ends = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < ends, f"waited {seconds:g} s for {goal}: {explain()}"
        time.sleep(0.05)
    return value


def is_ready(url: str) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(f"{url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200
    return False


def free_port() -> int:
    """Return a port of loopback for a server that is started later, and again after it died.

    It stays bound here, so that the kernel gives it to nobody else, and does not listen: a server that sets
    SO_REUSEADDR may, as all do that are started again.
    """
    reserved = socket.socket()
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    _reserved.append(reserved)
    port: int = reserved.getsockname()[1]
    return port
