"""Sets of rows that belong to a row of another table, such as a user's addresses: its row is their lock."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, literal, select, union_all

from hub.mirror.changes import Change
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sql_tables import SqlTables


class Sets:
    """The statements of one mirror's sets, to be run by whoever has written the owner's row before."""

    def __init__(self, engine: Engine, tables: SqlTables) -> None:
        self._engine = engine
        self._tables = tables
        self._upserts: dict[tuple[str, tuple[str, ...]], Any] = {}

    def write(self, connection: Connection, changes: Sequence[Change], old: Collection[str]) -> None:
        """Make each set what its owner's change says; only those of the `old` owners can have members yet."""
        names = sorted({name for change in changes for name in change.rows})
        owners = [change.id for change in changes if change.rows and change.id in old]
        present = self._members(connection, names, owners) if owners else {}
        for name in names:
            rows = {
                (change.id, str(row["id"])): {**row, "user_id": change.id}
                for change in changes
                for row in change.rows.get(name, ())
            }
            changed = {change.id for change in changes if name in change.rows}
            gone = {key for key in present.get(name, set()) - rows.keys() if key[0] in changed}
            table = self._tables.mirrored[name]
            self._write_one(connection, table, sorted(gone), [rows[key] for key in sorted(rows)])

    def delete(self, connection: Connection, owner: Change) -> None:
        """Delete all rows of an owner's sets."""
        for name in self._tables.sets_of(owner.table):
            table = self._tables.mirrored[name]
            connection.execute(delete(table).where(table.c.user_id == owner.id))

    def _members(
        self, connection: Connection, names: Sequence[str], owners: Sequence[str]
    ) -> dict[str, set[tuple[str, str]]]:
        """Return the keys of the rows that sets have of these owners, by the set's name."""
        tables = [(name, self._tables.mirrored[name]) for name in names]
        queries = [
            select(literal(name).label("name"), table.c.user_id, table.c.id).where(
                table.c.user_id.in_(owners)
            )
            for name, table in tables
        ]
        members: dict[str, set[tuple[str, str]]] = {}
        for row in connection.execute(union_all(*queries)):
            members.setdefault(row.name, set()).add((row.user_id, row.id))
        return members

    def _write_one(
        self, connection: Connection, table: Table, gone: Sequence[tuple[str, str]], rows: Sequence[Any]
    ) -> None:
        """Delete by key and write the rest, in the order of their keys: no gaps are locked."""
        if gone:
            is_it = (table.c.user_id == bindparam("owner"), table.c.id == bindparam("member"))
            keys = [{"owner": owner, "member": member} for owner, member in gone]
            execute(connection, delete(table).where(*is_it), keys)
        for names, alike in groupby(rows, key=tuple):
            execute(connection, self._upsert(table, names), list(alike))

    def _upsert(self, table: Table, names: tuple[str, ...]) -> Any:
        statement = self._upserts.get((table.name, names))
        if statement is None:
            insert = self._engine.insert(table)
            incoming = self._engine.incoming(insert)
            values = {name: incoming[name] for name in names if name not in table.primary_key.columns}
            statement = self._engine.or_replace(insert, values)
            self._upserts[table.name, names] = statement
        return statement


def execute(connection: Connection, statement: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    """Execute a statement with each of the rows; drivers do with one alone what takes them less."""
    connection.execute(statement, rows if len(rows) > 1 else rows[0])
