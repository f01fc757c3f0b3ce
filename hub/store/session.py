"""A transaction's way to the database: named statements past SQLAlchemy, and its connection for all else.

SQLAlchemy takes longer to run a statement than the database does, and to PostgreSQL the way takes longer than
both: what can go together does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple, TypeAlias

from sqlalchemy import Connection, CursorResult, Select, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from hub.store import sql

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Rows: TypeAlias = list[tuple[Any, ...]]


class Query(NamedTuple):
    """A statement by its name in `sql/sqlite.sql` and `sql/postgres.sql`, with its values.

    A value is text, a whole number, bytes or None.
    """

    name: str
    values: Mapping[str, Any] = {}


@dataclass
class Result:
    """The rows of a statement; they are there once it has run."""

    rows: Rows = field(default_factory=list)


@dataclass
class Repository:
    """The part of a transaction that is about one noun."""

    _session: Session


class Session:
    """A connection whose owner begins and commits its transaction. On SQLite every statement runs at once."""

    is_remote: ClassVar[bool] = False
    """True for PostgreSQL, where many write at once and rows are locked one by one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._driver: Any = connection.connection.driver_connection
        self._now = datetime.now(UTC)

    @property
    def now(self) -> datetime:
        """The moment when the transaction began, by the clock that decides leases and due times."""
        return self._now

    @property
    def connection(self) -> Connection:
        """The connection, for statements of any other kind."""
        return self._connection

    def execute(self, *queries: Query) -> list[Rows]:
        """Run statements together, in this order, and return the rows of each."""
        with self.translated():
            return [self._run(query) for query in queries]

    def defer(self, *queries: Query) -> list[Result]:
        """Run statements with what is executed next, or with the commit; return their results."""
        return [Result(rows) for rows in self.execute(*queries)]

    def locking(self, statement: Select[Any], *, skips: bool = False) -> Select[Any]:
        """Return the statement with its rows locked, where rows are locked one by one."""
        return statement.with_for_update(skip_locked=skips) if self.is_remote else statement

    def upsert(
        self,
        table: Table,
        row: Mapping[str, Any],
        changes: Mapping[str, Any] | None = None,
        where: Any = None,
    ) -> CursorResult[Any]:
        """Insert a row, or change the one that is there under its primary key.

        `changes` are the new values of that one: None for all of the row's, none at all to leave it alone.
        With `where` it is changed only if that holds.
        """
        insert = postgresql.insert(table) if self.is_remote else sqlite.insert(table)
        key, changes = list(table.primary_key), row if changes is None else changes
        statement = insert.values(dict(row))
        if changes:
            statement = statement.on_conflict_do_update(index_elements=key, set_=dict(changes), where=where)
        else:
            statement = statement.on_conflict_do_nothing(index_elements=key)
        # SQLAlchemy forgets the count of an insert where the driver could say more.
        return self.connection.execute(statement, execution_options={"preserve_rowcount": True})

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise the driver's errors as SQLAlchemy would have raised them."""
        dialect = self._connection.dialect
        driver_error: Any = dialect.dbapi and dialect.dbapi.Error
        try:
            yield
        except driver_error as error:
            is_cut = dialect.is_disconnect(error, self._driver, None)
            if is_cut:
                self._connection.invalidate(error)
            raise DBAPIError.instance(
                None, None, error, driver_error, connection_invalidated=is_cut, dialect=dialect
            ) from error

    def _run(self, query: Query) -> Rows:
        values = {"now": to_microseconds(self._now), **query.values}
        rows: Rows = []
        for statement in sql.scripts()[query.name]:
            rows += self._driver.execute(statement, values).fetchall()
        return rows


class RemoteSession(Session):
    """A transaction on PostgreSQL. It begins with the first that is sent, and a `commit` ends it.

    What is deferred waits for what is executed next, or for the commit, and goes with it in one round trip;
    an error of it comes up there. `first` goes before all else: where it begins no transaction, whatever goes
    in one round trip is one of its own. `has_clock` asks for the time when it began.
    """

    is_remote = True

    def __init__(self, connection: Connection, *first: bytes, has_clock: bool = True) -> None:
        super().__init__(connection)
        self._unsent: list[tuple[bytes, tuple[Any, ...], Result]] = [
            (statement, (), Result()) for statement in first
        ]
        self._clock = self.defer(Query("now"))[0] if has_clock else None

    @property
    def now(self) -> datetime:
        if self._clock is not None:
            self.flush()
        return self._now

    @property
    def connection(self) -> Connection:
        if self._unsent:
            self.flush()
        return self._connection

    def execute(self, *queries: Query) -> list[Rows]:
        results = self.defer(*queries)
        self.flush()
        return [result.rows for result in results]

    def defer(self, *queries: Query) -> list[Result]:
        results = [Result() for _ in queries]
        for (name, values), result in zip(queries, results, strict=True):
            statement, names = sql.numbered()[name]
            self._unsent.append((statement, tuple([values[value] for value in names]), result))
        return results

    def flush(self) -> None:
        """Send what is deferred, in one round trip, and fill in its results."""
        unsent, self._unsent = self._unsent, []
        with self.translated():
            results = self._driver.exchange([(statement, values) for statement, values, _ in unsent])
        for (_, _, result), rows in zip(unsent, results, strict=True):
            result.rows = rows
        if self._clock is not None:
            self._now, self._clock = from_microseconds(self._clock.rows[0][0]), None


def to_microseconds(moment: datetime) -> int:
    """Return a moment as the tables keep it: whole microseconds since 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """Return the moment that the tables keep as so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=value)


to_json = json.JSONEncoder(separators=(",", ":")).encode
"""Writes a JSON value as ASCII; `json.dumps` makes an encoder for each call."""


def storable(text: str | None) -> str | None:
    """Return a text, if there is one, without the NUL and the lone surrogates that no database takes."""
    return None if text is None else text.replace("\0", " ").encode("utf-8", "replace").decode()
