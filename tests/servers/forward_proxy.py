"""A small HTTP proxy on loopback: CONNECT for TLS, whole URLs for the rest; it refuses by script."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class ForwardProxy:
    """To be used in a `with`. `requests` has method and target of each; `login` is `user:password`.

    With `status` it refuses each with that. Whatever name is asked for, it connects to 127.0.0.1.
    """

    def __init__(self, *, login: str = "", status: int = 0) -> None:
        self.login = login
        self.status = status
        self.requests: list[tuple[str, str]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._server.proxy = self  # type: ignore[attr-defined]
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> ForwardProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _refused(self) -> bool:
        proxy = self.server.proxy  # type: ignore[attr-defined]
        proxy.requests.append((self.command, self.path))
        wanted = f"Basic {base64.b64encode(proxy.login.encode()).decode()}" if proxy.login else None
        status = proxy.status or (407 if self.headers.get("Proxy-Authorization") != wanted else 0)
        if not status:
            return False
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        return True

    def do_CONNECT(self) -> None:
        if self._refused():
            return
        with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as far:
            self.send_response(200, "Connection established")
            self.end_headers()
            self.wfile.flush()
            threading.Thread(target=_pass_on, args=(far, self.connection), daemon=True).start()
            _pass_on(self.connection, far)
        self.close_connection = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self._refused():
            return
        parts = urlsplit(self.path)
        far = http.client.HTTPConnection("127.0.0.1", parts.port)
        with contextlib.closing(far):
            far.request("POST", parts.path, body, {"Host": str(self.headers["Host"])})
            response = far.getresponse()
            answer = response.read()
        self.send_response(response.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def _pass_on(near: Any, far: Any) -> None:
    with contextlib.suppress(OSError):
        while data := near.recv(65536):
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)
