"""Statements that read a mirror's tables, for those who compare them and show them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, true

from hub.mirror import tables as catalog
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sql_tables import SqlTables

_IDS_AT_ONCE = 500


class Reads:
    """The reads of one mirror. Values are as in a change; `raw` is left out."""

    def __init__(self, engine: Engine, tables: SqlTables) -> None:
        self._engine = engine
        self._tables = tables

    def live_within(self, name: str, after: int | None, until: int | None) -> list[dict[str, Any]]:
        """Do as `Mirror.live`."""
        table = self._tables.mirrored[name]
        created_at = table.c.created_at
        is_within: ColumnElement[bool] = true()
        if after is not None:
            is_within &= created_at > after
        is_within = (
            or_(is_within, created_at.is_(None)) if until is None else is_within & (created_at <= until)
        )
        columns = ("id", *(parent.column for parent in catalog.tables()[name].parents))
        query = select(*(table.c[column] for column in columns))
        return self._read(query.where(table.c.deleted_at.is_(None), is_within))

    def by_ids(self, name: str, column: str, ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return the rows that have one of these ids in a column, by their keys."""
        table = self._tables.mirrored[name]
        columns = [one for one in table.columns if one.name != "raw"]
        query = select(*columns).order_by(*table.primary_key.columns)
        return [
            row
            for some in _batches(sorted(set(ids)))
            for row in self._read(query.where(table.c[column].in_(some)))
        ]

    def strays(self, name: str, owners: str) -> set[str]:
        """Return the owners whose own row is not there, or deleted, and that a set has rows of."""
        table, owner = self._tables.mirrored[name], self._tables.mirrored[owners]
        has_owner = select(owner.c.id).where(owner.c.id == table.c.user_id, owner.c.deleted_at.is_(None))
        query = select(table.c.user_id).distinct().where(~has_owner.exists())
        return {row["user_id"] for row in self._read(query)}

    def tombstones(self, name: str, ids: Iterable[str]) -> dict[str, int]:
        """Return the times of deletions by the ids of those objects that were deleted."""
        table = self._tables.tombstones
        return {
            row["id"]: row["deleted_at"]
            for some in _batches(sorted(set(ids)))
            for row in self._read(select(table).where(table.c.kind == name, table.c.id.in_(some)))
        }

    def count(self, name: str) -> int:
        """Return how many rows are not deleted."""
        table = self._tables.mirrored[name]
        query = select(func.count()).select_from(table).where(table.c.deleted_at.is_(None))
        return self._engine.read(lambda connection: connection.execute(query).scalar_one())

    def newest(self, name: str) -> int | None:
        """Return when a row was last written."""
        query = select(func.max(self._tables.mirrored[name].c["_synced_at"]))
        newest: int | None = self._engine.read(lambda connection: connection.execute(query).scalar_one())
        return newest

    def state(self, name: str) -> Any:
        """Return what is kept under a name; None where nothing is."""
        table = self._tables.states
        query = select(table.c.value).where(table.c.name == name)
        return self._engine.read(lambda connection: connection.execute(query).scalar())

    def _read(self, query: Select[Any]) -> list[dict[str, Any]]:
        def work(connection: Connection) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(query).mappings()]

        return self._engine.read(work)


def _batches(ids: Sequence[str]) -> Iterable[Collection[str]]:
    return (ids[start : start + _IDS_AT_ONCE] for start in range(0, len(ids), _IDS_AT_ONCE))
