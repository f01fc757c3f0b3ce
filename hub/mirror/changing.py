"""Changes of rows in two transactions: first an object's own row, then that which hangs on a deleted parent.

Whichever of a parent's deletion and a child's event commits first, the other's second transaction sees it. In
one transaction each, neither would see the other, or both would wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from hub.mirror import tables as catalog
from hub.mirror.changes import Change, Effect, merged
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sql_tables import SqlTables
from hub.mirror.states import States
from hub.mirror.writes import Writes

_MARKED_AT_ONCE = 500


class Changing:
    """The ways in which one mirror's rows change."""

    def __init__(self, engine: Engine, tables: SqlTables, writes: Writes) -> None:
        self._engine = engine
        self._tables = tables
        self._writes = writes
        self._states = States(engine, tables)

    def apply(self, changes: Sequence[Change], state: Mapping[str, Any], *, keep: bool) -> list[Effect]:
        """Write changes of one table, and what is to be kept with them; return the effect of each."""
        newest = merged(changes)
        effects = self._engine.run(
            lambda connection: self._write(connection, newest), keep=keep, written=_columns(newest)
        )
        if keep:
            self._mark(newest)
            self.keep_state(state)
        written = {change.id: change.version for change in newest}
        return [
            effects[change.id] if change.version in (None, written[change.id]) else Effect.KEPT
            for change in changes
        ]

    def revive(self, change: Change) -> Effect:
        """Write an object that was seen alive, and forget its deletion, unless that came later."""
        assert change.version is not None
        seen_at = change.version.seen_at

        def work(connection: Connection) -> Effect:
            self._writes.revive(connection, change.table, change.id, seen_at)
            return self._write(connection, [change])[change.id]

        return self._engine.run(work, written=_columns([change]))

    def keep_state(self, state: Mapping[str, Any]) -> None:
        """Keep JSON values under their names."""

        def work(connection: Connection) -> None:
            for name, value in state.items():
                self._states.keep(connection, name, value)

        if state:
            self._engine.run(work)

    def claim(self, instance_id: str) -> str:
        """Return the instance that the mirror belongs to, which is this one where it had none."""
        return self._engine.run(lambda connection: self._states.claim(connection, instance_id))

    def _write(self, connection: Connection, changes: Sequence[Change]) -> dict[str, Effect]:
        versions = [change for change in changes if self._takes_columns(change)]
        standings = self._writes.write_versions(connection, versions) if versions else {}
        effects = {row_id: standing.effect for row_id, standing in standings.items()}
        for change in changes:
            if change.deleted_at is not None:
                self._writes.delete(connection, change)
                effects[change.id] = Effect.DELETED
        return {change.id: effects.get(change.id, Effect.KEPT) for change in changes}

    def _takes_columns(self, change: Change) -> bool:
        is_deleted = change.deleted_at is not None and self._writes.blanks
        return change.version is not None and change.table in self._tables.mirrored and not is_deleted

    def _mark(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.deleted_at is not None:
                self._mark_children(change, change.deleted_at)
        self._mark_by_parents(changes)

    def _mark_children(self, change: Change, deleted_at: int) -> None:
        """Mark what hangs on a deleted object, in transactions of so many rows."""
        hanging = [
            (name, is_child)
            for name in self._tables.mirrored
            for parent in catalog.tables()[name].parents
            if parent.table == change.table
            for is_child in self._writes.hanging_on(name, parent, change.id)
        ]
        for name, is_child in hanging:
            while self._engine.run(
                lambda connection, name=name, is_child=is_child: self._writes.mark_children(  # type: ignore[misc]
                    connection, name, is_child, deleted_at, _MARKED_AT_ONCE
                )
            ):
                pass

    def _mark_by_parents(self, changes: Sequence[Change]) -> None:
        """Mark what hangs on objects that were deleted before."""
        parents = {
            change.id: {
                (parent.table, str(change.values[parent.column]))
                for parent in catalog.tables()[change.table].parents
                if change.values.get(parent.column)
            }
            for change in changes
            if change.table in self._tables.mirrored
        }
        wanted: dict[str, set[str]] = {}
        for table, parent_id in {pair for pairs in parents.values() for pair in pairs}:
            wanted.setdefault(table, set()).add(parent_id)
        if not wanted:
            return
        deleted = self._engine.read(lambda connection: self._writes.tombstones(connection, wanted))
        deletions = {
            row_id: min(times)
            for row_id, pairs in parents.items()
            if (times := [deleted[table][key] for table, key in pairs if key in deleted.get(table, {})])
        }
        if deletions:
            name = changes[0].table
            self._engine.run(lambda connection: self._writes.mark_earlier(connection, name, deletions))


def _columns(changes: Sequence[Change]) -> set[str]:
    return {name for change in changes for name in change.values}
