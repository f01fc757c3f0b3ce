"""HTTP endpoints in processes of their own: a fast one that counts and times arrivals, and one that hangs."""

from __future__ import annotations

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


@dataclass(frozen=True)
class Endpoint:
    """A listening port, the number of requests that came, and the time of the last (monotonic seconds)."""

    port: int
    count: Any
    last_at: Any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def expect(self, count: int, seconds: float) -> None:
        """Return when so many requests came in all; raise TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while self.count.value < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {self.count.value} of {count} messages arrived in {seconds:.0f} s")
            time.sleep(0.001)


@contextmanager
def fast_endpoint() -> Iterator[Endpoint]:
    context = multiprocessing.get_context("fork")
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    count, last_at = context.Value("q", 0, lock=False), context.Value("d", 0.0, lock=False)
    process = context.Process(target=_serve, args=(listener, count, last_at), daemon=True)
    process.start()
    port = listener.getsockname()[1]
    listener.close()
    try:
        yield Endpoint(port=port, count=count, last_at=last_at)
    finally:
        process.terminate()
        process.join()


@contextmanager
def hanging_endpoint() -> Iterator[str]:
    """An address that accepts every connection and never answers; yields its URL."""
    context = multiprocessing.get_context("fork")
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    process = context.Process(target=_hang, args=(listener,), daemon=True)
    process.start()
    port = listener.getsockname()[1]
    listener.close()
    try:
        yield f"http://127.0.0.1:{port}/hooks"
    finally:
        process.terminate()
        process.join()


def _hang(listener: socket.socket) -> None:
    taken = []
    while True:
        taken.append(listener.accept())


def _serve(listener: socket.socket, count: Any, last_at: Any) -> None:
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    buffers: dict[socket.socket, bytes] = {}
    while True:
        for key, _ in selector.select():
            sock: Any = key.fileobj
            if sock is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ)
                buffers[connection] = b""
                continue
            try:
                data = sock.recv(262144)
            except ConnectionResetError:
                data = b""
            if not data:
                selector.unregister(sock)
                del buffers[sock]
                sock.close()
                continue
            buffers[sock] += data
            while (end := _end_of_request(buffers[sock])) is not None:
                buffers[sock] = buffers[sock][end:]
                count.value += 1
                last_at.value = time.monotonic()
                sock.sendall(_ANSWER)


def _end_of_request(data: bytes) -> int | None:
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    lowered = data[:head].lower()
    at = lowered.find(b"content-length:")
    length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    end = head + 4 + length
    return end if len(data) >= end else None
