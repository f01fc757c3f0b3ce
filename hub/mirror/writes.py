"""Statements that change a mirror's rows, within one transaction each.

A row's columns and its `deleted_at` are written by statements that never touch the other's. Rows are written
in the order of their ids, each once, so that of two writers one waits for the other, and never both.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    update,
)

from hub.errors import About, Retry
from hub.mirror.changes import NO_VERSION, Change, Effect, Version, version_of
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sql_tables import VERSION, SqlTables
from hub.mirror.parents import Parents
from hub.mirror.sets import Sets, execute
from hub.mirror.tables import Parent

_LEAST: Mapping[str, str] = dict(zip(VERSION, ("0", "0", "''"), strict=True))
"""The same as SQL: a row that somebody else made may have none."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A row after a change was tried on it: the effect, and the time of its deletion, if it is deleted.

    `is_new` is True where nobody else can have written it before: an effect may say so wrongly.
    """

    effect: Effect
    deleted_at: int | None
    is_new: bool = False


class Writes:
    """The statements of one mirror, each made once. With `blanks` a deleted row keeps its id alone."""

    def __init__(self, engine: Engine, tables: SqlTables, parents: Parents, *, blanks: bool) -> None:
        self._engine = engine
        self._tables = tables
        self.blanks = blanks
        self._sets = Sets(engine, tables)
        self._parents = parents
        self._upserts: dict[tuple[str, tuple[str, ...]], Any] = {}

    def write_versions(self, connection: Connection, changes: Sequence[Change]) -> dict[str, Standing]:
        """Write the columns of changes where they are newer, and their sets; return each row's standing."""
        table = self._tables.mirrored[changes[0].table]
        standings = (
            self._write_one(connection, table, changes[0])
            if len(changes) == 1 and self._engine.returns_written
            else self._write_many(connection, table, changes)
        )
        alive = [change for change in changes if _has_sets_to_write(standings[change.id])]
        # What was there before may have members that are gone by now.
        old = {row_id for row_id, row in standings.items() if not row.is_new}
        self._sets.write(connection, alive, old)
        if self.blanks:
            for change in changes:
                if standings[change.id].deleted_at is not None:
                    self._keep_parents(connection, change)
        return standings

    def _keep_parents(self, connection: Connection, change: Change) -> None:
        """Keep the parents that a change names whose row takes them no more."""
        self._parents.keep(connection, change.table, [{**change.values, "id": change.id}])

    def _write_one(self, connection: Connection, table: Table, change: Change) -> dict[str, Standing]:
        """Write one in one round trip, where the statement returns the row that it wrote."""
        row = connection.execute(self._returning(table, change), _row(change)).one_or_none()
        if row is None:
            return self._standings(connection, table, [change], {change.id})
        effect = Effect.INSERTED if row.was_inserted else Effect.UPDATED
        standing = Standing(effect=effect, deleted_at=row.deleted_at, is_new=row.was_inserted)
        standings = {change.id: standing}
        if row.was_inserted and row.buried_at is not None:
            self._bury(connection, change.table, standings, {change.id: row.buried_at})
        return standings

    def _returning(self, table: Table, change: Change) -> Any:
        """Return the upsert with the standing of the row that it wrote, and its deletion before, if any."""
        key = (f"{table.name} returning", tuple(change.values))
        if key not in self._upserts:
            tombstones = self._tables.tombstones
            # Written out: an insert has no row of its table that a query within it could be correlated with.
            row_id: Any = literal_column(f"{self._engine.quoted(table)}.id")
            is_it = (tombstones.c.kind == change.table, tombstones.c.id == row_id)
            buried_at = select(tombstones.c.deleted_at).where(*is_it).scalar_subquery()
            was_inserted: Any = literal_column("xmax = 0").label("was_inserted")
            self._upserts[key] = self._upsert(table, key[1]).returning(
                was_inserted, table.c.deleted_at, buried_at.label("buried_at")
            )
        return self._upserts[key]

    def _bury(
        self,
        connection: Connection,
        name: str,
        standings: dict[str, Standing],
        deletions: Mapping[str, int],
    ) -> None:
        """Write the deletions that were kept of rows that are new."""
        for row_id, deleted_at in deletions.items():
            self.delete_row(connection, name, row_id, deleted_at)
            standings[row_id] = Standing(effect=Effect.INSERTED, deleted_at=deleted_at)

    def _write_many(
        self, connection: Connection, table: Table, changes: Sequence[Change]
    ) -> dict[str, Standing]:
        ids = [change.id for change in changes]
        present = set(connection.execute(select(table.c.id).where(table.c.id.in_(ids))).scalars())
        for names, alike in groupby(changes, key=lambda change: tuple(change.values)):
            execute(connection, self._upsert(table, names), [_row(change) for change in alike])
        standings = self._standings(connection, table, changes, present)
        new = [row_id for row_id, row in standings.items() if row.effect is Effect.INSERTED]
        if new:
            name = changes[0].table
            buried = self.tombstones(connection, {name: new}).get(name, {})
            self._bury(connection, name, standings, buried)
        return standings

    def _standings(
        self, connection: Connection, table: Table, changes: Sequence[Change], present: Collection[str]
    ) -> dict[str, Standing]:
        """Read who won: their rows are locked, and a count of rows does not tell it on every database."""
        versions = [table.c[name] for name in VERSION]
        ids = [change.id for change in changes]
        query = select(table.c.id, table.c.deleted_at, *versions).where(table.c.id.in_(ids))
        rows = {row.id: row for row in connection.execute(query)}
        return {change.id: _standing(table, change, rows.get(change.id), present) for change in changes}

    def _upsert(self, table: Table, names: tuple[str, ...]) -> Any:
        statement = self._upserts.get((table.name, names))
        if statement is None:
            statement = self._upserts[table.name, names] = self.make_upsert(table, names)
        return statement

    def make_upsert(self, table: Table, names: Sequence[str]) -> Any:
        """Return the statement that inserts a row, or replaces these columns where its version is newer."""
        insert = self._engine.insert(table)
        incoming = self._engine.incoming(insert)
        # PyMySQL sends many rows in one statement where nothing but those rows has parameters.
        stored = [func.coalesce(table.c[name], literal_column(least)) for name, least in _LEAST.items()]
        where = tuple_(*(incoming[name] for name in VERSION)) > tuple_(*stored)
        if self.blanks:
            where = where & table.c.deleted_at.is_(None)
        replaced = self.in_order([name for name in names if name not in table.primary_key.columns])
        return self._engine.or_replace(insert, {name: incoming[name] for name in replaced}, where)

    def in_order(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the columns that an upsert replaces in the order of their assignments.

        The version comes last, the least significant column first: MySQL assigns from left to right, and the
        condition of each column reads those that were assigned before it.
        """
        return (*names, "_synced_at", *reversed(VERSION))

    def delete(self, connection: Connection, change: Change) -> None:
        """Keep a deletion, also of an object that is not mirrored, and write it to the row, if it is."""
        assert change.deleted_at is not None
        tombstones = self._tables.tombstones
        connection.execute(
            self._or_earlier(self._engine.insert(tombstones), {}),
            {"kind": change.table, "id": change.id, "deleted_at": change.deleted_at},
        )
        if change.table in self._tables.mirrored:
            self.delete_row(connection, change.table, change.id, change.deleted_at)
            self._sets.delete(connection, change)
            if self.blanks:
                self._keep_parents(connection, change)

    def delete_row(self, connection: Connection, name: str, row_id: str, deleted_at: int) -> None:
        """Write the time of a deletion to a row, which is made where there is none; the earliest stays."""
        table = self._tables.mirrored[name]
        values = {"id": row_id, "deleted_at": deleted_at, **_version(NO_VERSION), "_synced_at": _now()}
        insert = self._engine.insert(table)
        synced_at = self._engine.incoming(insert)["_synced_at"]
        connection.execute(self._or_earlier(insert, {"_synced_at": synced_at}), values)
        self._blank(connection, name, [row_id])

    def _or_earlier(self, insert: Any, replaced: Mapping[str, Any]) -> Any:
        stored, incoming = insert.table.c.deleted_at, self._engine.incoming(insert).deleted_at
        earliest = self._engine.least(func.coalesce(stored, incoming, type_=stored.type), incoming)
        return self._engine.or_replace(insert, {**replaced, "deleted_at": earliest})

    def _blank(self, connection: Connection, name: str, ids: Collection[str]) -> None:
        """Clear deleted rows, which are locked, of all but their ids, and keep what they hung on.

        Changes nothing where deleted rows keep their columns.
        """
        if not self.blanks:
            return
        self._parents.keep_of(connection, name, ids)
        table = self._tables.mirrored[name]
        kept = {*table.primary_key.columns.keys(), "deleted_at", "_synced_at"}
        cleared = {column.name: None for column in table.columns if column.name not in kept}
        blanked = {**cleared, **_version(NO_VERSION)}
        connection.execute(update(table).where(table.c.id.in_(ids)).values(blanked))

    def tombstones(
        self, connection: Connection, ids: Mapping[str, Collection[str]]
    ) -> dict[str, dict[str, int]]:
        """Return the times of deletions by table and id, of those objects that were deleted."""
        table = self._tables.tombstones
        wanted = [
            (table.c.kind == kind) & table.c.id.in_(sorted(members))
            for kind, members in ids.items()
            if members
        ]
        deleted: dict[str, dict[str, int]] = {}
        if wanted:
            for row in connection.execute(select(table).where(or_(*wanted))):
                deleted.setdefault(row.kind, {})[row.id] = row.deleted_at
        return deleted

    def mark_earlier(self, connection: Connection, name: str, deletions: Mapping[str, int]) -> None:
        """Write the times at which rows were deleted with their parents; the earliest stays."""
        table = self._tables.mirrored[name]
        for row_id in sorted(deletions):
            at = deletions[row_id]
            is_later = or_(table.c.deleted_at.is_(None), table.c.deleted_at > at)
            connection.execute(
                update(table)
                .where(table.c.id == row_id, is_later)
                .values({"deleted_at": at, "_synced_at": _now()})
            )
        self._blank(connection, name, sorted(deletions))

    def hanging_on(self, name: str, parent: Parent, parent_id: str) -> list[ColumnElement[bool]]:
        """Return the conditions of rows that name a parent, and of cleared ones that did."""
        named = self._tables.mirrored[name].c[parent.column] == parent_id
        return [named, self._parents.had(name, parent, parent_id)] if self.blanks else [named]

    def mark_children(
        self, connection: Connection, name: str, is_child: ColumnElement[bool], deleted_at: int, limit: int
    ) -> bool:
        """Mark so many rows that hang on a deleted parent at most; True where there may be more."""
        table = self._tables.mirrored[name]
        is_later = or_(table.c.deleted_at.is_(None), table.c.deleted_at > deleted_at)
        query = select(table.c.id).where(is_child, is_later).order_by(table.c.id)
        ids = connection.execute(query.limit(limit).with_for_update()).scalars().all()
        if ids:
            marked = {"deleted_at": deleted_at, "_synced_at": _now()}
            connection.execute(update(table).where(table.c.id.in_(ids)).values(marked))
            self._blank(connection, name, ids)
        return len(ids) == limit

    def revive(self, connection: Connection, name: str, row_id: str, seen_at: int) -> None:
        """Forget the deletion of an object that was seen alive then; a later one stays."""
        tombstones, table = self._tables.tombstones, self._tables.mirrored[name]
        is_it = (tombstones.c.kind == name, tombstones.c.id == row_id, tombstones.c.deleted_at < seen_at)
        connection.execute(delete(tombstones).where(*is_it))
        is_earlier = (table.c.id == row_id, table.c.deleted_at < seen_at)
        connection.execute(update(table).where(*is_earlier).values(deleted_at=None, _synced_at=_now()))


def _has_sets_to_write(standing: Standing) -> bool:
    return standing.effect is not Effect.KEPT and standing.deleted_at is None


def _standing(table: Table, change: Change, row: Any, present: Collection[str]) -> Standing:
    if row is None:
        raise Retry(f"a unique index of {table.fullname} takes the row for another", about=About.MESSAGE)
    is_mine = tuple(row[2:]) == tuple(_version(version_of(change)).values())
    mine = Effect.UPDATED if change.id in present else Effect.INSERTED
    return Standing(effect=mine if is_mine else Effect.KEPT, deleted_at=row.deleted_at)


def _row(change: Change) -> dict[str, Any]:
    return {**change.values, "id": change.id, **_version(version_of(change)), "_synced_at": _now()}


def _version(version: Version) -> dict[str, Any]:
    return dict(zip(VERSION, (version.updated_at, version.seen_at, version.event_id), strict=True))


def _now() -> int:
    return time.time_ns() // 1_000_000
