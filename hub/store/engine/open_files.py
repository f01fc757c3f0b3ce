"""The files that a SQLite store has open: once others stand in their place, it takes nothing more.

SQLite opens a database and its `-wal` by name, once, and goes on with what it has whatever becomes of the
names: it commits into files that nobody finds again, and a database that was moved in between them gets the
pages of another (https://www.sqlite.org/howtocorrupt.html). No error tells of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import weakref
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from hub.errors import FileRefused
from hub.store import failures

log = structlog.get_logger()

Identity: TypeAlias = tuple[int, int]
"""A file by its device and inode."""

_STALE_WAL = "-wal-of-another-file"


class WatchedConnection(sqlite3.Connection):
    """A connection that counts as open until it is closed."""

    open_files: OpenFiles

    def close(self) -> None:
        self.open_files.closing(self)
        super().close()


class OpenFiles:
    """The database and its `-wal`, as this process has them open.

    What one process finds it leaves in a file beside the database, so that none opens it, nor a command,
    until a start does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._note = path.with_name(f"{path.name}-refused")
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[WatchedConnection] = weakref.WeakSet()
        self._opened: dict[Path, Identity] = {}
        self._refusal: FileRefused | None = None

    def may_open(self) -> None:
        """Raise FileRefused where another connection would not have what those that are open have."""
        refusal = self.refusal() or self._noted()
        if refusal is not None:
            raise refusal

    def opened(self, connection: WatchedConnection) -> None:
        """Take a connection, which has read something, as open: only then its `-wal` is there."""
        connection.open_files = self
        with self._lock:
            known = self._opened if self._connections else {}
            self._opened = {**_identities(self._path), **known}
            self._connections.add(connection)

    def closing(self, connection: WatchedConnection) -> None:
        """Forget a connection before it is closed: SQLite deletes the `-wal` with the last."""
        with self._lock:
            self._connections.discard(connection)
            if not self._connections:
                self._opened = {}

    def refusal(self) -> FileRefused | None:
        """Return the error of every write from now on; None while the files are those that are open."""
        if self._refusal is None:
            for path, identity in self._opened.items():
                if _is_other(path, identity):
                    self._notice(path)
        elif not self._note.exists():
            self._write_note(self._refusal)
        return self._refusal

    def refuse(self, refusal: FileRefused) -> None:
        """Take nothing more from now on, in no process, until a start."""
        self._refusal = refusal
        self._write_note(refusal)

    @property
    def lacks_wal_alone(self) -> bool:
        """True where the database is the one that is open, and its `-wal` is gone and no other there."""
        opened = self._opened
        wal = next((path for path in opened if path.name.endswith("-wal")), None)
        database = opened.get(self._path)
        return not (wal is None or wal.exists() or database is None or _is_other(self._path, database))

    def begin(self) -> None:
        """Forget what was found before a start; a `-wal` that belongs to another file is put aside."""
        noted = _read(self._note)
        wal = _wal_of(self._path)
        is_replaced = "file" in noted and noted["file"] != _identity(self._path)
        if is_replaced and noted["wal"] is not None and noted["wal"] == _identity(wal):
            aside = self._path.with_name(f"{self._path.name}{_STALE_WAL}")
            wal.replace(aside)
            log.warning("database.wal_put_aside", path=str(aside))
        self._refusal = None
        with contextlib.suppress(OSError):
            self._note.unlink(missing_ok=True)

    def _notice(self, path: Path) -> None:
        with self._lock:
            is_known = self._refusal is not None or not self._connections
        if not is_known:
            verb = "is another file than the one that is open" if path.exists() else "was deleted or moved"
            self.refuse(failures.replaced(f"{path} {verb}"))

    def _noted(self) -> FileRefused | None:
        noted = _read(self._note)
        return failures.file_refused(str(noted["headline"]), str(noted["reason"])) if noted else None

    def _write_note(self, refusal: FileRefused) -> None:
        files = {"file": self._opened.get(self._path), "wal": self._opened.get(_wal_of(self._path))}
        note = {"headline": refusal.headline, "reason": refusal.reason, **(files if self._opened else {})}
        aside = self._note.with_name(f"{self._note.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            aside.write_text(json.dumps(note))
            aside.replace(self._note)


def _wal_of(path: Path) -> Path:
    """Return the path of a database's `-wal`: beside the file itself, wherever a link to it stands."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}-wal")


def _identities(path: Path) -> dict[Path, Identity]:
    identities = {place: _identity(place) for place in (path, _wal_of(path))}
    return {place: identity for place, identity in identities.items() if identity is not None}


def _identity(path: Path) -> Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_other(path: Path, identity: Identity) -> bool:
    """Return whether a path is another file by now, or none; one that cannot be looked at is the same."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return (status.st_dev, status.st_ino) != identity


def _read(note: Path) -> dict[str, Any]:
    """Return what stands in a note, with identities as they are compared; nothing where there is none."""
    try:
        content = json.loads(note.read_text())
    except (OSError, ValueError):
        return {}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
