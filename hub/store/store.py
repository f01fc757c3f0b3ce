"""The store: one database, its transactions, and the boundary at which its errors become the hub's.

`engine/sqlite.py` and `engine/postgres.py` are the two kinds there are; only `open.py` chooses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DBAPIError

from hub.errors import StoreError, StoreMigrated, StoreUnavailable
from hub.model.stats import DatabaseStatus, DiskSpace
from hub.store.group_commit import Collided, GroupCommit
from hub.store.repositories.alerts import Alerts
from hub.store.repositories.audit import Audit
from hub.store.repositories.destinations import Destinations
from hub.store.repositories.events import Events, RoutedEvent
from hub.store.repositories.metrics import Metrics
from hub.store.repositories.operator import Operator
from hub.store.repositories.queue import Queue
from hub.store.repositories.reports import Reports
from hub.store.repositories.retention import Retention
from hub.store.repositories.secrets import Secrets
from hub.store.repositories.settings import SharedValues
from hub.store.repositories.workers import Workers
from hub.store.session import Session

T = TypeVar("T")

_UNAVAILABLE = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.InternalError)
"""No answer, no room, no connection, or a replica that only reads."""

_REFUSALS = ("42501", "42P01")
"""PostgreSQL's codes for what this user may not do, and for a table that is not there."""

MIGRATED_CODE, MIGRATED_MESSAGE = "HUBMV", "this database has moved to another; set DATABASE_URL to that one"
"""The error of a store that was migrated to another: by the code on PostgreSQL, in words on SQLite."""


def _repository(kind: Callable[[Session], T]) -> cached_property[T]:
    """A repository that most transactions do without: it is made once it is asked for."""
    return cached_property(lambda transaction: kind(transaction.session))


class Transaction:
    """One transaction: a repository for each noun, all of them on the same session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.events = Events(session)
        self.queue = Queue(session)
        self.destinations = Destinations(session)

    workers = _repository(Workers)
    operator = _repository(Operator)
    alerts = _repository(Alerts)
    settings = _repository(SharedValues)
    reports = _repository(Reports)
    metrics = _repository(Metrics)
    audit = _repository(Audit)
    retention = _repository(Retention)
    secrets = _repository(Secrets)

    @property
    def now(self) -> datetime:
        """The moment when it began, by the clock that decides leases and due times."""
        return self.session.now


class Listener(ABC):
    """A way to hear of wake-ups: it calls back when any process says that something may be due.

    It does so in a thread of its own, or within `hear`, for a caller that waits for `fileno` together with
    other things: where the database itself notifies, that saves handing it from thread to thread.
    """

    def fileno(self) -> int | None:
        """Return a descriptor that is readable once there is something to hear; None where there is none."""
        return None

    def hear(self) -> None:
        """Call back for what has arrived, without waiting."""
        return

    @abstractmethod
    def close(self) -> None: ...


class Store(ABC):
    """One database, used by any number of threads. Open it after forking, never before."""

    slow_poll_seconds: ClassVar[float]
    """The longest that a worker sleeps without a wake-up before it looks by itself."""

    def __init__(self, url: str, engine: Engine) -> None:
        self.url = url
        self._engine = engine
        self._writes: GroupCommit[Callable[[Transaction], Any], Any] = GroupCommit(self._do_all)
        self._new_events = GroupCommit(self._insert_all)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return its result once that is durably committed.

        Works that arrive together are committed together. `work` may run twice (a neighbour failed), so
        it does nothing but use its transaction; what it raises undoes it alone. Raises StoreUnavailable.
        """
        result: T = self._writes.run(work)
        return result

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Begin a transaction that is committed, durably, at the end of the block. Raises StoreUnavailable.

        For the worker and for maintenance: what senders wait for is committed together by `write`.
        """
        with self._translated(), self._writer() as session:
            yield Transaction(session)

    def insert_event(self, routed: RoutedEvent) -> bool:
        """Keep a new event and every delivery it is owed, or neither; False where it is known already.

        Returns once that is durably committed, together with what arrives at the same time, and the workers
        are told. Raises StoreUnavailable.
        """
        return self._new_events.run(routed)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Begin a consistent snapshot, for which no writer waits. Raises StoreUnavailable."""
        with self._translated(), self._reader() as session:
            yield Transaction(session)

    @abstractmethod
    def migrate(self) -> None:
        """Make the database or bring it up to date, one process at a time; raises StoreError if newer."""

    @abstractmethod
    def check_schema(self) -> None:
        """Raise StoreError, saying what to do, where the database is missing, older or newer."""

    @abstractmethod
    def wake(self) -> None:
        """Tell the workers that something may be due. Never fails: they look by themselves as well."""

    @abstractmethod
    def listen(self, on_wake: Callable[[], None]) -> Listener:
        """Call `on_wake` whenever any process says that something may be due, or may have said so."""

    @abstractmethod
    def status(self) -> DatabaseStatus:
        """Return the database's own account of itself; reads all of a SQLite file. Raises StoreError."""

    def disk_space(self) -> DiskSpace | None:
        """Return the space on the database's volume; None where that cannot be seen from here."""
        return None

    @abstractmethod
    def make_durable(self) -> None:
        """Let every commit survive a power cut from now on, where this store was opened to forget some."""

    def close(self) -> None:
        self._engine.dispose()

    @abstractmethod
    def _writer(self) -> AbstractContextManager[Session]:
        """Begin a transaction that may write; it is committed unless an error ends the block."""

    @abstractmethod
    def _reader(self) -> AbstractContextManager[Session]:
        """Begin a transaction that only reads, all of it the same state."""

    def _do_all(self, works: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        with self.transaction() as transaction:
            return [work(transaction) for work in works]

    def _insert_all(self, routed: Sequence[RoutedEvent]) -> list[bool]:
        with self.transaction() as transaction:
            are_new = transaction.events.insert(routed)
        if any(new.routing.sends for new in routed):
            self.wake()
        return are_new

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise the database's errors as the hub's: the one boundary at which they are translated."""
        try:
            yield
        except sqlalchemy.exc.TimeoutError as error:
            raise StoreUnavailable("all database connections are in use") from error
        except DBAPIError as error:
            message = first_line(error)
            if _sqlstate(error) == MIGRATED_CODE or message == MIGRATED_MESSAGE:
                raise StoreMigrated(MIGRATED_MESSAGE) from error
            if _sqlstate(error).startswith("40"):
                raise Collided(f"two transactions stood in each other's way: {message}") from error
            if error.connection_invalidated or isinstance(error, _UNAVAILABLE):
                raise StoreUnavailable(f"the database does not answer: {message}") from error
            if type(error) is DatabaseError or _sqlstate(error) in _REFUSALS:
                raise StoreError(f"the database refuses: {message}") from error
            raise


def _sqlstate(error: DBAPIError) -> str:
    """Return PostgreSQL's code of an error; SQLite has none."""
    return getattr(error.orig, "sqlstate", None) or ""


def first_line(error: BaseException) -> str:
    """Return a database's error in one line, without the statement that SQLAlchemy adds."""
    text = str(getattr(error, "orig", None) or error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
