"""A SQLite file that this user may read and not write: told as such, and read all the same."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy.exc import InvalidatePoolError

from hub.errors import StoreError
from hub.store import failures


class FrozenConnection(sqlite3.Connection):
    """A reader of a file that cannot change, which sees no change."""


def replace_frozen(connection: Any, record: Any, proxy: Any) -> None:
    """Let the pool replace a reader that sees no change, once the file may be written again."""
    if isinstance(connection, FrozenConnection):
        (path,) = connection.execute("SELECT file FROM pragma_database_list").fetchone()
        if not is_left_alone(Path(path)):
            raise InvalidatePoolError


def only_reads(path: Path) -> StoreError | None:
    """Return the error of a file that this user may not write; None where it may."""
    place = unwritable(path)
    if place is None:
        return None
    return failures.only_reads(
        f"the hub's user may not write {place}, or its volume is mounted so",
        "give the file and its folder to the user that the hub runs as, or mount the volume for writing",
    )


def unwritable(path: Path) -> Path | None:
    """Return the file or its folder, where this user may not write there; None where both may be written.

    SQLite makes files beside the database.
    """
    places = (path, path.absolute().parent)
    return next((place for place in places if not os.access(place, os.W_OK, effective_ids=True)), None)


def is_left_alone(path: Path) -> bool:
    """Return True for a file that this user cannot write and nobody has open.

    In WAL mode SQLite reads it only as one that never changes: it may not make the files that it needs.
    """
    return unwritable(path) is not None and not path.with_name(f"{path.name}-wal").exists()
