"""What is asked: a SELECT that is written once, with the values of one time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Dialect, Select, SelectBase
from sqlalchemy.ext.compiler import compiles

from hub.store.engine.statements import DIALECTS, Statement, conversion


class AnyOf(ColumnElement[bool]):
    """Whether a column is one of a list, which is passed as one value, a JSON array, however long it is."""

    inherit_cache = False

    def __init__(self, column: Column[str], name: str) -> None:
        self.column = column
        self.name = name


@compiles(AnyOf, "postgresql")
def _any_of_array(element: AnyOf, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.column, **options)
    # An array that the planner could look into is planned for each time, which takes longer than the rest.
    return f"{column} = ANY(ARRAY(SELECT jsonb_array_elements_text(%({element.name})s)))"


@compiles(AnyOf, "sqlite")
def _any_of_json(element: AnyOf, compiler: Any, **options: Any) -> str:
    column = compiler.process(element.column, **options)
    return f"{column} IN (SELECT value FROM json_each(:{element.name}))"  # noqa: S608 - names of ours


POSTGRES_NOW = "(extract(epoch FROM now()) * 1000000)::bigint"


class Now(ColumnElement[int]):
    """When the transaction began, as the tables keep times; SQLite has no such time and is given it."""

    inherit_cache = False
    type = BigInteger()


@compiles(Now, "postgresql")
def _now_there(element: Now, compiler: Any, **options: Any) -> str:
    return POSTGRES_NOW


@compiles(Now, "sqlite")
def _now_given(element: Now, compiler: Any, **options: Any) -> str:
    return ":now"


class Query:
    """A SELECT with named values; `locks` says how its rows are locked where rows are locked one by one."""

    def __init__(self, statement: SelectBase, locks: Mapping[str, Any] | None = None) -> None:
        self._statement = statement
        self._locks = locks
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}
        self._converts = [conversion(column, "process_result_value") for column in statement.selected_columns]

    def __call__(self, **values: Any) -> Question:
        """With its values; lists are for `AnyOf`."""
        return Question(query=self, values=values)

    def statement(self, values: Mapping[str, Any], dialect: Dialect) -> Statement:
        sql, fixed = self.compiled(dialect.name)
        values = {name: json.dumps(v) if isinstance(v, list) else v for name, v in values.items()}
        return Statement(sql=sql, parameters={**fixed, **values}, converts=self._converts)

    def compiled(self, dialect: str) -> tuple[str, dict[str, Any]]:
        """The SQL, and the values that are part of the statement."""
        if dialect not in self._compiled:
            statement = self._statement
            if dialect == "postgresql" and self._locks is not None and isinstance(statement, Select):
                statement = statement.with_for_update(**self._locks)
            compiled = statement.compile(dialect=DIALECTS[dialect])
            self._compiled[dialect] = (compiled.string, dict(compiled.params))
        return self._compiled[dialect]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A query with its values."""

    query: Query
    values: Mapping[str, Any]

    def statement(self, dialect: Dialect) -> Statement:
        return self.query.statement(self.values, dialect)
