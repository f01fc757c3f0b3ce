"""What the hub asks of a database. `sqlite.py` and `postgres.py` answer; nothing else knows which it is."""

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

from hub.errors import StoreError, StoreMoved, StoreUnavailable
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

MOVED_CODE, MOVED_WORDS = "HUBMV", "this database has moved to another; set DATABASE_URL to that one"
"""What a store says that was moved: PostgreSQL by a code, SQLite in words."""


def _repository(kind: Callable[[Session], T]) -> cached_property[T]:
    """A repository that most transactions do without: it is made once it is asked for."""
    return cached_property(lambda transaction: kind(transaction.session))


class Transaction:
    """Everything that may be asked of the store or happen to it, inside one transaction."""

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
        """When it began, by the clock that decides leases and due times."""
        return self.session.now


class Listener(ABC):
    """Calls back whenever any process says that something may be due.

    It does so in a thread of its own, or within `hear`, which is for whoever waits for `fileno` together with
    other things: where the database tells, that saves handing it from thread to thread.
    """

    def fileno(self) -> int | None:
        """What can be read from once there is something to hear; None where nothing can be heard so."""
        return None

    def hear(self) -> None:
        """Call back for what is there to be heard; it does not wait."""
        return

    @abstractmethod
    def close(self) -> None: ...


class Store(ABC):
    """One database, used by any number of threads. Open it after forking, never before."""

    slow_poll_seconds: ClassVar[float]
    """How long a worker may sleep without a wake-up before it looks by itself."""

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
        """A transaction of its own, committed durably at the end of the block. Raises StoreUnavailable.

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
        """A consistent view, which no writer waits for. Raises StoreUnavailable."""
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
        """From now on let every commit survive a power cut, where this store was opened to forget some."""

    def close(self) -> None:
        self._engine.dispose()

    @abstractmethod
    def _writer(self) -> AbstractContextManager[Session]:
        """A transaction that may write; it is committed, durably, unless an error ends the block."""

    @abstractmethod
    def _reader(self) -> AbstractContextManager[Session]:
        """A transaction that only reads, all of it the same state."""

    def _do_all(self, works: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        with self.transaction() as transaction:
            return [work(transaction) for work in works]

    def _insert_all(self, routed: Sequence[RoutedEvent]) -> list[bool]:
        with self.transaction() as transaction:
            are_new = transaction.events.insert(routed)
        if any(new.routing.owed for new in routed):
            self.wake()
        return are_new

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The one boundary where the database's errors become ours."""
        try:
            yield
        except sqlalchemy.exc.TimeoutError as error:
            raise StoreUnavailable("all database connections are in use") from error
        except DBAPIError as error:
            said = first_line(error)
            if _sqlstate(error) == MOVED_CODE or said == MOVED_WORDS:
                raise StoreMoved(MOVED_WORDS) from error
            if _sqlstate(error).startswith("40"):
                raise Collided(f"two transactions stood in each other's way: {said}") from error
            if error.connection_invalidated or isinstance(error, _UNAVAILABLE):
                raise StoreUnavailable(f"the database does not answer: {said}") from error
            if type(error) is DatabaseError or _sqlstate(error) in _REFUSALS:
                raise StoreError(f"the database refuses: {said}") from error
            raise


def _sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's code for what went wrong; SQLite has none."""
    return getattr(error.orig, "sqlstate", None) or ""


def first_line(error: BaseException) -> str:
    """What a database says, in one line, without the statement that SQLAlchemy adds."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0][:300] if said else type(error).__name__
