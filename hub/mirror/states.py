"""The facts that a mirror keeps of itself: the instance that it belongs to, and values under names."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select

from hub.mirror.engine.engine import Engine
from hub.mirror.engine.sql_tables import SqlTables


class States:
    """The statements of one mirror, within a transaction each."""

    def __init__(self, engine: Engine, tables: SqlTables) -> None:
        self._engine = engine
        self._tables = tables

    def keep(self, connection: Connection, name: str, value: Any) -> None:
        """Keep a JSON value under a name; None forgets it."""
        table = self._tables.states
        if value is None:
            connection.execute(delete(table).where(table.c.name == name))
            return
        insert = self._engine.insert(table)
        statement = self._engine.or_replace(insert, {"value": self._engine.incoming(insert).value})
        connection.execute(statement, {"name": name, "value": value})

    def claim(self, connection: Connection, instance_id: str) -> str:
        """Return the instance that the mirror belongs to, which is this one where it had none."""
        table = self._tables.instance
        insert = self._engine.insert(table)
        keeps = self._engine.or_replace(insert, {"instance_id": table.c.instance_id})
        connection.execute(keeps, {"only": 1, "instance_id": instance_id})
        owner: str = connection.execute(select(table.c.instance_id)).scalar_one()
        return owner
