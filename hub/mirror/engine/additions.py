"""Additions to a database's tables: it is looked at first, and nothing is dropped, narrowed or renamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Inspector, Table, inspect
from sqlalchemy.schema import CreateIndex, CreateTable

from hub.mirror.engine.column_types import is_fit
from hub.mirror.engine.engine import Engine
from hub.mirror.tables import Kind


@dataclass(frozen=True, kw_only=True)
class Additions:
    """The statements that a database lacks, by the table that needs them, "" for its schema.

    `lacking` has likewise the names of what no row can be written without: the schema, the table, or columns
    of it; no indexes. `unfit` says of a table in one sentence why its values cannot be written, whatever is
    added; `refused` has the database's words where it let none of it be added.
    """

    statements: Mapping[str, Sequence[str]] = field(default_factory=dict)
    lacking: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def all(self) -> list[str]:
        """Return every statement, in the order in which they run."""
        return [statement for statements in self.statements.values() for statement in statements]


def missing(
    connection: Connection, engine: Engine, tables: Mapping[str, tuple[Table, Mapping[str, Kind]]]
) -> Additions:
    """Return what these tables lack, by their names; of those with kinds the types are compared."""
    inspector = inspect(connection)
    schema = next(iter(tables.values()))[0].schema
    statements: dict[str, list[str]] = {}
    if schema is not None and schema not in inspector.get_schema_names():
        statements[""] = [engine.create_schema(schema) or ""]
    present = set(inspector.get_table_names(schema=schema)) if not statements else set()
    unfit: dict[str, str] = {}
    lacking: dict[str, list[str]] = {name: [f"the schema {schema}"] for name in statements}
    for name, (table, kinds) in tables.items():
        if table.name not in present:
            statements[name] = _creation(table, engine)
            lacking[name] = [table.fullname]
            continue
        columns = {
            column["name"]: column["type"] for column in inspector.get_columns(table.name, schema=schema)
        }
        missing_columns = [column for column in table.columns if column.name not in columns]
        if missing_columns:
            lacking[name] = [f"{table.fullname}.{column.name}" for column in missing_columns]
        statements[name] = [_addition(column, engine) for column in missing_columns]
        statements[name] += _index_creations(inspector, table, engine)
        problem = _problem(inspector, table, kinds, columns, engine)
        if problem:
            unfit[name] = problem
    needed = {name: lines for name, lines in statements.items() if lines}
    return Additions(statements=needed, lacking=lacking, unfit=unfit)


def _creation(table: Table, engine: Engine) -> list[str]:
    return [
        _text(CreateTable(table), engine),
        *(
            _text(CreateIndex(index), engine)
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ),
    ]


def _index_creations(inspector: Inspector, table: Table, engine: Engine) -> list[str]:
    present = {index["name"] for index in inspector.get_indexes(table.name, schema=table.schema)}
    lacking = [index for index in table.indexes if index.name not in present]
    return [_text(CreateIndex(index), engine) for index in sorted(lacking, key=lambda index: str(index.name))]


def _addition(column: Column[Any], engine: Engine) -> str:
    dialect = engine.sql_dialect
    definition = dialect.ddl_compiler(dialect, None).get_column_specification(column)
    return f"ALTER TABLE {engine.quoted(column.table)} ADD COLUMN {definition}"


def _problem(
    inspector: Inspector,
    table: Table,
    kinds: Mapping[str, Kind],
    columns: Mapping[str, Any],
    engine: Engine,
) -> str | None:
    """Return a sentence about what keeps values from a table that is there; None where nothing does."""
    for name, kind in kinds.items():
        if name in columns and not is_fit(kind, columns[name], engine.name):
            type_name = columns[name].compile(dialect=engine.sql_dialect).lower()
            return f"{table.fullname}.{name} is {type_name}, which cannot hold {_CONTENT[kind]}"
    key = inspector.get_pk_constraint(table.name, schema=table.schema)["constrained_columns"]
    wanted = [column.name for column in table.primary_key.columns]
    if sorted(key) != sorted(wanted):
        return f"{table.fullname} is there with the key {_listed(key)}, and would need {_listed(wanted)}"
    if engine.updates_by_any_index:
        unique = [
            index["name"]
            for index in inspector.get_indexes(table.name, schema=table.schema)
            if index["unique"]
        ]
        if unique:
            return (
                f"{table.fullname} has the unique index {unique[0]}, by which rows would be taken for others"
            )
    return None


def _text(statement: Any, engine: Engine) -> str:
    return str(statement.compile(dialect=engine.sql_dialect)).strip()


def _listed(names: Sequence[str | None]) -> str:
    return f"({', '.join(map(str, names))})" if names else "of no column"


_CONTENT = {
    Kind.ID: "an id",
    Kind.TEXT: "a text",
    Kind.JSON: "JSON",
    Kind.TIME: "a moment to the millisecond",
    Kind.INTEGER: "a whole number of 64 bits",
    Kind.BOOLEAN: "yes or no",
}
