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

from hub.databases.tls import Tls
from hub.databases.url import MysqlUrl
from hub.errors import Pause, Retry
from hub.mirror.engine.engine import Engine
from hub.mirror.engine.failures import tls_words
from hub.transport.certificates import NO_CERTIFICATES, Certificates
from hub.transport.deadline import connect, connect_file
from hub.transport.failures import connection_reason, root_cause

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
    grantee_sql = (
        "SELECT concat(quote(substring_index(current_user(), '@', 1)), '@', "
        "quote(substring_index(current_user(), '@', -1)))"
    )
    nullable_sql = "ALTER TABLE {table} MODIFY {column} {type} NULL"

    def __init__(
        self, parts: MysqlUrl, connections: int, certificates: Certificates = NO_CERTIFICATES
    ) -> None:
        self._parts = parts
        self._tls = _tls(parts, certificates)
        self._context = _tls_context(self._tls, parts.ca_file, certificates)
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
            ssl_disabled=self._tls is Tls.DISABLE or parts.socket is not None,
            ssl=None if self._tls is Tls.PREFER else self._context,
            defer_connect=True,
        )
        connection.ctx = self._context
        try:
            connection.connect(_socket(parts))
        except OSError as error:
            raise Retry(f"{parts.address['host']} cannot be reached: {error.strerror or error}") from error
        except pymysql.OperationalError as error:
            refusal = _tls_refusal(error)
            if refusal is None:
                raise
            raise refusal from error
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


def _tls(parts: MysqlUrl, certificates: Certificates) -> Tls:
    """Return the TLS that URL and certificates ask for together.

    The usual authorities vouch for everybody: a server that is verified by them is so by its name.
    """
    tls = parts.tls.with_certificates(
        authority=bool(certificates.ca), identity=bool(certificates.client_cert)
    )
    has_authority = certificates.ca or parts.ca_file
    return Tls.VERIFY_FULL if tls is Tls.VERIFY_CA and not has_authority else tls


def _tls_context(tls: Tls, ca_file: str | None, certificates: Certificates) -> ssl.SSLContext:
    """Return a context that verifies so much; without the name, by the authority that was given alone."""
    context = certificates.new_context(usual=tls is not Tls.VERIFY_CA)
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise Pause(f"the file under ssl-ca of its url cannot be read: {error.strerror}") from error
    context.check_hostname = tls is Tls.VERIFY_FULL
    if not tls.verifies:
        context.verify_mode = ssl.CERT_NONE
    return context


def _tls_refusal(error: pymysql.OperationalError) -> Pause | None:
    """Return the refusal of one side's certificate by the other; None for any other error."""
    cause = root_cause(error)
    is_refusal = isinstance(cause, ssl.SSLError) and "ALERT" in (cause.reason or "")
    if not is_refusal and not isinstance(cause, ssl.SSLCertVerificationError):
        return None
    return Pause(tls_words(connection_reason(cause)))
