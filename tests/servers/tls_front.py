"""TLS before a PostgreSQL, as a provider's proxy has it: the wheel's server was built without."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_HANGS_UP_AFTER_SECONDS = 60.0


class TlsFront:
    """To be used in a `with`; `url` leads by TLS to the database of `url`, which is on a Unix socket.

    Without a context it says that it has none.
    A client asks for TLS by a message of its own, which is answered by one letter:
    https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
    """

    def __init__(self, url: str, context: ssl.SSLContext | None) -> None:
        parts = urlsplit(url)
        self._target = str(next(Path(parse_qs(parts.query)["host"][0]).glob(".s.PGSQL.*[0-9]")))
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"

    def __enter__(self) -> TlsFront:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(_HANGS_UP_AFTER_SECONDS)
        with client, contextlib.suppress(OSError):
            client.recv(8, socket.MSG_WAITALL)
            client.sendall(b"S" if self._context else b"N")
            if self._context is None:
                return
            tls = self._context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
            with tls, socket.socket(socket.AF_UNIX) as server:
                try:
                    tls.do_handshake()
                except ssl.SSLError:
                    _let_read(tls)
                    raise
                server.connect(self._target)
                _relay(tls, server)


def _let_read(tls: ssl.SSLSocket) -> None:
    """Wait for the client to hang up: to close on what it has sent would lose the alert on its way to it."""
    plain = socket.socket(fileno=tls.detach())
    with plain:
        plain.shutdown(socket.SHUT_WR)
        while plain.recv(4096):
            pass


def _relay(tls: ssl.SSLSocket, server: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(tls, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, tls)
        while True:
            ready = [(key.fileobj, key.data) for key, _ in selector.select()]
            for source, target in ready:
                data = source.recv(16384)  # type: ignore[union-attr]
                while source is tls and tls.pending():
                    data += tls.recv(16384)
                if not data:
                    return
                target.sendall(data)
