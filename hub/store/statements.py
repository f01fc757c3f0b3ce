"""Statements of the hot path: compiled once and run by the driver itself, many rows by each.

SQLAlchemy takes longer to run a statement than the database does. Here it only writes the SQL, and what is
kept under its types is converted on the way in and out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Dialect, Select, SelectBase, Table
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


class Query:
    """A SELECT with named values; `locks` says how its rows are locked where rows are locked one by one."""

    def __init__(self, statement: SelectBase, locks: Mapping[str, Any] | None = None) -> None:
        self._statement = statement
        self._locks = locks
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}
        self._converts = [_convert(column, "process_result_value") for column in statement.selected_columns]

    def rows(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """All rows, their values as the tables' types have them. Lists are for `AnyOf`."""
        sql, fixed = self.compiled(connection.dialect.name)
        if connection.dialect.name == "sqlite":
            values = {name: json.dumps(v) if isinstance(v, list) else v for name, v in values.items()}
        found = connection.exec_driver_sql(sql, {**fixed, **values})
        return [self._converted(row, connection.dialect) for row in found]

    def compiled(self, dialect: str) -> tuple[str, dict[str, Any]]:
        """The SQL, and the values that are part of the statement."""
        if dialect not in self._compiled:
            statement = self._statement
            if dialect == "postgresql" and self._locks is not None and isinstance(statement, Select):
                statement = statement.with_for_update(**self._locks)
            compiled = statement.compile(dialect=_DIALECTS[dialect])
            self._compiled[dialect] = (compiled.string, dict(compiled.params))
        return self._compiled[dialect]

    def _converted(self, row: Sequence[Any], dialect: Dialect) -> tuple[Any, ...]:
        return tuple(
            [
                convert(value, dialect) if convert else value
                for value, convert in zip(row, self._converts, strict=True)
            ]
        )


@dataclass(frozen=True, kw_only=True)
class Insert:
    """New rows of a table, all with the same columns; with `unless_known` only those that are not there."""

    table: Table
    rows: Sequence[Row]
    unless_known: bool = False


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


def insert(connection: Connection, table: Table, rows: Sequence[Row], *, unless_known: bool = False) -> int:
    """Insert any number of rows; returns how many were."""
    inserted = 0
    for first in range(0, len(rows), ROWS_AT_ONCE):
        part = Insert(table=table, rows=rows[first : first + ROWS_AT_ONCE], unless_known=unless_known)
        sql, parameters = _statement(part, connection.dialect)
        inserted += connection.exec_driver_sql(sql, parameters).rowcount
    return inserted


def write(connection: Connection, *changes: Insert | Update) -> None:
    """Make changes, each of another table and of at most a hundred rows.

    PostgreSQL takes them in one statement: there the way to it costs more than the work.
    """
    made = [_statement(change, connection.dialect) for change in changes if change.rows]
    if connection.dialect.name != "postgresql":
        for sql, parameters in made:
            connection.exec_driver_sql(sql, parameters)
    elif made:
        parts = [f"change{number} AS ({sql})" for number, (sql, _) in enumerate(made)]
        together = tuple(value for _, parameters in made for value in parameters)
        connection.exec_driver_sql(f"WITH {','.join(parts)} SELECT 1", together)


def _statement(change: Insert | Update, dialect: Dialect) -> tuple[str, Any]:
    """The SQL of a change and its parameters; a list of them runs it for each."""
    names = tuple(change.rows[0])
    values = _values(change.table, names, change.rows, dialect)
    if dialect.name == "postgresql":
        arrays = tuple(map(list, zip(*values, strict=True)))
        if isinstance(change, Insert):
            return _insert_arrays(change.table, names, change.unless_known), arrays
        return _update_arrays(change.table, names, change.keys, change.keeps), arrays
    if isinstance(change, Insert):
        sql = _insert_values(change.table, names, len(values), change.unless_known)
        return sql, tuple(value for row in values for value in row)
    sql = _update_one(change.table, names, change.keys, change.keeps)
    return sql, [row[change.keys :] + row[: change.keys] for row in values]


def _values(
    table: Table, names: Sequence[str], rows: Sequence[Row], dialect: Dialect
) -> list[tuple[Any, ...]]:
    converts = [(name, _convert(table.c[name], "process_bind_param")) for name in names]
    return [
        tuple([convert(row[name], dialect) if convert else row[name] for name, convert in converts])
        for row in rows
    ]


def _convert(column: ColumnElement[Any], way: str) -> Convert | None:
    """The conversion that a type of ours has; the driver takes and gives all others as they are."""
    has_one = getattr(type(column.type), way, None) is not getattr(TypeDecorator, way)
    return getattr(column.type, way) if isinstance(column.type, TypeDecorator) and has_one else None


@lru_cache(maxsize=256)
def _insert_values(table: Table, names: tuple[str, ...], count: int, unless_known: bool) -> str:
    row = f"({','.join('?' * len(names))})"
    return f"{_into(table, names)} VALUES {','.join([row] * count)}{_unless_known(unless_known)}"


@lru_cache(maxsize=16)
def _insert_arrays(table: Table, names: tuple[str, ...], unless_known: bool) -> str:
    """One statement for any number of rows: PostgreSQL plans it in no time."""
    return f"{_into(table, names)} SELECT * FROM {_unnest(table, names)}{_unless_known(unless_known)}"  # noqa: S608 - names of ours


@lru_cache(maxsize=16)
def _update_one(table: Table, names: tuple[str, ...], keys: int, keeps: tuple[str, ...]) -> str:
    changes = ",".join(f"{n}=COALESCE(?,{n})" if n in keeps else f"{n}=?" for n in names[keys:])
    return f"UPDATE {table.name} SET {changes} WHERE {' AND '.join(f'{n}=?' for n in names[:keys])}"  # noqa: S608 - names of ours


@lru_cache(maxsize=16)
def _update_arrays(table: Table, names: tuple[str, ...], keys: int, keeps: tuple[str, ...]) -> str:
    mine = table.name
    changes = ",".join(
        f"{n}=COALESCE(new.{n},{mine}.{n})" if n in keeps else f"{n}=new.{n}" for n in names[keys:]
    )
    found = " AND ".join(f"{mine}.{n}=new.{n}" for n in names[:keys])
    return (
        f"UPDATE {mine} SET {changes} "  # noqa: S608 - names of ours
        f"FROM {_unnest(table, names)} AS new({','.join(names)}) WHERE {found}"
    )


def _unnest(table: Table, names: Sequence[str]) -> str:
    types = (table.c[name].type.compile(_DIALECTS["postgresql"]) for name in names)
    return f"unnest({','.join(f'%s::{type_}[]' for type_ in types)})"


def _into(table: Table, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table.name} ({','.join(names)})"


def _unless_known(unless_known: bool) -> str:
    return " ON CONFLICT (source, message_id) DO NOTHING" if unless_known else ""
