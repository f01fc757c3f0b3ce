"""A mirror in MySQL or MariaDB."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from typing import Any

import pymysql
from pymysql.constants import CLIENT
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.schema import Table

from hub.databases.url import MysqlUrl, Tls
from hub.errors import Retry
from hub.mirror.engine.engine import Engine
from hub.transport.deadline import connect, connect_file, new_tls_context

_LOCK_SECONDS = 1
_ROW_LOCK_SECONDS = 5

_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    f"SET SESSION innodb_lock_wait_timeout = {_ROW_LOCK_SECONDS}, lock_wait_timeout = {_LOCK_SECONDS}",
)
"""READ COMMITTED locks no gaps: at REPEATABLE READ two inserts beside each other are a deadlock."""


class MysqlEngine(Engine):
    """A server. Assignments run from left to right there: one sees the values of those before it."""

    dialect = "mysql+pymysql"
    updates_by_any_index = True

    def __init__(self, parts: MysqlUrl, connections: int) -> None:
        self._parts = parts
        self._context = _tls_context(parts)
        super().__init__(connections)

    def insert(self, table: Table) -> Any:
        return mysql.insert(table)

    def incoming(self, insert: Any) -> Any:
        return insert.inserted

    def or_replace(
        self, insert: Any, values: Mapping[str, Any], where: ColumnElement[bool] | None = None
    ) -> Any:
        """Do as every engine; a row that another unique index finds is left as it is."""
        table = insert.table
        incoming = insert.inserted
        for column in table.primary_key.columns:
            is_same = table.c[column.name] == incoming[column.name]
            where = is_same if where is None else is_same & where
        return insert.on_duplicate_key_update(
            [(name, func.if_(where, value, table.c[name])) for name, value in values.items()]
        )

    def least(self, one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.least(one, other, type_=one.type)

    def create_schema(self, name: str) -> str | None:
        return None

    def lock_for_changes(self, connection: Connection, name: str) -> None:
        has_lock = connection.execute(select(func.get_lock(_lock_name(name), _LOCK_SECONDS))).scalar()
        if not has_lock:
            raise Retry("somebody else is changing its tables")

    def unlock_after_changes(self, connection: Connection, name: str) -> None:
        connection.execute(select(func.release_lock(_lock_name(name))))

    def table_arguments(self) -> Mapping[str, Any]:
        return {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_row_format": "DYNAMIC"}

    def _connect(self) -> Any:
        """Return a connection on a socket that keeps to the deadline."""
        parts = self._parts
        connection = pymysql.Connection(
            user=parts.address["user"],
            password=parts.address["password"],
            host=parts.address["host"],
            database=parts.address["dbname"],
            charset="utf8mb4",
            autocommit=True,
            # An update tells how many rows it met, changed or not.
            client_flag=CLIENT.FOUND_ROWS,
            program_name="hub",
            ssl_disabled=parts.tls is Tls.DISABLE or parts.socket is not None,
            ssl=None if parts.tls is Tls.PREFER else self._context,
            defer_connect=True,
        )
        connection.ctx = self._context
        try:
            connection.connect(_socket(parts))
        except OSError as error:
            raise Retry(f"{parts.address['host']} cannot be reached: {error}") from error
        for statement in _SESSION:
            connection.query(statement)
        return connection

    def _begin(self, connection: Connection) -> None:
        connection.exec_driver_sql("START TRANSACTION")


def _socket(parts: MysqlUrl) -> socket.socket:
    return connect_file(parts.socket) if parts.socket else connect(parts.address["host"], parts.port)


def _lock_name(name: str) -> str:
    """Return the name of the lock, which is the server's own and not the database's."""
    return f"hub_mirror_{name}"[:64]


def _tls_context(parts: MysqlUrl) -> ssl.SSLContext:
    """Return a context that verifies as much as the URL asks for: without a word, nothing."""
    context = new_tls_context()
    if parts.ca_file is not None:
        context.load_verify_locations(parts.ca_file)
    context.check_hostname = parts.tls is Tls.VERIFY_IDENTITY
    if parts.tls not in (Tls.VERIFY_CA, Tls.VERIFY_IDENTITY):
        context.verify_mode = ssl.CERT_NONE
    return context
