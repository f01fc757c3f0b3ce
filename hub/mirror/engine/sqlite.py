"""A mirror in one SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.schema import Table

from hub.mirror.engine.engine import Engine
from hub.transport.deadline import current_deadline


class SqliteEngine(Engine):
    """A file, made where there is none. One transaction at a time: several at once write no faster."""

    dialect = "sqlite"
    writes_at_once = 1

    def __init__(self, path: Path, connections: int) -> None:
        self.path = path
        super().__init__(connections)

    def insert(self, table: Table) -> Any:
        return sqlite.insert(table)

    def incoming(self, insert: Any) -> Any:
        return insert.excluded

    def or_replace(self, insert: Any, values: Any, where: ColumnElement[bool] | None = None) -> Any:
        key = insert.table.primary_key.columns
        return insert.on_conflict_do_update(index_elements=list(key), set_=values, where=where)

    def least(self, one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.min(one, other, type_=one.type)

    def create_schema(self, name: str) -> str | None:
        return None

    def lock_for_changes(self, connection: Connection, name: str) -> None:
        """Change nothing: the transaction is the lock."""

    def unlock_after_changes(self, connection: Connection, name: str) -> None:
        """Change nothing: the lock ends with the transaction."""

    def _connect(self) -> Any:
        is_new = not self.path.exists()
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        if is_new:
            # Readers need not wait for the one who writes; an old file stays as it is.
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _begin(self, connection: Connection) -> None:
        """Begin as a writer: one that reads first and writes later fails where another wrote in between."""
        milliseconds = max(1, int(current_deadline().remaining_seconds() * 1000))
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
