"""A hub's web process with bounds of a test's own choosing, and what it costs its machine.

`python web_server.py LIMITS` serves until SIGTERM; LIMITS are those of `hub.web.server.limits` as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import given
import psutil
from signing import headers

from hub import catalog
from hub.process import start
from hub.web.server import listen, serve_web
from hub.web.server.limits import Limits
from servers.program import PATIENCE_SECONDS, free_port
from servers.slow_clients import HEALTH

TESTS = Path(__file__).parents[1]

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  log: {type: console}
routes:
  - {name: everything, events: "*", send: log}
"""


def signed_request() -> bytes:
    """One whole request with an event of its own, signed now."""
    body = json.dumps(catalog.sample("user.created")).encode()
    signed = headers(body, message_id=f"msg_{time.monotonic_ns()}")
    head = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
    start = f"POST /api/webhooks HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(body)}\r\n\r\n"
    return start.encode() + body


class WebServer:
    """One web process, to be used in a `with`."""

    def __init__(self, folder: Path, **limits: float) -> None:
        self.port = free_port()
        self._log = folder / "web.log"
        (folder / "routes.yaml").write_text(ROUTES)
        (folder / "templates").mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite:///{folder / 'hub.db'}",
            "HUB_CONFIG": str(folder / "routes.yaml"),
            "HUB_TEMPLATES": str(folder / "templates"),
            "HUB_LOG_LEVEL": "warning",
            "CLERK_WEBHOOK_SIGNING_SECRET": given.SECRET,
            "PYTHONPATH": f"{TESTS.parent}:{TESTS}",
        }
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, __file__, json.dumps(limits)], env=environment, stdout=log, stderr=log
            )

    def __enter__(self) -> WebServer:
        with contextlib.ExitStack() as unless_up:
            unless_up.callback(self.stop)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not self._is_up():
                assert time.monotonic() < deadline, self.log
                assert self.process.poll() is None, self.log
                time.sleep(0.05)
            unless_up.pop_all()
        self._worker = psutil.Process(self.process.pid).children()[0]
        self.slowest_answer(1)
        self._at_rest = self.descriptors()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _is_up(self) -> bool:
        try:
            return b" 200 " in self.say(b"GET /healthz HTTP/1.0\r\n\r\n")
        except OSError:
            return False

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> float:
        """Send SIGTERM; returns how many seconds it took to end."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_SECONDS)
        return time.monotonic() - began

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)

    def say(self, sent: bytes) -> bytes:
        """Send these bytes, and nothing more, and return all that is answered."""
        with self.connect() as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def slowest_answer(self, times: int) -> float:
        """Seconds that a health check or a signed webhook took at most, of so many each."""
        slowest = 0.0
        for request in [HEALTH, *(signed_request() for _ in range(times))] + [HEALTH] * (times - 1):
            began = time.monotonic()
            with self.connect() as connection:
                connection.sendall(request)
                assert b" 200 " in connection.recv(65536)
            slowest = max(slowest, time.monotonic() - began)
        return slowest

    def descriptors(self) -> int:
        return self._worker.num_fds()

    def clients(self) -> set[int]:
        """Return the ports of the clients that it is connected to."""
        return {connection.raddr.port for connection in self._worker.net_connections() if connection.raddr}

    @contextlib.contextmanager
    def may_have_descriptors(self, count: int) -> Iterator[None]:
        """Let the process have so many more than at rest, as if others had taken the rest."""
        soft, hard = resource.prlimit(self._worker.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(self._worker.pid, resource.RLIMIT_NOFILE, (self._at_rest + count, hard))
        yield
        resource.prlimit(self._worker.pid, resource.RLIMIT_NOFILE, (soft, hard))

    def megabytes(self) -> float:
        return self._worker.memory_info().rss / 1024 / 1024


def _main() -> None:
    settings, serving = start.prepare()
    bounds: dict[str, Any] = json.loads(sys.argv[1])
    serve_web(
        listen(settings.host, settings.port),
        settings.web_processes,
        lambda: start.make_app(settings, serving),
        ends_with_parent=False,
        limits=Limits(**bounds),
    )


if __name__ == "__main__":
    _main()
