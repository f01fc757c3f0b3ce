"""Clients that send half of something, a byte now and then, or nothing, do not read, or never close."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass

from servers.program import PATIENCE_SECONDS

BODY = (
    b"POST %s HTTP/1.1\r\nHost: x\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A first message, and a byte to be sent every 0.4 s; does the client read what is answered to it?"""

    first: bytes = b""
    dripped: bytes = b""
    reads: bool = False
    is_unfinished: bool = True


KINDS = {
    "half a head": Kind(first=b"GET /healthz HTTP/1.1\r\nHost: x\r\n"),
    "half a webhook": Kind(first=BODY % (b"/api/webhooks", 1000) + b"{"),
    "half a form": Kind(first=BODY % (b"/login", 1000) + b"password="),
    "half a chunk": Kind(
        first=b"POST /api/webhooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nabc"
    ),
    "dripped head": Kind(first=b"GET /", dripped=b"a"),
    "dripped body": Kind(first=BODY % (b"/api/webhooks", 1000), dripped=b"a"),
    "silent": Kind(),
    "a byte less": Kind(first=BODY % (b"/api/webhooks", MEBIBYTE) + b"x" * (MEBIBYTE - 1)),
    "never read": Kind(
        first=b"GET /static/htmx.min.js HTTP/1.1\r\nHost: x\r\n\r\n" * 40, is_unfinished=False
    ),
    "idle": Kind(first=HEALTH, reads=True, is_unfinished=False),
    "never closed": Kind(first=HEALTH.replace(b"1.1", b"1.0"), reads=True, is_unfinished=False),
}


class SlowClients:
    """So many connections of one kind, to be used in a `with`."""

    def __init__(self, port: int, kind: str, count: int) -> None:
        self._address = ("127.0.0.1", port)
        self._kind = KINDS[kind]
        self._count = count
        self._stopping = threading.Event()
        self._dripping = threading.Thread(target=self._drip)
        self.connections: list[socket.socket] = []

    def __enter__(self) -> SlowClients:
        self.connections = [self._open() for _ in range(self._count)]
        for connection in self.connections:
            self._send(connection, self._kind.first)
        for connection in self.connections if self._kind.reads else ():
            assert connection.recv(65536).startswith(b"HTTP/1.")
        self._dripping.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._dripping.join()
        for connection in self.connections:
            connection.close()

    @property
    def ports(self) -> set[int]:
        """The clients' own ports."""
        return {connection.getsockname()[1] for connection in self.connections}

    def wait_for_the_answers(self) -> None:
        """Return once the server has begun to answer every client, and take nothing."""
        for connection in self.connections:
            assert connection.recv(1, socket.MSG_PEEK)

    def wait_for_the_end(self) -> None:
        """Return once the server has closed every connection."""
        for connection in self.connections:
            with contextlib.suppress(ConnectionError):
                while connection.recv(65536):
                    pass

    def _open(self) -> socket.socket:
        connection = socket.socket()
        connection.settimeout(PATIENCE_SECONDS)
        if not self._kind.is_unfinished:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(self._address)
        return connection

    def _drip(self) -> None:
        while self._kind.dripped and not self._stopping.wait(0.4):
            for connection in self.connections:
                self._send(connection, self._kind.dripped)

    @staticmethod
    def _send(connection: socket.socket, data: bytes) -> None:
        """Send what may be cut off: the server has bounds."""
        with contextlib.suppress(OSError):
            connection.sendall(data)
