"""The way from a `DATABASE_URL` to its store: the one place that knows which databases there are."""

from __future__ import annotations

from hub.databases.url import NAME, SqliteUrl, parse_url
from hub.errors import StoreError
from hub.store.engine.postgres import PostgresStore
from hub.store.engine.sqlite import SqliteStore
from hub.store.store import Store


def open_store(url: str, connections: int = 3, *, durable: bool = True, name: str = NAME) -> Store:
    """Return the store behind a `DATABASE_URL`; it connects only when it is first used.

    `name` is the variable or argument that holds the URL, for errors and for the store's `warnings`.

    A worker's need not be `durable` on SQLite: no commit of its own acknowledges anything. After a power
    cut the last of them may be gone, and what they recorded is done again.

    Raises StoreError for a URL that no dialect here serves, and for a file that is a folder.
    """
    parts = parse_url(url, name)
    if isinstance(parts, SqliteUrl):
        if parts.path.is_dir():
            raise StoreError(
                f"{name} names the folder {parts.path}; name a file in it, as {parts.path}/hub.db"
            )
        return SqliteStore(url, parts, durable=durable)
    return PostgresStore(url, parts, connections, name=name)
