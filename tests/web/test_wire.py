"""Bytes that are hardly HTTP, sent to the real gunicorn: an answer to each, no 5xx and no traceback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from given_web import PATH, SECRET

ROOT = Path(__file__).parents[2]


class Served:
    """`hub web` in a process of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = folder / "log"
        environment = {
            "PATH": os.environ["PATH"],
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite:///{folder / 'hub.db'}",
            "HUB_CONFIG": str(ROOT / "config/routes.yaml"),
            "HUB_TEMPLATES": str(ROOT / "templates"),
            "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hub", "web"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def wait(self) -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if b" 200 " in self.say(b"GET /healthz HTTP/1.0\r\n\r\n"):
                    return
            except OSError:
                time.sleep(0.05)
        pytest.fail(self.log.read_text())

    def say(self, sent: bytes) -> bytes:
        """Send these bytes, and nothing more, and return the answer."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("wire"))
    try:
        served.wait()
        yield served
    finally:
        served.stop()
    assert "Traceback" not in served.log.read_text()


CHUNKED = b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
TOO_MUCH = 3_000_000


@pytest.mark.parametrize("path", [PATH, "/login", "/nope"])
@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (CHUNKED + b"ZZZ\r\nabc\r\n", 400),
        (CHUNKED + b"10\r\nabc", 400),
        (CHUNKED + b"3\r\nabcXX3\r\nabc\r\n", 400),
        (b"Host: x\r\nContent-Length: 100\r\n\r\nabc", None),
        (b"Host: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"Host: a\r\nHost: b\r\n\r\n", 400),
        (b"Host: a b<>\r\nContent-Length: 0\r\nAccept: text/html\r\n\r\n", None),
        (b"Host: x\r\nContent-Length: %d\r\n\r\n" % TOO_MUCH + b"x" * TOO_MUCH, 413),
    ],
    ids=["bad size", "cut chunk", "bad end", "too short", "negative", "two hosts", "no host", "too large"],
)
def test_a_body_that_lies(served: Served, path: str, rest: bytes, status: int | None) -> None:
    answer = served.say(b"POST %s HTTP/1.1\r\nConnection: close\r\n" % path.encode() + rest)
    got = int(answer.split(b" ", 2)[1])

    assert 400 <= got < 500
    assert status in (None, got)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /%ff%00%zz HTTP/1.1",
        b"GET /\xff\xfe HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT x:1 HTTP/1.1",
        b"GET http://evil.example/nope HTTP/1.1",
        b"BREW / HTTP/1.1",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1",
    ],
)
def test_a_request_line_that_is_strange(served: Served, line: bytes) -> None:
    answer = served.say(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert 400 <= int(answer.split(b" ", 2)[1]) < 500
