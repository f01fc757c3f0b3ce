"""An HTTP endpoint on loopback that records its requests and answers, or fails, by a script."""

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
from servers.program import PATIENCE_SECONDS


class Failure(StrEnum):
    """A way to fail instead of answering."""

    CLOSE = "close without an answer"
    CLOSE_HALFWAY = "close after half of the request body"
    HANG = "read the request and say nothing"
    DRIP_HEADERS = "respond with headers that come byte by byte, without end"
    DRIP_BODY = "respond with a body that comes byte by byte, without end"
    BREAK_BODY = "close in the middle of the answer's body"
    ENDLESS_BODY = "respond with a body that comes fast and without end"
    GARBAGE = "respond with something that is not HTTP"


@dataclass(frozen=True, kw_only=True)
class CannedResponse:
    """A response prepared by a test. With `failure`, status and headers go out as far as it lets them."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    failure: Failure | None = None


@dataclass(frozen=True, kw_only=True)
class ReceivedRequest:
    """One request. Header names are in lower case; `connection` counts from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime
    connection: int


def _accept(_: ReceivedRequest) -> CannedResponse:
    return CannedResponse()


class HttpReceiver:
    """A threaded HTTP/1.1 server on 127.0.0.1, to be used in a `with`.

    `responses` are given first, one for each request; later requests are answered by `respond`, with a plain
    200 by default. `port` 0 takes any free one; a fixed one lets a receiver come back where another was.
    `drip_seconds` is the pause between two bytes of a drip. With `tls` it speaks https.
    """

    def __init__(
        self,
        responses: Iterable[CannedResponse] = (),
        *,
        respond: Callable[[ReceivedRequest], CannedResponse] = _accept,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        drip_seconds: float = 0.02,
    ) -> None:
        self.inbox: Inbox[ReceivedRequest] = Inbox()
        self.drip_seconds = drip_seconds
        self.stopping = threading.Event()
        self.respond = respond
        self._scripted = iter(list(responses))
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
    def received(self) -> list[ReceivedRequest]:
        return self.inbox.all()

    @property
    def connections(self) -> int:
        """The number of connections ever opened to it."""
        return self._server.connections

    def wait_for(self, count: int, seconds: float = PATIENCE_SECONDS) -> list[ReceivedRequest]:
        """Return all requests, as soon as there are `count`; raise TimeoutError after `seconds`."""
        return self.inbox.wait_for(count, seconds)

    def close_connections(self) -> None:
        """Break every open connection, as a restarting server does."""
        self._server.close_connections()

    def next_response(self) -> CannedResponse | None:
        """Return the next prepared response, None when they are used up."""
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
        request.settimeout(PATIENCE_SECONDS)
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
        """Print nothing: the inbox has the requests."""

    def do_POST(self) -> None:
        receiver = self.server.receiver
        response = receiver.next_response()
        length = int(self.headers.get("Content-Length") or 0)
        if response is not None and response.failure is Failure.CLOSE_HALFWAY:
            receiver.inbox.add(self._received(self.rfile.read(length // 2)))
            self._reset()
            return
        request = self._received(self.rfile.read(length))
        receiver.inbox.add(request)
        self._write(response or receiver.respond(request))

    do_PUT = do_PATCH = do_DELETE = do_GET = do_POST  # noqa: N815

    def _received(self, body: bytes) -> ReceivedRequest:
        return ReceivedRequest(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            at=datetime.now(UTC),
            connection=self._number,
        )

    def _write(self, response: CannedResponse) -> None:
        if response.failure is None:
            self._write_head(response, len(response.body))
            self.wfile.write(response.body)
            self.wfile.flush()
            return
        self.close_connection = True
        with contextlib.suppress(OSError):
            self._misbehave(response, response.failure)

    def _misbehave(self, response: CannedResponse, failure: Failure) -> None:
        if failure is Failure.HANG:
            self.server.receiver.stopping.wait()
        elif failure is Failure.DRIP_HEADERS:
            self._drip(f"HTTP/1.1 {response.status} Fine\r\nX-Slow: ".encode())
        elif failure is Failure.DRIP_BODY:
            self._write_head(response, 10_000_000)
            self._drip(response.body)
        elif failure is Failure.BREAK_BODY:
            self._write_head(response, len(response.body) + 100)
            self.wfile.write(response.body)
        elif failure is Failure.ENDLESS_BODY:
            self._write_head(response, None)
            while not self.server.receiver.stopping.is_set():
                self.wfile.write(b"a" * 65536)
        elif failure is Failure.GARBAGE:
            self.wfile.write(b"\x00\x1b[31mNOT HTTP AT ALL\r\n\r\n")

    def _write_head(self, response: CannedResponse, length: int | None) -> None:
        (self.send_response_only if "Date" in response.headers else self.send_response)(response.status)
        for name, value in response.headers.items():
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
