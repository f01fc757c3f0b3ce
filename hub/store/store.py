"""What the hub asks of a database. `sqlite.py` and `postgres.py` answer; nothing else knows which it is."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Generic, TypeVar

import sqlalchemy
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError, DBAPIError

from hub.errors import StoreError, StoreMoved, StoreUnavailable
from hub.records import Condition, Room
from hub.store.intake import Arrival, Intake
from hub.store.line import Line
from hub.store.noticing import Telling
from hub.store.operating import Operating
from hub.store.reading import Reading
from hub.store.upkeep import Upkeep

T = TypeVar("T")
W = TypeVar("W")

_UNAVAILABLE = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.InternalError)
"""No answer, no room, no connection, or a replica that only reads."""

_REFUSALS = ("42501", "42P01")
"""PostgreSQL's codes for what this user may not do, and for a table that is not there."""

MOVED_CODE, MOVED_WORDS = "HUBMV", "this database has moved to another; set DATABASE_URL to that one"
"""What a store says that was moved: PostgreSQL by a code, SQLite in words."""

GROUP_LIMIT = 64
"""So many writes at most share one commit: it bounds how long the first of them waits."""

PATIENCE_SECONDS, COMMIT_SECONDS = 3.0, 9.0
"""How long a write waits for its turn, and how long then for its commit: a sender hears 503 within 15 s."""


class Collided(StoreUnavailable):
    """Two transactions wait for each other and the database ended this one: it may work at once."""


class Transaction(Intake, Upkeep, Operating, Telling, Reading):
    """Everything that may happen to the store, inside one transaction."""


class Listener(ABC):
    """Calls back whenever another process says that something may be due."""

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
        self._arrivals = GroupCommit(self._take_in_all)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return its result once that is durably committed.

        Works that arrive together are committed together. `work` may run twice (a neighbour failed), so
        it does nothing but use its transaction; what it raises undoes it alone. Raises StoreUnavailable.
        """
        result: T = self._writes.run(work)
        return result

    def take_in(self, arrival: Arrival) -> bool:
        """Keep a new event and every delivery it is owed, or neither; False where it is known already.

        Returns once that is durably committed, together with what arrives at the same time, and the workers
        are told. Raises StoreUnavailable.
        """
        return self._arrivals.run(arrival)

    @contextmanager
    def read(self) -> Iterator[Reading]:
        """A consistent view, which no writer waits for. Raises StoreUnavailable."""
        with self._translated(), self._reader() as line:
            yield Reading(line)

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
        """Call `on_wake`, in a thread, whenever any process calls `wake`."""

    @abstractmethod
    def condition(self) -> Condition:
        """How the database itself is; reads all of a SQLite file. Raises StoreError."""

    def room(self) -> Room | None:
        """What is left on the database's volume; None where that cannot be seen from here."""
        return None

    @abstractmethod
    def make_durable(self) -> None:
        """From now on let every commit survive a power cut, where this store was opened to forget some."""

    def close(self) -> None:
        self._engine.dispose()

    @abstractmethod
    def _writer(self) -> AbstractContextManager[Line]:
        """A transaction that may write; it is committed, durably, unless an error ends the block."""

    @abstractmethod
    def _reader(self) -> AbstractContextManager[Line]:
        """A transaction that only reads, all of it the same state."""

    def _do_all(self, works: Sequence[Callable[[Transaction], Any]]) -> list[Any]:
        with self._begin() as transaction:
            return [work(transaction) for work in works]

    def _take_in_all(self, arrivals: Sequence[Arrival]) -> list[bool]:
        with self._begin() as transaction:
            are_new = transaction.take_in(arrivals)
        if any(arrival.routing.owed for arrival in arrivals):
            self.wake()
        return are_new

    @contextmanager
    def _begin(self) -> Iterator[Transaction]:
        with self._translated(), self._writer() as line:
            yield Transaction(line)

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


class _Job(Generic[W, T]):
    """One thing that waits to be committed; `turn` is free once it is, or once its thread `leads`."""

    def __init__(self, what: W) -> None:
        self.what = what
        self.leads = False
        self.turn = threading.Lock()
        self.turn.acquire()
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class GroupCommit(Generic[W, T]):
    """Commits together what is asked for together: one thread leads and does it for all who wait.

    `commit` does a whole group in one transaction and returns a result for each. One fsync serves them all,
    and threads queue within the process instead of fighting for the database's lock. Each waits for a lock
    of its own: behind a common one, those already served would stand in the way of the next who leads.

    What waits longer than `patience_seconds` for its turn is withdrawn. What a leader has taken may be
    committed after its thread gave up waiting: whoever asks again must find that it is known.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[W]], Sequence[T]],
        patience_seconds: float = PATIENCE_SECONDS,
        commit_seconds: float = COMMIT_SECONDS,
    ) -> None:
        self._commit = commit
        self._patience_seconds = patience_seconds
        self._commit_seconds = commit_seconds
        self._queueing = threading.Lock()
        self._waiting: list[_Job[W, T]] = []
        self._is_led = False

    def run(self, what: W) -> T:
        job: _Job[W, T] = _Job(what)
        with self._queueing:
            self._waiting.append(job)
            job.leads, self._is_led = not self._is_led, True
        if not job.leads:
            self._wait(job)
        if not job.done:
            self._lead()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # done without an error: it is a T

    def _wait(self, job: _Job[W, T]) -> None:
        """Return once it is done or is to lead; raise StoreUnavailable where that takes too long."""
        if job.turn.acquire(timeout=self._patience_seconds):
            return
        with self._queueing:
            if job in self._waiting and not job.leads:
                self._waiting.remove(job)
                raise StoreUnavailable("the database is too slow: a write waited too long for its turn")
        if not job.turn.acquire(timeout=self._commit_seconds):
            raise StoreUnavailable("the database does not answer: a commit takes too long")

    def _lead(self) -> None:
        """Commit for all who wait, this thread the first of them; then the first who came since leads."""
        batch = self._take()
        given_up: list[_Job[W, T]] = []
        try:
            self._commit_all(batch)
        finally:
            with self._queueing:
                if _is_everybodys(batch[0].error):
                    given_up, self._waiting = self._waiting, []
                following = self._waiting[:1]
                self._is_led = bool(following)
                for job in following:
                    job.leads = True
            for job in given_up:
                # They have waited as long as a database that does not answer takes; no longer.
                job.error, job.done = batch[0].error, True
            for job in (*following, *batch, *given_up):
                job.turn.release()

    def _take(self) -> list[_Job[W, T]]:
        with self._queueing:
            batch, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
            return batch

    def _commit_all(self, batch: list[_Job[W, T]]) -> None:
        try:
            results = self._commit([job.what for job in batch])
        except BaseException as error:  # noqa: BLE001 - it is raised again in the threads that asked
            if len(batch) > 1 and not _is_everybodys(error):
                # One of them is at fault: each by itself, so that its neighbours do not fail with it.
                for job in batch:
                    self._commit_all([job])
                return
            for job in batch:
                job.error, job.done = error, True
        else:
            for job, result in zip(batch, results, strict=True):
                job.result, job.done = result, True


def _is_everybodys(error: BaseException | None) -> bool:
    """Whether whoever asked would have met it."""
    return isinstance(error, StoreUnavailable) and not isinstance(error, Collided)


def _sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's code for what went wrong; SQLite has none."""
    return getattr(error.orig, "sqlstate", None) or ""


def first_line(error: BaseException) -> str:
    """What a database says, in one line, without the statement that SQLAlchemy adds."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0][:300] if said else type(error).__name__


def open_store(url: str, connections: int = 3, *, durable: bool = True) -> Store:
    """The store behind a `DATABASE_URL`; connects only when it is first used.

    A worker's need not be `durable` on SQLite: no commit of its own acknowledges anything. After a power
    cut the last of them may be gone, and what they recorded is done again.

    Raises StoreError for a URL that no dialect here serves.
    """
    if url.startswith("sqlite:"):
        from hub.store.sqlite import SqliteStore

        return SqliteStore(url, durable=durable)
    if url.startswith(("postgres:", "postgresql:")):
        from hub.store.postgres import PostgresStore

        return PostgresStore(url, connections)
    raise StoreError("DATABASE_URL must begin with sqlite:///, postgresql:// or postgres://")
