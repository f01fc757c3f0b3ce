"""What is changed: many rows by each statement, which are written once for each set of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Table

from hub.store.engine.statements import DIALECTS, Convert, Statement, conversion

Row = Mapping[str, Any]

ROWS_AT_ONCE = 100
"""So many rows at most go into one statement: SQLite takes 32,766 parameters."""


@dataclass(frozen=True, kw_only=True)
class Insert:
    """New rows of a table, all with the same columns.

    What is there already under the same `key` is left alone, or with `replaces` overwritten. It may be
    asked: `returns` is what the answer has of each row that was inserted.
    """

    table: Table
    rows: Sequence[Row]
    key: tuple[str, ...] = ()
    replaces: bool = False
    returns: str | None = None

    def parts(self) -> Iterator[Insert]:
        """With as many rows each as one statement takes."""
        for first in range(0, len(self.rows), ROWS_AT_ONCE):
            yield replace(self, rows=self.rows[first : first + ROWS_AT_ONCE])

    def statement(self, dialect: Dialect) -> Statement:
        names = tuple(self.rows[0])
        values = _values(self.table, names, self.rows, dialect)
        if dialect.name == "postgresql":
            source, parameters = _source(self.table, names, values)
        else:
            source = _rows_of_values(len(values), len(names))
            parameters = tuple(value for each in values for value in each)
        sql = _insert(self.table, names, source, self.key, self.replaces, self.returns)
        converts = [conversion(self.table.c[self.returns], "process_result_value")] if self.returns else []
        return Statement(sql=sql, parameters=parameters, converts=converts)


@dataclass(frozen=True, kw_only=True)
class Update:
    """One row of a table changed for each given, found by the first `keys` of its columns.

    All have the same columns; in those that `keeps` names, None leaves what is there. Lock rows before, in
    one order, where somebody else may change them too.
    """

    table: Table
    rows: Sequence[Row]
    keys: int = 1
    keeps: tuple[str, ...] = ()

    def parts(self) -> Iterator[Update]:
        """One statement takes them all, if there are any."""
        if self.rows:
            yield self

    def statement(self, dialect: Dialect) -> Statement:
        names = tuple(self.rows[0])
        values = _values(self.table, names, self.rows, dialect)
        if dialect.name == "postgresql":
            source, parameters = _source(self.table, names, values)
            sql = _update_from(self.table, names, source, self.keys, self.keeps)
            return Statement(sql=sql, parameters=parameters)
        sql = _update_one(self.table, names, self.keys, self.keeps)
        return Statement(
            sql=sql, parameters=[row[self.keys :] + row[: self.keys] for row in values], is_many=True
        )


@dataclass(frozen=True, kw_only=True)
class InsertWith:
    """Rows, and what belongs to those of them that were not known, in one statement; for PostgreSQL.

    Its answer is the id of each new row. `belongs` is the column of the `others` that has such an id, and in
    their columns `at` is the time there. `notifies` is a channel that hears of it, and what it hears.
    """

    new: Insert
    others: Insert
    belongs: str
    at: tuple[str, ...]
    notifies: tuple[str, str] | None = None

    def statement(self, dialect: Dialect) -> Statement:
        new = self.new.statement(dialect)
        answers = ["id"]
        answers += ["pg_notify(%s, %s)"] if self.notifies else []
        parts, parameters = [f"new AS ({new.sql})"], new.parameters
        if self.others.rows:
            names = tuple(self.others.rows[0])
            values = _values(self.others.table, names, self.others.rows, dialect)
            source, theirs = _source(self.others.table, names, values)
            parts.append(f"others AS ({_insert_at(self.others.table, names, self.at, source, self.belongs)})")
            parameters += theirs
        parameters += self.notifies or ()
        sql = f"WITH {', '.join(parts)} SELECT {', '.join(answers)} FROM new"  # noqa: S608 - names of ours
        return Statement(sql=sql, parameters=parameters, converts=[None] * len(answers))


def _values(
    table: Table, names: tuple[str, ...], rows: Sequence[Row], dialect: Dialect
) -> list[tuple[Any, ...]]:
    converts = _binds(table, names)
    return [
        tuple([convert(row[name], dialect) if convert else row[name] for name, convert in converts])
        for row in rows
    ]


@lru_cache(maxsize=32)
def _binds(table: Table, names: tuple[str, ...]) -> list[tuple[str, Convert | None]]:
    return [(name, conversion(table.c[name], "process_bind_param")) for name in names]


@lru_cache(maxsize=256)
def _rows_of_values(count: int, width: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"VALUES {','.join([row] * count)}"


def _source(
    table: Table, names: tuple[str, ...], values: Sequence[tuple[Any, ...]]
) -> tuple[str, tuple[Any, ...]]:
    """Rows for PostgreSQL, with their parameters: one row as it is, any number of others as arrays.

    So there are two statements to plan, and the more common one is the fast one.
    """
    if len(values) == 1:
        return _one_row(table, names), values[0]
    return _rows_of_arrays(table, names), tuple(map(_array, zip(*values, strict=True)))


def _array(values: Sequence[Any]) -> str:
    """An array as PostgreSQL reads it: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO.

    psycopg takes many times as long, for it asks of each value how it is written.
    """
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: str | bytes | float | None) -> str:
    """Truth values are numbers to Python, and words that PostgreSQL reads."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bytes):
        return '"\\\\x' + value.hex() + '"'
    return "NULL" if value is None else str(value)


@lru_cache(maxsize=32)
def _one_row(table: Table, names: tuple[str, ...]) -> str:
    return f"SELECT {','.join(f'%s::{type_} AS {name}' for name, type_ in _typed(table, names))}"


@lru_cache(maxsize=32)
def _rows_of_arrays(table: Table, names: tuple[str, ...]) -> str:
    arrays = ",".join(f"%s::{type_}[]" for _, type_ in _typed(table, names))
    return f"SELECT * FROM unnest({arrays}) AS rows({','.join(names)})"  # noqa: S608 - names of ours


def _typed(table: Table, names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, table.c[name].type.compile(DIALECTS["postgresql"])) for name in names]


@lru_cache(maxsize=256)
def _insert(
    table: Table,
    names: tuple[str, ...],
    source: str,
    key: tuple[str, ...],
    replaces: bool,
    returns: str | None,
) -> str:
    words = [f"INSERT INTO {table.name} ({','.join(names)}) {source}"]
    if key:
        changes = ",".join(f"{name}=excluded.{name}" for name in names if name not in key)
        words.append(f"ON CONFLICT ({','.join(key)}) DO {f'UPDATE SET {changes}' if replaces else 'NOTHING'}")
    if returns:
        words.append(f"RETURNING {returns}")
    return " ".join(words)


@lru_cache(maxsize=16)
def _insert_at(table: Table, names: tuple[str, ...], at: tuple[str, ...], source: str, belongs: str) -> str:
    now = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now"
    return (
        f"INSERT INTO {table.name} ({','.join((*names, *at))}) "  # noqa: S608 - names of ours
        f"SELECT each.*{',clock.now' * len(at)} FROM ({source}) AS each, ({now}) AS clock "
        f"WHERE each.{belongs} IN (SELECT id FROM new)"
    )


@lru_cache(maxsize=16)
def _update_one(table: Table, names: tuple[str, ...], keys: int, keeps: tuple[str, ...]) -> str:
    changes = ",".join(f"{n}=COALESCE(?,{n})" if n in keeps else f"{n}=?" for n in names[keys:])
    return f"UPDATE {table.name} SET {changes} WHERE {' AND '.join(f'{n}=?' for n in names[:keys])}"  # noqa: S608 - names of ours


@lru_cache(maxsize=16)
def _update_from(table: Table, names: tuple[str, ...], source: str, keys: int, keeps: tuple[str, ...]) -> str:
    mine = table.name
    changes = ",".join(
        f"{n}=COALESCE(new.{n},{mine}.{n})" if n in keeps else f"{n}=new.{n}" for n in names[keys:]
    )
    found = " AND ".join(f"{mine}.{n}=new.{n}" for n in names[:keys])
    return (
        f"UPDATE {mine} SET {changes} "  # noqa: S608 - names of ours
        f"FROM ({source}) AS new WHERE {found}"
    )
