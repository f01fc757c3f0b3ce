"""A mirror in PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.pq import Conninfo
from sqlalchemy import Connection, func
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateSchema
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.schema import Table

from hub.databases.tls import Tls
from hub.databases.url import PostgresUrl
from hub.mirror.engine.engine import Engine
from hub.transport.certificates import NO_CERTIFICATES, Certificates
from hub.transport.deadline import current_deadline, look_up

_CHANGES_LOCK = 0x68756D69
_LOCK_SECONDS = 1
_PREPARED_FROM = 2
"""A statement is prepared where it is run once more than so often: to plan it takes longer than to run it."""

_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, MDY",
    "synchronous_commit": "on",
    "standard_conforming_strings": "on",
    "idle_in_transaction_session_timeout": "15s",
}
"""They hold for one transaction each: behind a pooler the session is somebody else's the next time."""


class PostgresEngine(Engine):
    """A server, or a pooler before it: there nothing is prepared, as no setting outlives its transaction.

    A pooler gives its clients a process number of its own, which is not that of the server's process.
    """

    dialect = "postgresql+psycopg"
    returns_written = True
    grantee_sql = "SELECT quote_ident(current_user)"
    nullable_sql = "ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL"

    def __init__(
        self, parts: PostgresUrl, connections: int, certificates: Certificates = NO_CERTIFICATES
    ) -> None:
        known = {default.keyword.decode(): default.val or b"" for default in Conninfo.get_defaults()}
        options = {name: value for name, value in parts.options.items() if name in known}
        self._certificates = certificates
        self._parameters: dict[str, Any] = {
            **parts.address,
            **options,
            **_tls_mode(parts.tls or known["sslmode"].decode(), certificates),
            "client_encoding": "UTF8",
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "application_name": "hub",
        }
        super().__init__(connections)

    def insert(self, table: Table) -> Any:
        return postgresql.insert(table)

    def incoming(self, insert: Any) -> Any:
        return insert.excluded

    def or_replace(
        self, insert: Any, values: Mapping[str, Any], where: ColumnElement[bool] | None = None
    ) -> Any:
        key = insert.table.primary_key.columns
        return insert.on_conflict_do_update(index_elements=list(key), set_=values, where=where)

    def least(self, one: ColumnElement[Any], other: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.least(one, other, type_=one.type)

    def create_schema(self, name: str) -> str | None:
        return str(CreateSchema(name).compile(dialect=self.sql_dialect))

    def lock_for_changes(self, connection: Connection, name: str) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_CHANGES_LOCK}, hashtext('{name}'))")

    def unlock_after_changes(self, connection: Connection, name: str) -> None:
        """Change nothing: the lock ends with the transaction."""

    def _connect(self) -> Any:
        """Return a connection, its host looked up within the deadline: libpq's own look-up has none."""
        host = str(self._parameters.get("host", ""))
        addresses: dict[str, Any] = {}
        if host and "," not in host and not host.startswith("/") and "hostaddr" not in self._parameters:
            first = look_up(host, int(self._parameters.get("port") or 5432))[0]
            addresses = {"hostaddr": first[4][0]}
        seconds = max(2, int(current_deadline().remaining_seconds()))
        with _files(self._certificates) as files:
            connection = _Connection.connect(
                **{**self._parameters, **addresses, **files},
                connect_timeout=seconds,
                prepare_threshold=None,
                autocommit=True,
            )
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        if row is not None and row[0] == connection.info.backend_pid:
            connection.prepare_threshold = _PREPARED_FROM
        return connection

    def _begin(self, connection: Connection) -> None:
        """Begin with all settings in one round trip."""
        milliseconds = max(1, int(current_deadline().remaining_seconds() * 1000))
        settings = {**_SETTINGS, "statement_timeout": f"{milliseconds}", "lock_timeout": f"{milliseconds}"}
        sets = "".join(f"; SET LOCAL {name} = '{value}'" for name, value in settings.items())
        connection.exec_driver_sql(
            f"BEGIN ISOLATION LEVEL READ COMMITTED{sets}", execution_options={"no_parameters": True}
        )


class _Connection(psycopg.Connection[Any]):
    """One on which nothing waits for longer than the deadline: a server that was halted answers never."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        deadline = current_deadline()
        remaining = deadline.remaining_seconds()
        began = time.monotonic()
        try:
            return super().wait(gen, interval=interval, timeout=min(remaining, timeout or remaining))
        except psycopg.OperationalError:
            if time.monotonic() - began >= remaining:
                self.pgconn.finish()
            raise


def _tls_mode(asked: str, certificates: Certificates) -> dict[str, str]:
    """Return libpq's option for the TLS that certificates ask for beside a URL; none where there are none."""
    authority, identity = bool(certificates.ca), bool(certificates.client_cert)
    if not authority and not identity:
        return {}
    tls = Tls(asked) if asked in list(Tls) else Tls.PREFER
    return {"sslmode": tls.with_certificates(authority=authority, identity=identity)}


@contextmanager
def _files(certificates: Certificates) -> Iterator[dict[str, str]]:
    """Yield libpq's options of certificates, which it reads while it connects, and from files alone.

    They are there for that time, and for this user alone: libpq refuses a key that others may read.
    https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-CLIENTCERT
    """
    cert = certificates.client_cert
    texts = {"sslrootcert": certificates.ca, "sslcert": cert, "sslkey": certificates.client_key or cert}
    given = {name: text for name, text in texts.items() if text}
    if not given:
        yield {}
        return
    with TemporaryDirectory(prefix="hub-") as folder:
        paths = {name: Path(folder, name) for name in given}
        for name, path in paths.items():
            path.touch(mode=0o600)
            path.write_text(given[name])
        yield {name: str(path) for name, path in paths.items()}
