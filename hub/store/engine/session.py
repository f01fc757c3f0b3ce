"""The way to the database, past SQLAlchemy, for what every event and every turn of a worker needs.

SQLAlchemy takes longer to run a statement than the database does, and to PostgreSQL the way takes longer
than both: what can go together does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeAlias

from sqlalchemy import Connection, CursorResult, Dialect, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from hub.store.engine.changes import Insert, Update
from hub.store.engine.statements import Statement

Change: TypeAlias = Insert | Update
Answer: TypeAlias = list[tuple[Any, ...]]


class Asked(Protocol):
    """What has an answer: a question, or a change that returns something."""

    def statement(self, dialect: Dialect) -> Statement: ...


class Session:
    """A connection whose owner begins and commits its transaction, if there is to be one.

    Every statement is sent at once: SQLite is near.
    """

    is_remote: ClassVar[bool] = False
    """Whether it leads to PostgreSQL, where many write at once and rows are locked one by one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect
        self._driver: Any = connection.connection.driver_connection
        self._now = datetime.now(UTC)

    @property
    def now(self) -> datetime:
        """When the transaction began, by the clock that decides leases and due times."""
        return self._now

    @property
    def connection(self) -> Connection:
        """For statements of any other kind."""
        return self._connection

    def locking(self, statement: Select[Any], *, skips: bool = False) -> Select[Any]:
        """Return the statement with its rows locked, where rows are locked one by one."""
        return statement.with_for_update(skip_locked=skips) if self.is_remote else statement

    def upsert(
        self, table: Table, row: Mapping[str, Any], changes: Mapping[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Insert a row, or change the one that is there under its primary key.

        `changes` are the new values of that one; None replaces all of the row's columns.
        """
        insert_into = postgresql.insert if self.is_remote else sqlite.insert
        return self.connection.execute(
            insert_into(table)
            .values(dict(row))
            .on_conflict_do_update(
                index_elements=list(table.primary_key), set_=dict(row if changes is None else changes)
            )
        )

    def ask(self, *questions: Asked | None) -> list[Answer]:
        """The answer to each, asked together; to None it is empty."""
        asked = [question.statement(self._dialect) for question in questions if question]
        answers = iter(self._exchange(asked) if asked else ())
        return [next(answers) if question else [] for question in questions]

    def write(self, *changes: Change) -> None:
        """Make changes, in this order; those without rows are none."""
        with self.wrapped():
            for statement in self._statements(changes):
                if statement.is_many:
                    self._driver.executemany(statement.sql, statement.parameters)
                else:
                    self._driver.execute(statement.sql, statement.parameters)

    def _exchange(self, asked: list[Statement]) -> list[Answer]:
        with self.wrapped():
            return [
                each.converted(self._driver.execute(each.sql, each.parameters), self._dialect)
                for each in asked
            ]

    def _statements(self, changes: tuple[Change, ...]) -> Iterator[Statement]:
        for change in changes:
            for part in change.parts():
                yield part.statement(self._dialect)

    @contextmanager
    def wrapped(self) -> Iterator[None]:
        """What the driver raises, as SQLAlchemy would have raised it."""
        raised: Any = self._dialect.dbapi and self._dialect.dbapi.Error
        try:
            yield
        except raised as error:
            is_cut = self._dialect.is_disconnect(error, self._driver, None)
            if is_cut:
                self._connection.invalidate(error)
            raise DBAPIError.instance(
                None, None, error, raised, connection_invalidated=is_cut, dialect=self._dialect
            ) from error


class RemoteSession(Session):
    """A transaction on PostgreSQL. It begins with the first that is sent, and `commit` ends it.

    What is written waits for what is asked next, or for the commit, and goes with it in one round trip; an
    error of it comes up there. `first` goes before all else: it begins the transaction, and without that
    whatever goes in one round trip is one of its own. `clock` is a SELECT of the time when it began.
    """

    is_remote = True

    def __init__(self, connection: Connection, *first: str, clock: str | None = None) -> None:
        super().__init__(connection)
        self._unsent = [Statement(sql=sql) for sql in (*first, clock) if sql]
        self._clock_at = len(first) if clock else None
        self._began_at: datetime | None = None

    @property
    def now(self) -> datetime:
        if self._began_at is None:
            self._exchange([])
        assert self._began_at is not None
        return self._began_at

    @property
    def connection(self) -> Connection:
        if self._unsent:
            self._exchange([])
        return self._connection

    def write(self, *changes: Change) -> None:
        self._unsent += self._statements(changes)

    def commit(self) -> None:
        """Make durable what the transaction did."""
        self._unsent.append(Statement(sql="COMMIT"))
        self._exchange([])

    def _exchange(self, asked: list[Statement]) -> list[Answer]:
        """Send what waits and what is asked, and read the answers."""
        statements, self._unsent = [*self._unsent, *asked], []
        with self.wrapped():
            answers = self._driver.exchange([(each.sql, each.parameters) for each in statements])
        if self._clock_at is not None:
            ((self._began_at,),), self._clock_at = answers[self._clock_at], None
        wanted = answers[len(answers) - len(asked) :]
        return [each.converted(answer, self._dialect) for each, answer in zip(asked, wanted, strict=True)]
