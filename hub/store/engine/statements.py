"""SQL for the hot path, to be run by the driver itself.

SQLAlchemy takes longer to run a statement than the database does. Here it only writes the SQL, and what is
kept under its types is converted on the way in and out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.types import TypeDecorator

Convert = Callable[[Any, Dialect], Any]

DIALECTS: Mapping[str, Dialect] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": PGDialect_psycopg(),  # type: ignore[no-untyped-call]
}


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


def conversion(column: ColumnElement[Any], way: str) -> Convert | None:
    """The conversion that a type of ours has; the driver takes and gives all others as they are."""
    has_one = getattr(type(column.type), way, None) is not getattr(TypeDecorator, way)
    return getattr(column.type, way) if isinstance(column.type, TypeDecorator) and has_one else None
