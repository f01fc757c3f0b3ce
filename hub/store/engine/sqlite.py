"""The store in one SQLite file, for one machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from hub.databases.url import SqliteUrl
from hub.errors import FileRefused, StoreError, WritesRefused
from hub.model.stats import DatabaseStatus, DiskSpace
from hub.store import failures, migrate
from hub.store.engine.open_files import OpenFiles, WatchedConnection
from hub.store.engine.read_only import (
    FrozenConnection,
    is_left_alone,
    only_reads,
    replace_frozen,
    unwritable,
)
from hub.store.engine.wake_socket import SocketListener, wake_path
from hub.store.session import Session
from hub.store.store import Listener, Store, Transaction

_BUSY_SECONDS, _BUSY_PAUSE_SECONDS = 5.0, 0.0005

_MIGRATION_SECONDS = 600.0
"""Another process that migrates may take its time: an index of millions of rows does."""

_DAMAGES_SHOWN = 5


class SqliteStore(Store):
    """One file in WAL mode, `synchronous=FULL` (a commit survives a power cut), one writer per process.

    Not `durable` is `synchronous=NORMAL`: a commit survives a killed process, and costs no fsync.

    Only `migrate` makes the file, readable by its owner alone.
    """

    slow_poll_seconds = 1.0

    def __init__(self, url: str, parts: SqliteUrl, *, durable: bool) -> None:
        self.path = parts.path
        self._synchronous = "FULL" if durable else "NORMAL"
        self._files = OpenFiles(self.path)
        super().__init__(url, self._engine_of(self.path, readers=False), parts.warnings)
        self._read_engine = self._engine_of(self.path, readers=True)
        self._wake_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._wake_socket.setblocking(False)
        self._wake_path = str(wake_path(self.path))

    def migrate(self) -> str | None:
        """Do as every store; reads all of the file. Raises FileRefused where it is damaged."""
        self._files.begin()
        newer = super().migrate()
        with self._translated(), self._reader() as session:
            damages = _damages(session.connection, 1)
        if damages:
            refusal = failures.damaged(damages[0])
            self._files.refuse(refusal)
            raise refusal
        return newer

    def _upgrade(self) -> str | None:
        if not self.path.parent.is_dir():
            raise StoreError(f"{self.path.parent} is no folder; make it, or set DATABASE_URL to another file")
        try:
            # Only where there is none: closing a file that SQLite has open lets go of its locks.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            if isinstance(error, PermissionError):
                raise failures.not_opened(self.path.absolute().parent) from error
            raise StoreError(f"cannot make the database {self.path}: {error.strerror}") from error
        engine = self._engine.execution_options(busy_seconds=_MIGRATION_SECONDS)
        with self._translated(), engine.begin() as connection:
            return migrate.upgrade(connection)

    def check_schema(self) -> str | None:
        self._files.may_open()
        if not self.path.exists():
            raise StoreError(
                f"there is no database at {self.path.absolute()}; run this where `hub serve` runs, "
                "or make one with `hub migrate`"
            )
        with self._translated(), self._reader() as session:
            return migrate.check(session.connection)

    def _refusal_of(self, error: DBAPIError) -> StoreError | None:
        place = unwritable(self.path) if failures.is_not_opened(error) else None
        is_there = place is not None and place.exists()
        return failures.not_opened(place) if is_there else super()._refusal_of(error)

    def wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_socket.sendto(b"!", self._wake_path)

    def listen(self, on_wake: Callable[[], None]) -> Listener:
        try:
            return SocketListener(wake_path(self.path), on_wake)
        except OSError:
            # In a folder that only reads, for one. A worker that looks by itself still delivers.
            self.has_wake_ups = False
            return Listener()

    def write_error(self, snapshot: Transaction) -> StoreError | None:
        return self._file_refusal() or only_reads(self.path) or super().write_error(snapshot)

    def status(self) -> DatabaseStatus:
        with self._translated(), self._reader() as session:
            connection = session.connection
            mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
            problems = [f"the file is damaged: {damage}" for damage in _damages(connection, _DAMAGES_SHOWN)]
            newer = migrate.newer_revision(connection)
        if mode != "wal" and unwritable(self.path) is None:
            problems.append(
                f"its journal mode is {mode} instead of wal: readers and writers block each other"
            )
        name = f"SQLite {sqlite3.sqlite_version}"
        return DatabaseStatus(
            name=name, problems=tuple(problems), newer_revision=newer, disk=self.disk_space()
        )

    def disk_space(self) -> DiskSpace | None:
        try:
            volume = shutil.disk_usage(self.path.absolute().parent)
            files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
            used = sum(file.stat().st_size for file in files if file.exists())
        except OSError:
            return None
        return DiskSpace(free=volume.free, total=volume.total, used=used, file=self.path.name)

    def make_durable(self) -> None:
        if self._synchronous != "FULL":
            self._synchronous = "FULL"
            self._engine.dispose()

    def close(self) -> None:
        super().close()
        self._read_engine.dispose()
        self._wake_socket.close()

    @contextmanager
    def _writer(self) -> Iterator[Session]:
        self._raise_file_refusal()
        with self._engine.begin() as connection:
            yield Session(connection)
        # What was committed into a file that nobody finds again is not to be acknowledged.
        self._raise_file_refusal()

    @contextmanager
    def _reader(self) -> Iterator[Session]:
        with self._read_engine.begin() as connection:
            yield Session(connection)

    def _met(self, refusal: WritesRefused) -> None:
        super()._met(refusal)
        if isinstance(refusal, FileRefused):
            self._files.refuse(refusal)

    def _raise_file_refusal(self) -> None:
        refusal = self._file_refusal()
        if refusal is not None:
            raise refusal

    def _file_refusal(self) -> FileRefused | None:
        """Return why the file takes nothing more; what a deleted `-wal` has is brought into the file."""
        refusal = self._files.refusal()
        if refusal is not None and self._files.lacks_wal_alone:
            # It is open still, and nobody has begun another.
            with contextlib.suppress(StoreError, SQLAlchemyError, sqlite3.Error):
                connection = self._engine.raw_connection()
                try:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                finally:
                    connection.close()
        return refusal

    def _engine_of(self, path: Path, *, readers: bool) -> Engine:
        def connect() -> sqlite3.Connection:
            self._files.may_open()
            refusal = None if readers or not path.exists() else only_reads(path)
            if refusal is not None:
                raise refusal
            is_frozen = readers and is_left_alone(path)
            # A command that is run in the wrong folder must not make a second, empty store.
            mode = "mode=ro&immutable=1" if is_frozen else "mode=rw"
            connection = sqlite3.connect(
                f"file:{quote(str(path))}?{mode}",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
                factory=FrozenConnection if is_frozen else WatchedConnection,
            )
            connection.execute(f"PRAGMA synchronous={self._synchronous}")
            if readers:
                connection.execute("PRAGMA query_only=1")
            else:
                _use_wal(connection)
            if isinstance(connection, WatchedConnection):
                connection.execute("PRAGMA schema_version").fetchone()
                self._files.opened(connection)
            return connection

        engine = create_engine(
            "sqlite://",
            creator=connect,
            poolclass=QueuePool,
            pool_size=4 if readers else 1,
            max_overflow=0,
            pool_timeout=_BUSY_SECONDS,
            hide_parameters=True,
        )
        begin = _begin_deferred if readers else _begin_immediate
        event.listen(engine, "begin", begin)
        if readers:
            event.listen(engine, "checkout", replace_frozen)
        return engine


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock as soon as it is free.

    SQLite's own way of waiting sleeps longer each time, up to 100 ms. Where web and worker take turns, the
    lock is free for most of such a sleep.
    """
    driver: Any = connection.connection.driver_connection
    busy_seconds = connection.get_execution_options().get("busy_seconds", _BUSY_SECONDS)
    deadline = time.monotonic() + busy_seconds
    with Session(connection).translated():
        driver.execute("PRAGMA busy_timeout=0")
        try:
            while not _has_begun(driver, deadline):
                time.sleep(_BUSY_PAUSE_SECONDS)
        finally:
            driver.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000:.0f}")


def _has_begun(driver: sqlite3.Connection, deadline: float) -> bool:
    """Return False where another has the lock; past the deadline that is an error like any other."""
    try:
        driver.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        # The code's last byte says so, those above it say why.
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
            raise
        return False
    return True


def _damages(connection: Connection, most: int) -> list[str]:
    """Return what does not fit in the file, as SQLite says it, a line each."""
    damages = connection.exec_driver_sql(f"PRAGMA quick_check({most})").scalars().all()
    return [
        " ".join(damage.replace("*** in database main ***", "").split())
        for damage in damages
        if damage != "ok"
    ]


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL: it is kept there, but a transaction cannot, so no migration does.

    SQLite does not wait its busy time-out for the lock that the change needs; several processes that open a
    new file together take turns here.
    """
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
