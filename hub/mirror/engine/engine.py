"""A connection to the user's database for the time of a transaction, whatever database it is."""

from __future__ import annotations

import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import QueuePool
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.schema import Table

from hub.errors import SendError
from hub.humanize import period
from hub.mirror.engine.column_types import to_json
from hub.mirror.engine.failures import Fault, to_send_error
from hub.transport.deadline import current_deadline, deadline_after

T = TypeVar("T")

_TRIES = 3
_PAUSE_SECONDS, _CLOSE_SECONDS = 0.02, 2.0


class Engine(ABC):
    """One database. Everything is to be called within `deadline_after`, whose time holds for all of it.

    Sessions are pinned: UTC, every letter, READ COMMITTED, strict, whatever server, role and URL say.
    """

    dialect: str
    """SQLAlchemy's name of it, with the driver."""

    writes_at_once: int | None = None
    """The most transactions that are worth to be open at once; None where that is as many as connections."""

    def __init__(self, connections: int) -> None:
        connections = min(connections, self.writes_at_once or connections)
        self._slots = threading.BoundedSemaphore(connections)
        self._engine = create_engine(
            f"{self.dialect}://",
            creator=self._connect,
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_use_lifo=True,
            # A transaction is begun with its settings in one statement, and always ended by hand.
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_reset_on_return=None,
            hide_parameters=True,
            json_serializer=to_json,
        )

    updates_by_any_index = False
    """True where an insert replaces the row that any unique index finds, not that of its key alone."""

    returns_written = False
    """True where an insert returns the row that it wrote, and `xmax` tells whether that is a new one."""

    grantee_sql = "SELECT ''"
    """The query of this login's name, as a GRANT has it."""

    nullable_sql: str | None = None
    """The statement that lets a column be empty; None where the database has none."""

    @property
    def name(self) -> str:
        """SQLAlchemy's name of the database: postgresql, mysql or sqlite."""
        return self._engine.dialect.name

    @property
    def sql_dialect(self) -> Any:
        """SQLAlchemy's dialect, by which statements are written out."""
        return self._engine.dialect

    def quoted(self, table: Table) -> str:
        """Return the whole name of a table as statements have it."""
        name: str = self.sql_dialect.identifier_preparer.format_table(table)
        return name

    def run(self, work: Callable[[Connection], T], *, keep: bool = True, written: Collection[str] = ()) -> T:
        """Run the work in one transaction, again where it stood in another's way, and return its result.

        With `keep` False it is rolled back. `written` names the columns that get values, for errors. Raises
        SendError: the one boundary for what drivers raise.
        """
        return self._tried(lambda connection: self._transaction(connection, work, keep), written)

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run the work, one statement that reads, and return its result. Raises SendError."""
        return self._tried(work, ())

    def close(self) -> None:
        """Close every connection that is not in use."""
        with deadline_after(_CLOSE_SECONDS):
            self._engine.dispose()

    @abstractmethod
    def insert(self, table: Table) -> Any:
        """Return an insert into a table, whose columns are those of the rows that it is executed with."""

    @abstractmethod
    def incoming(self, insert: Any) -> Any:
        """Return the columns of the row that an insert brings, for what replaces the one that is there."""

    @abstractmethod
    def or_replace(
        self, insert: Any, values: Mapping[str, Any], where: ColumnElement[bool] | None = None
    ) -> Any:
        """Return the insert that, where a row has its key, replaces these values of it, in their order."""

    @abstractmethod
    def least(self, one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
        """Return the lesser of two values that are there."""

    @abstractmethod
    def create_schema(self, name: str) -> str | None:
        """Return the statement that makes a schema; None where the database has none to make."""

    @abstractmethod
    def lock_for_changes(self, connection: Connection, name: str) -> None:
        """Wait, for a second at most, for the one lock under which tables are changed."""

    @abstractmethod
    def unlock_after_changes(self, connection: Connection, name: str) -> None:
        """Give the lock back where it does not end with the transaction."""

    def table_arguments(self) -> Mapping[str, Any]:
        """Return what a table of the mirror's is to be made with."""
        return {}

    @abstractmethod
    def _connect(self) -> Any:
        """Return a new connection of the driver's."""

    @abstractmethod
    def _begin(self, connection: Connection) -> None:
        """Begin a transaction with its settings."""

    def _tried(self, work: Callable[[Connection], T], written: Collection[str]) -> T:
        deadline = current_deadline()
        for tries_after in reversed(range(_TRIES)):
            try:
                with self._connection() as connection:
                    return work(connection)
            except (SendError, SQLAlchemyError, OSError, ValueError, OverflowError) as error:
                time_over = period(deadline.seconds) if deadline.is_over else None
                fault, send_error = to_send_error(error, written=written, timeout=time_over)
                if fault is not Fault.AGAIN or not tries_after:
                    raise send_error from error
                time.sleep(random.uniform(0, _PAUSE_SECONDS))  # noqa: S311 - no secret
        raise AssertionError

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Yield a connection that is open, one of so many at most."""
        deadline = current_deadline()
        if not self._slots.acquire(timeout=deadline.remaining_seconds()):
            raise TimeoutError
        try:
            with self._engine.connect() as connection:
                yield connection
        finally:
            self._slots.release()

    def _transaction(self, connection: Connection, work: Callable[[Connection], T], keep: bool) -> T:
        try:
            self._begin_anew(connection)
            result = work(connection)
            connection.exec_driver_sql("COMMIT" if keep else "ROLLBACK")
        except BaseException:
            # Its end rolls back, whatever state it is in, and forgets what was prepared for other columns. A
            # file that was opened while it could only be read stays so for its connection.
            connection.invalidate()
            raise
        return result

    def _begin_anew(self, connection: Connection) -> None:
        """Begin, on a new connection where the one of the pool was cut: nothing was sent by it yet."""
        try:
            self._begin(connection)
        except DBAPIError as error:
            if not error.connection_invalidated or current_deadline().is_over:
                raise
            connection.rollback()
            self._begin(connection)
