"""A pooler in transaction mode: each transaction runs in another session of the PostgreSQL behind it."""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

SESSIONS = 3
_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_IDLE = b"I"


class Pooler:
    """To be used in a `with`; `url` leads through it to the database of `url`.

    As PgBouncer does with `pool_mode = transaction`, it lends a client a session of the server from the first
    message of a transaction to the ReadyForQuery that ends it, and tells it a process number that is none of
    the server's. It takes its sessions in turn, so nothing that one was told holds for the next transaction.
    `listens` counts LISTEN statements; what the server notifies of goes to nobody.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = str(next(Path(parse_qs(parts.query)["host"][0]).glob(".s.PGSQL.*[0-9]")))
        self._database = parts.path.removeprefix("/")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._clients: list[socket.socket] = []
        self._sessions: queue.Queue[_Session] = queue.Queue()
        self.listens = 0
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}/{self._database}?sslmode=disable"

    def __enter__(self) -> Pooler:
        for _ in range(SESSIONS):
            session = _Session(self._target, self._database)
            self._parameters = session.parameters
            self._sessions.put(session)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        while not self._sessions.empty():
            self._sessions.get().socket.close()

    def cut(self) -> None:
        """Hang up on every client, as a restart does; new ones are taken."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self._clients.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._clients.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            _welcome(client, self._parameters)
            messages = _Messages(client)
            while message := messages.next():
                if message[:1] == b"X":
                    return
                session = self._sessions.get()
                try:
                    self._lend(session, client, messages, message)
                finally:
                    self._sessions.put(session.fresh())

    def _lend(
        self, session: _Session, client: socket.socket, messages: _Messages, message: bytes | None
    ) -> None:
        """Pass on what client and server say until a transaction is at its end, or the client is gone."""
        unanswered, is_open = 0, False
        session.is_used_up = True
        while message != b"":
            if message is not None:
                self.listens += message[:1] in b"QP" and b"LISTEN" in message
                unanswered += message[:1] in b"QS"
                is_open = message[:1] not in b"QS"
                session.socket.sendall(message)
            message = messages.waiting()
            if message is None:
                ready, _, _ = select.select([client, session.socket], [], [])
                for answer in session.messages.arrived() if session.socket in ready else ():
                    client.sendall(answer)
                    unanswered -= answer[:1] == b"Z"
                    session.is_used_up = answer[:1] != b"Z" or answer[5:] != _IDLE
                if not (unanswered or is_open or session.is_used_up):
                    return
                message = messages.next() if client in ready else None


class _Session:
    """A session of the server; the messages with which it began stand in `parameters`."""

    def __init__(self, target: str, database: str) -> None:
        self._place = target, database
        self.is_used_up = False
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(target)
        words = b"".join(word.encode() + b"\0" for word in ("user", "postgres", "database", database))
        start = struct.pack(">I", 196608) + words + b"\0"
        self.socket.sendall(struct.pack(">I", len(start) + 4) + start)
        self.messages = _Messages(self.socket)
        self.parameters = b""
        while (message := self.messages.next())[:1] != b"Z":
            self.parameters += message if message[:1] == b"S" else b""

    def fresh(self) -> _Session:
        """Return this one, or another where a client left in the middle of a transaction."""
        if not self.is_used_up:
            return self
        self.socket.close()
        return _Session(*self._place)


class _Messages:
    """The messages of a connection that has begun: a letter, a length and what it is long."""

    def __init__(self, source: socket.socket) -> None:
        self._source = source
        self._bytes = b""

    def next(self) -> bytes:
        """Return the next one, or nothing at the end."""
        while (message := self.waiting()) is None:
            received = self._source.recv(65536)
            if not received:
                return b""
            self._bytes += received
        return message

    def arrived(self) -> Iterator[bytes]:
        """Yield the next one and all that have arrived with it. Raises ConnectionError at the end."""
        message: bytes | None = self.next()
        if not message:
            raise ConnectionError
        while message:
            yield message
            message = self.waiting()

    def waiting(self) -> bytes | None:
        """Return the next one if all of it has arrived."""
        if len(self._bytes) < 5:
            return None
        end = 1 + struct.unpack(">I", self._bytes[1:5])[0]
        if len(self._bytes) < end:
            return None
        message, self._bytes = self._bytes[:end], self._bytes[end:]
        return message


def _welcome(client: socket.socket, parameters: bytes) -> None:
    """Answer a client's start, whoever it is: it is let in, with the server's parameters."""
    for _ in _declined(client):
        client.sendall(b"N")
    let_in = b"R" + struct.pack(">II", 8, 0)
    key = b"K" + struct.pack(">III", 12, 2**31 - 1, 0)
    client.sendall(let_in + parameters + key + b"Z" + struct.pack(">I", 5) + _IDLE)


def _declined(client: socket.socket) -> Iterator[int]:
    """Yield each request for encryption; end with the client's start."""
    while True:
        (length,) = struct.unpack(">I", client.recv(4, socket.MSG_WAITALL))
        (code,) = struct.unpack(">I", client.recv(length - 4, socket.MSG_WAITALL)[:4])
        if code not in (_SSL_REQUEST, _GSS_REQUEST):
            return
        yield code
