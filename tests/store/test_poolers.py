"""Statements are prepared where the server itself answers, and not where a pooler does."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import text

from hub.store.open import open_store
from hub.store.store import Store


def prepared(store: Store) -> int:
    """Return the number of statements that the server keeps of one of the store's connections."""
    with store._engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one()
        return int(kept)


def bounds(store: Store) -> tuple[str, ...]:
    names = ("synchronous_commit", "statement_timeout", "idle_in_transaction_session_timeout")
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    return store.write(lambda t: tuple(t.session.connection.execute(text(f"SELECT {asked}")).one()))


def test_the_server_itself_keeps_prepared_statements(postgres_store_url: str) -> None:
    store = open_store(postgres_store_url)
    try:
        waiting = [store.write(lambda t: t.queue.lock(due_of=["log"])).waiting for _ in range(20)]
        assert bounds(store) == ("on", "5s", "5s")
        with store.read() as snapshot:
            snapshot.settings.get("a")
        kept = prepared(store)
    finally:
        store.close()

    assert waiting == [{}] * 20
    assert kept


def test_a_pooler_is_asked_to_keep_none(postgres_store_url: str) -> None:
    with pooler(postgres_store_url) as url:
        store = open_store(url)
        try:
            assert store.write(lambda t: t.settings.set_default("a", "b")) == "b"
            assert bounds(store) == ("on", "5s", "5s")
            assert prepared(store) == 0
        finally:
            store.close()


@contextmanager
def pooler(url: str) -> Iterator[str]:
    """The mark of a pooler: it gives a client a process number that is not the server's."""
    parts = urlsplit(url)
    target = str(next(Path(parse_qs(parts.query)["host"][0]).glob(".s.PGSQL.*[0-9]")))
    listener = socket.create_server(("127.0.0.1", 0))
    sockets = [listener]

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(target)
                sockets.extend((near, far))
                threading.Thread(target=_pass_on, args=(near, far), daemon=True).start()
                threading.Thread(target=_pass_on, args=(far, near, True), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"postgresql://postgres@127.0.0.1:{listener.getsockname()[1]}{parts.path}?sslmode=disable"
    finally:
        for connection in sockets:
            connection.close()


def _pass_on(source: socket.socket, target: socket.socket, renumbers: bool = False) -> None:
    with contextlib.suppress(OSError):
        start = b""
        while data := source.recv(65536):
            if renumbers:
                start += data
                if not start.endswith(b"Z\0\0\0\5I"):
                    continue
                data, renumbers = _renumbered(start), False
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)


def _renumbered(start: bytes) -> bytes:
    """The server's first messages, another process number in the one that has it (BackendKeyData)."""
    position = 0
    while start[position : position + 1] != b"K":
        position += 1 + struct.unpack(">I", start[position + 1 : position + 5])[0]
    pid = struct.unpack(">I", start[position + 5 : position + 9])[0]
    return start[: position + 5] + struct.pack(">I", pid + 1) + start[position + 9 :]
