"""The way from a `DATABASE_URL` to its store: the one place that knows which databases there are."""

from __future__ import annotations

from hub.errors import StoreError
from hub.store.engine.postgres import PostgresStore
from hub.store.engine.sqlite import SqliteStore
from hub.store.store import Store


def open_store(url: str, connections: int = 3, *, durable: bool = True) -> Store:
    """Return the store behind a `DATABASE_URL`; it connects only when it is first used.

    A worker's need not be `durable` on SQLite: no commit of its own acknowledges anything. After a power
    cut the last of them may be gone, and what they recorded is done again.

    Raises StoreError for a URL that no dialect here serves.
    """
    if url.startswith("sqlite:"):
        return SqliteStore(url, durable=durable)
    if url.startswith(("postgres:", "postgresql:")):
        return PostgresStore(url, connections)
    raise StoreError("DATABASE_URL must begin with sqlite:///, postgresql:// or postgres://")
