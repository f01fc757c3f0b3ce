"""The store: one database, its transactions, and the boundary at which its errors become the hub's.

`engine/sqlite.py` and `engine/postgres.py` are the two kinds there are; only `open.py` chooses.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from sqlalchemy import Engine
from sqlalchemy import exc as sqlalchemy_errors

from hub.errors import NotStorable, StoreError, StoreMigrated, StoreUnavailable, WritesRefused
from hub.model.stats import DatabaseStatus, DiskSpace
from hub.store import failures, migrate
from hub.store.group_commit import GroupCommit
from hub.store.repositories.alerts import Alerts
from hub.store.repositories.attempts import Attempts
from hub.store.repositories.audit import Audit
from hub.store.repositories.changes import Changes
from hub.store.repositories.choices import Choices
from hub.store.repositories.degraded import Degraded
from hub.store.repositories.delivery_list import DeliveryList
from hub.store.repositories.destinations import Destinations
from hub.store.repositories.event_list import EventList
from hub.store.repositories.events import Events, RoutedEvent
from hub.store.repositories.heard import Heard
from hub.store.repositories.invariant import Invariant
from hub.store.repositories.metrics import Metrics
from hub.store.repositories.mirrors import Mirrors
from hub.store.repositories.numbers import Numbers
from hub.store.repositories.operator import Operator
from hub.store.repositories.overdue import Overdue
from hub.store.repositories.queue import Queue
from hub.store.repositories.retention import Retention
from hub.store.repositories.secrets import Secrets
from hub.store.repositories.settings import SharedValues
from hub.store.repositories.sources import Sources
from hub.store.repositories.stuck import StuckDeliveries
from hub.store.repositories.terms import Terms
from hub.store.repositories.threads import Threads
from hub.store.repositories.totals import Totals
from hub.store.repositories.versions import Versions
from hub.store.repositories.workers import Workers
from hub.store.repositories.wrong_keys import WrongKeys
from hub.store.session import Session

T = TypeVar("T")

REFUSAL_SECONDS = 60.0
"""For so long a write that was refused says that all are, unless one succeeded since."""

MIGRATED_CODE, MIGRATED_MESSAGE = "HUBMV", "this database has moved to another; set DATABASE_URL to that one"
"""The error of a store that was migrated to another: by the code on PostgreSQL, in words on SQLite."""

_NOT_STORABLE = "it holds a character or a number that the database cannot keep"


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
    sources = _repository(Sources)
    operator = _repository(Operator)
    alerts = _repository(Alerts)
    settings = _repository(SharedValues)
    versions = _repository(Versions)
    audit = _repository(Audit)
    wrong_keys = _repository(WrongKeys)
    event_list = _repository(EventList)
    delivery_list = _repository(DeliveryList)
    choices = _repository(Choices)
    numbers = _repository(Numbers)
    changes = _repository(Changes)
    metrics = _repository(Metrics)
    attempts = _repository(Attempts)
    degraded = _repository(Degraded)
    stuck = _repository(StuckDeliveries)
    overdue = _repository(Overdue)
    invariant = _repository(Invariant)
    retention = _repository(Retention)
    secrets = _repository(Secrets)
    threads = _repository(Threads)
    totals = _repository(Totals)
    terms = _repository(Terms)
    mirrors = _repository(Mirrors)
    heard = _repository(Heard)

    @property
    def now(self) -> datetime:
        """The moment when it began, by the clock that decides leases and due times."""
        return self.session.now


class _TakenBack(Exception):
    """Ends a transaction that is not to be committed."""


class Listener:
    """A way to hear of wake-ups: it calls back when any process says that something may be due.

    This one never does.

    It does so in a thread of its own, or within `hear`, for a caller that waits for `fileno` together with
    other things: where the database itself notifies, that saves handing it from thread to thread.
    """

    def fileno(self) -> int | None:
        """Return a descriptor that is readable once there is something to hear; None where there is none."""
        return None

    def hear(self) -> None:
        """Call back for what has arrived, without waiting."""
        return

    def close(self) -> None:
        """Stop listening."""


class Store(ABC):
    """One database, used by any number of threads. Open it after forking, never before."""

    slow_poll_seconds: ClassVar[float]
    """The longest that a worker sleeps without a wake-up before it looks by itself."""

    has_wake_ups = True
    """False where none reaches a worker: while events come, it looks often by itself."""

    def __init__(self, url: str, engine: Engine, warnings: Sequence[str] = ()) -> None:
        self.url = url
        self.warnings = tuple(warnings)
        self._engine = engine
        self._writes: GroupCommit[Callable[[Transaction], Any], Any] = GroupCommit(self._do_all)
        # An event that is kept under its own id was kept by the first try.
        self._new_events = GroupCommit(self._insert_all, is_repeatable=True)
        self._refusal: WritesRefused | None = None
        self._refused_at = 0.0

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
        with self._translated(writes=True), self._writer() as session:
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

    def migrate(self) -> str | None:
        """Make the database or bring it up to date, one process at a time; raises StoreError.

        Returns None, or the revision to which a newer hub has brought it, with which this one goes on. Writes
        nothing where nothing is to be done: it may be one that only reads.
        """
        try:
            return self.check_schema()
        except StoreUnavailable:
            raise
        except StoreError:
            return self._upgrade()

    @abstractmethod
    def check_schema(self) -> str | None:
        """Return None, or the revision of a newer hub with which this one goes on.

        Raises StoreError, saying what to do, where the database is missing, older or another program's.
        """

    @abstractmethod
    def wake(self) -> None:
        """Tell the workers that something may be due. Never fails: they look by themselves as well."""

    @abstractmethod
    def listen(self, on_wake: Callable[[], None]) -> Listener:
        """Call `on_wake` whenever any process says that something may be due, or may have said so."""

    @abstractmethod
    def status(self) -> DatabaseStatus:
        """Return the database's own account of itself; reads all of a SQLite file. Raises StoreError."""

    def quick_status(self, snapshot: Transaction) -> DatabaseStatus:
        """Return the part of `status` that costs next to nothing."""
        newer = migrate.newer_revision(snapshot.session.connection)
        return DatabaseStatus(newer_revision=newer, disk=self.disk_space())

    def write_error(self, snapshot: Transaction) -> StoreError | None:
        """Return the error that a write would meet now; None where none is known without trying."""
        is_recent = time.monotonic() - self._refused_at < REFUSAL_SECONDS
        return self._refusal if is_recent else None

    def try_to_write(self) -> None:
        """Write something and take it back; raises StoreError where that is refused."""
        with contextlib.suppress(_TakenBack), self.transaction() as transaction:
            transaction.settings.set_default("try", "")
            raise _TakenBack

    def disk_space(self) -> DiskSpace | None:
        """Return the space on the database's volume; None where that cannot be seen from here."""
        return None

    @abstractmethod
    def make_durable(self) -> None:
        """Let every commit survive a power cut from now on, where this store was opened to forget some."""

    def close(self) -> None:
        self._engine.dispose()

    @abstractmethod
    def _upgrade(self) -> str | None:
        """Run the missing migrations; as `migrate`."""

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
    def _translated(self, *, writes: bool = False) -> Iterator[None]:
        """Raise the database's errors as the hub's: the one boundary at which they are translated."""
        try:
            yield
            if writes:
                self._refusal = None
        except (UnicodeError, OverflowError, sqlalchemy_errors.DataError) as error:
            raise NotStorable(_NOT_STORABLE) from error
        except sqlalchemy_errors.TimeoutError as error:
            raise failures.refuses_now("all database connections are in use") from error
        except sqlalchemy_errors.DBAPIError as error:
            refusal = _migrated(error) or self._refusal_of(error)
            if refusal is None:
                raise
            if isinstance(refusal, WritesRefused):
                self._met(refusal)
            raise refusal from error

    def _refusal_of(self, error: sqlalchemy_errors.DBAPIError) -> StoreError | None:
        return failures.translated(error)

    def _met(self, refusal: WritesRefused) -> None:
        """Remember what a statement met."""
        self._refusal, self._refused_at = refusal, time.monotonic()


def _migrated(error: sqlalchemy_errors.DBAPIError) -> StoreMigrated | None:
    is_migrated = (
        getattr(error.orig, "sqlstate", None) == MIGRATED_CODE or str(error.orig) == MIGRATED_MESSAGE
    )
    return StoreMigrated(MIGRATED_MESSAGE) if is_migrated else None
