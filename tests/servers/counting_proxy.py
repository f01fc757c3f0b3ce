"""A way to PostgreSQL's Unix socket over a port of loopback that counts the round trips made on it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

READY_FOR_QUERY = ord("Z")


class CountingProxy:
    """To be used in a `with`; `url` leads through it to the database of `url`.

    A round trip is what the server ends with a ReadyForQuery: a simple query, or all that one Sync of the
    extended protocol ends, however many statements that are
    (https://www.postgresql.org/docs/current/protocol-flow.html). That of a connection's start is not counted.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = str(next(Path(parse_qs(parts.query)["host"][0]).glob(".s.PGSQL.*[0-9]")))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._ended_at: list[float] = []
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}{parts.path}?sslmode=disable"

    def __enter__(self) -> CountingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def round_trips(self, since: float, until: float = float("inf")) -> int:
        """Number of round trips that ended after the one moment and not after the other (monotonic)."""
        return sum(since < ended_at <= until for ended_at in list(self._ended_at))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._target)
                self._sockets += (near, far)
                threading.Thread(target=_pass_on, args=(near, far), daemon=True).start()
                threading.Thread(target=self._pass_back, args=(far, near), daemon=True).start()

    def _pass_back(self, far: socket.socket, near: socket.socket) -> None:
        messages, is_started = _Messages(), False
        for data in _received(far):
            for kind in messages.types(data):
                if kind == READY_FOR_QUERY:
                    # Counted before the client hears of it: what it does next comes later.
                    self._ended_at += [time.monotonic()] if is_started else []
                    is_started = True
            with contextlib.suppress(OSError):
                near.sendall(data)
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)


class _Messages:
    """Finds the messages of a server in a stream that is cut anywhere: a type, a length, a body."""

    def __init__(self) -> None:
        self._buffer = b""

    def types(self, data: bytes) -> Iterator[int]:
        """Yield the type of each message that the data completes."""
        self._buffer += data
        while len(self._buffer) >= 5:
            end = 1 + int.from_bytes(self._buffer[1:5])
            if len(self._buffer) < end:
                return
            yield self._buffer[0]
            self._buffer = self._buffer[end:]


def _received(connection: socket.socket) -> Iterator[bytes]:
    with contextlib.suppress(OSError):
        while data := connection.recv(65536):
            yield data


def _pass_on(near: socket.socket, far: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for data in _received(near):
            far.sendall(data)
        far.shutdown(socket.SHUT_RDWR)
