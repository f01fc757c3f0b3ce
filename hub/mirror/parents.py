"""The parents of rows that were cleared: a deletion of theirs that comes later may have been earlier."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, false, select

from hub.mirror import tables as catalog
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sql_tables import SqlTables
from hub.mirror.sets import execute
from hub.mirror.tables import Parent


class Parents:
    """The ids that cleared rows of one mirror hung on, kept beside them and within their transactions."""

    def __init__(self, engine: Engine, tables: SqlTables) -> None:
        self._tables = tables
        insert = engine.insert(tables.parents)
        kind = engine.incoming(insert).kind
        self._insert = engine.or_replace(insert, {"kind": kind}, where=false())

    def keep(self, connection: Connection, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Keep the parents that rows of a table name, by their columns."""
        parents = [
            {"kind": _kind(name, parent), "parent": str(row[parent.column]), "id": row["id"]}
            for row in rows
            for parent in catalog.tables()[name].parents
            if row.get(parent.column)
        ]
        if parents:
            execute(connection, self._insert, sorted(parents, key=lambda one: tuple(one.values())))

    def keep_of(self, connection: Connection, name: str, ids: Iterable[str]) -> None:
        """Keep the parents of rows that are there and locked."""
        table = self._tables.mirrored[name]
        columns = [table.c[parent.column] for parent in catalog.tables()[name].parents]
        if columns:
            query = select(table.c.id, *columns).where(table.c.id.in_(ids))
            self.keep(connection, name, [dict(row) for row in connection.execute(query).mappings()])

    def had(self, name: str, parent: Parent, parent_id: str) -> ColumnElement[bool]:
        """Return the condition of the cleared rows of a table that hung on this parent."""
        parents = self._tables.parents
        is_it = (parents.c.kind == _kind(name, parent), parents.c.parent == parent_id)
        table = self._tables.mirrored[name]
        return table.c.id.in_(select(parents.c.id).where(*is_it)) & table.c.deleted_at.is_not(None)


def _kind(name: str, parent: Parent) -> str:
    return f"{name}.{parent.column}"
