"""An HTTP endpoint on loopback that records what it is sent and answers as it is told."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from servers.inbox import Inbox


class Fault(StrEnum):
    """What a receiver does instead of answering properly."""

    CLOSE = "close without an answer"
    CLOSE_HALFWAY = "close after half of the request body"
    HANG = "read the request and say nothing"
    DRIP_HEADERS = "answer with headers that come byte by byte, without end"
    DRIP_BODY = "answer with a body that comes byte by byte, without end"
    BREAK_BODY = "close in the middle of the answer's body"
    ENDLESS_BODY = "answer with a body that comes fast and without end"
    GARBAGE = "answer with something that is not HTTP"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer. With `fault`, status and headers are used as far as the fault lets them out."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    fault: Fault | None = None


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request. Header names are in lower case; `connection` counts connections from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    connection: int

    def describe(self) -> str:
        """The request in one line."""
        return f"{self.method} {self.path} ({len(self.body)} bytes, {self.headers.get('content-type', '-')})"


def _fine(_: Received) -> Answer:
    return Answer()


class HttpReceiver:
    """A threaded HTTP/1.1 server on 127.0.0.1, to be used in a `with`.

    `answers` are given first, one per request; every later request is answered by `respond`, with a plain
    200 by default. `port` 0 takes any free one; a fixed one lets a receiver come back where another was.
    `drip_seconds` is the pause between two bytes of a drip. With `tls` it speaks https.
    """

    def __init__(
        self,
        answers: Iterable[Answer] = (),
        *,
        respond: Callable[[Received], Answer] = _fine,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        drip_seconds: float = 0.02,
        on_arrival: Callable[[Received], None] | None = None,
    ) -> None:
        self.inbox: Inbox[Received] = Inbox(on_arrival)
        self.drip_seconds = drip_seconds
        self.stopping = threading.Event()
        self.respond = respond
        self._scripted = iter(list(answers))
        self._choosing = threading.Lock()
        self._server = _Server(self, port, tls)
        scheme = "https" if tls else "http"
        self.port: int = self._server.server_address[1]
        self.url = f"{scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> HttpReceiver:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()

    @property
    def received(self) -> list[Received]:
        return self.inbox.all()

    @property
    def connections(self) -> int:
        """How many connections were ever opened to it."""
        return self._server.connections

    def wait_for(self, count: int, seconds: float = 5) -> list[Received]:
        """Every request, as soon as there are `count`; raises TimeoutError after `seconds`."""
        return self.inbox.wait_for(count, seconds)

    def close_connections(self) -> None:
        """Break every open connection, as a restarting server does."""
        self._server.close_connections()

    def scripted(self) -> Answer | None:
        """The next of the prepared answers, or None when they are used up."""
        with self._choosing:
            return next(self._scripted, None)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, receiver: HttpReceiver, port: int, tls: ssl.SSLContext | None) -> None:
        self.receiver = receiver
        self.tls = tls
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._counting = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with contextlib.suppress(OSError):
            super().finish_request(self._secured(request), client_address)

    def count(self, connection: socket.socket) -> int:
        with self._counting:
            self.connections += 1
            self._open.add(connection)
            return self.connections

    def forget(self, connection: socket.socket) -> None:
        with self._counting:
            self._open.discard(connection)

    def close_connections(self) -> None:
        with self._counting:
            connections, self._open = self._open, set()
        for connection in connections:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _secured(self, request: socket.socket) -> socket.socket:
        if self.tls is None:
            return request
        request.settimeout(10)
        secured = self.tls.wrap_socket(request, server_side=True)
        secured.settimeout(None)
        return secured


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def setup(self) -> None:
        super().setup()
        self._number = self.server.count(self.connection)

    def finish(self) -> None:
        self.server.forget(self.connection)
        with contextlib.suppress(OSError):
            super().finish()
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection.close()

    def log_message(self, *_: object) -> None:
        """Say nothing: what arrived is in the inbox."""

    def do_POST(self) -> None:
        receiver = self.server.receiver
        answer = receiver.scripted()
        length = int(self.headers.get("Content-Length") or 0)
        if answer is not None and answer.fault is Fault.CLOSE_HALFWAY:
            receiver.inbox.add(self._received(self.rfile.read(length // 2)))
            self._reset()
            return
        received = self._received(self.rfile.read(length))
        receiver.inbox.add(received)
        self._write(answer or receiver.respond(received))

    do_PUT = do_PATCH = do_DELETE = do_GET = do_POST  # noqa: N815

    def _received(self, body: bytes) -> Received:
        return Received(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            at=datetime.now(UTC),
            connection=self._number,
        )

    def _write(self, answer: Answer) -> None:
        if answer.fault is None:
            self._write_head(answer, len(answer.body))
            self.wfile.write(answer.body)
            self.wfile.flush()
            return
        self.close_connection = True
        with contextlib.suppress(OSError):
            self._misbehave(answer, answer.fault)

    def _misbehave(self, answer: Answer, fault: Fault) -> None:
        if fault is Fault.HANG:
            self.server.receiver.stopping.wait()
        elif fault is Fault.DRIP_HEADERS:
            self._drip(f"HTTP/1.1 {answer.status} Fine\r\nX-Slow: ".encode())
        elif fault is Fault.DRIP_BODY:
            self._write_head(answer, 10_000_000)
            self._drip(answer.body)
        elif fault is Fault.BREAK_BODY:
            self._write_head(answer, len(answer.body) + 100)
            self.wfile.write(answer.body)
        elif fault is Fault.ENDLESS_BODY:
            self._write_head(answer, None)
            while not self.server.receiver.stopping.is_set():
                self.wfile.write(b"a" * 65536)
        elif fault is Fault.GARBAGE:
            self.wfile.write(b"\x00\x1b[31mNOT HTTP AT ALL\r\n\r\n")

    def _write_head(self, answer: Answer, length: int | None) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.flush()

    def _reset(self) -> None:
        """Close so that the other side gets a reset rather than an end."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _drip(self, start: bytes) -> None:
        receiver = self.server.receiver
        position = 0
        while not receiver.stopping.wait(receiver.drip_seconds):
            self.wfile.write(start[position : position + 1] or b"a")
            self.wfile.flush()
            position += 1
