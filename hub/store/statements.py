"""Statements of the hot path: written once, to be run by the driver itself, many rows by each.

SQLAlchemy takes longer to run a statement than the database does. Here it only writes the SQL, and what is
kept under its types is converted on the way in and out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Dialect, Select, SelectBase, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeDecorator

Row = Mapping[str, Any]
Convert = Callable[[Any, Dialect], Any]

ROWS_AT_ONCE = 100
"""So many rows at most go into one statement: SQLite takes 32,766 parameters."""

_DIALECTS: Mapping[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": PGDialect_psycopg(),  # type: ignore[no-untyped-call]
}


class AnyOf(ColumnElement[bool]):
    """Whether a column is one of a list, which is passed as one value however long it is."""

    inherit_cache = False

    def __init__(self, column: Column[str], name: str) -> None:
        self.column = column
        self.name = name


@compiles(AnyOf, "postgresql")
def _any_of_array(element: AnyOf, compiler: Any, **options: Any) -> str:
    return f"{compiler.process(element.column, **options)} = ANY(%({element.name})s)"


@compiles(AnyOf, "sqlite")
def _any_of_json(element: AnyOf, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.column, **options)
    return f"{column} IN (SELECT value FROM json_each(:{element.name}))"  # noqa: S608 - names of ours


@dataclass(frozen=True, kw_only=True)
class Statement:
    """SQL for a driver; with `is_many` the parameters are a list to run it with, one after the other.

    `converts` are what its answer's columns need, none where there is no answer.
    """

    sql: str
    parameters: Any = None
    is_many: bool = False
    converts: Sequence[Convert | None] = ()

    def converted(self, rows: Iterable[Sequence[Any]], dialect: Dialect) -> list[tuple[Any, ...]]:
        """The answer, its values as the tables' types have them."""
        return [
            tuple(
                [
                    convert(value, dialect) if convert else value
                    for value, convert in zip(row, self.converts, strict=True)
                ]
            )
            for row in rows
        ]


class Query:
    """A SELECT with named values; `locks` says how its rows are locked where rows are locked one by one."""

    def __init__(self, statement: SelectBase, locks: Mapping[str, Any] | None = None) -> None:
        self._statement = statement
        self._locks = locks
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}
        self._converts = [_convert(column, "process_result_value") for column in statement.selected_columns]

    def __call__(self, **values: Any) -> Question:
        """With its values; lists are for `AnyOf`."""
        return Question(query=self, values=values)

    def statement(self, values: Mapping[str, Any], dialect: Dialect) -> Statement:
        sql, fixed = self.compiled(dialect.name)
        if dialect.name == "sqlite":
            values = {name: json.dumps(v) if isinstance(v, list) else v for name, v in values.items()}
        return Statement(sql=sql, parameters={**fixed, **values}, converts=self._converts)

    def compiled(self, dialect: str) -> tuple[str, dict[str, Any]]:
        """The SQL, and the values that are part of the statement."""
        if dialect not in self._compiled:
            statement = self._statement
            if dialect == "postgresql" and self._locks is not None and isinstance(statement, Select):
                statement = statement.with_for_update(**self._locks)
            compiled = statement.compile(dialect=_DIALECTS[dialect])
            self._compiled[dialect] = (compiled.string, dict(compiled.params))
        return self._compiled[dialect]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A query with its values."""

    query: Query
    values: Mapping[str, Any]

    def statement(self, dialect: Dialect) -> Statement:
        return self.query.statement(self.values, dialect)


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
        converts = [_convert(self.table.c[self.returns], "process_result_value")] if self.returns else []
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
    their columns `at` is the time there. `notifies` is a channel that hears of it.
    """

    new: Insert
    others: Insert
    belongs: str
    at: tuple[str, ...]
    notifies: str | None = None

    def statement(self, dialect: Dialect) -> Statement:
        new = self.new.statement(dialect)
        answers = ["id"]
        answers += [f"pg_notify('{self.notifies}', '')"] if self.notifies else []
        parts, parameters = [f"new AS ({new.sql})"], new.parameters
        if self.others.rows:
            names = tuple(self.others.rows[0])
            values = _values(self.others.table, names, self.others.rows, dialect)
            source, theirs = _source(self.others.table, names, values)
            parts.append(f"others AS ({_insert_at(self.others.table, names, self.at, source, self.belongs)})")
            parameters += theirs
        sql = f"WITH {', '.join(parts)} SELECT {', '.join(answers)} FROM new"  # noqa: S608 - names of ours
        return Statement(sql=sql, parameters=parameters, converts=[None] * len(answers))


Asked: TypeAlias = Question | Insert | InsertWith
Change: TypeAlias = Insert | Update


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
    return [(name, _convert(table.c[name], "process_bind_param")) for name in names]


def _convert(column: ColumnElement[Any], way: str) -> Convert | None:
    """The conversion that a type of ours has; the driver takes and gives all others as they are."""
    has_one = getattr(type(column.type), way, None) is not getattr(TypeDecorator, way)
    return getattr(column.type, way) if isinstance(column.type, TypeDecorator) and has_one else None


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
    return _rows_of_arrays(table, names), tuple(map(list, zip(*values, strict=True)))


@lru_cache(maxsize=32)
def _one_row(table: Table, names: tuple[str, ...]) -> str:
    return f"SELECT {','.join(f'%s::{type_} AS {name}' for name, type_ in _typed(table, names))}"


@lru_cache(maxsize=32)
def _rows_of_arrays(table: Table, names: tuple[str, ...]) -> str:
    arrays = ",".join(f"%s::{type_}[]" for _, type_ in _typed(table, names))
    return f"SELECT * FROM unnest({arrays}) AS rows({','.join(names)})"  # noqa: S608 - names of ours


def _typed(table: Table, names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, table.c[name].type.compile(_DIALECTS["postgresql"])) for name in names]


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
