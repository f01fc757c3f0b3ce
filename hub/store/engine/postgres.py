"""The store on PostgreSQL, for any number of processes on any number of machines."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.pool import QueuePool

from hub.databases.url import PostgresUrl, options_left_out
from hub.errors import StoreError
from hub.model.stats import DatabaseStatus
from hub.store import failures, migrate
from hub.store.engine.waker import Waker
from hub.store.repositories.events import RoutedEvent
from hub.store.session import Query, RemoteSession, Session
from hub.store.store import Listener, Store, Transaction

_CHANNEL = "hub_wake"
_MIGRATION_LOCK = 0x68756231
_CONNECT_SECONDS, _POOL_SECONDS, _STATEMENT_SECONDS = 3, 3, 5
"""Connecting and waiting for a connection: with the driver's bound on an answer 12 s together, so that a
sender that waits 15 s gets its 503. The server ends a statement by itself before that; one that hangs cannot.
"""

_SETTINGS = {
    "synchronous_commit": "on",
    "default_transaction_isolation": "read committed",
    "statement_timeout": f"{_STATEMENT_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{_STATEMENT_SECONDS}s",
    "lock_timeout": "0",
    "default_transaction_deferrable": "off",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "row_security": "on",
}
"""They override what server, database and role say. A process that is halted or cut off within a transaction
keeps its locks, and all others waiting, no longer than the time-outs. `search_path` stays theirs, by which
people choose the schema, and `default_transaction_read_only`, by which providers stop all writes.
"""

_STATUS = text(
    """
    SELECT current_setting('server_version') AS version,
           current_setting('max_connections')::int
               - current_setting('superuser_reserved_connections')::int AS most,
           (SELECT sum(numbackends)::int FROM pg_stat_database) AS used,
           (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_most,
           (SELECT count(*)::int FROM pg_stat_activity WHERE usename = current_user) AS used_by_role,
           (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS here_most,
           (SELECT numbackends FROM pg_stat_database WHERE datname = current_database()) AS used_here
    """
)

_WRITABLE = text("SELECT current_setting('transaction_read_only') = 'off', pg_is_in_recovery()")
"""A transaction that says nothing about it has what server, role or database say; a standby only reads."""

_RECONNECT_SECONDS, _LONGEST_RECONNECT_SECONDS = 1.0, 15.0
"""Between two tries to listen, twice as long after each: a standby refuses all, and logs each."""


class PostgresStore(Store):
    """A PostgreSQL: rows are claimed with SKIP LOCKED, workers woken by NOTIFY; its clock decides."""

    slow_poll_seconds = 2.0

    def __init__(self, url: str, parts: PostgresUrl, connections: int, *, name: str) -> None:
        driver = _driver()
        known, unknown = driver.known_options(parts.options)
        warnings = [options_left_out(name, unknown, "PostgreSQL knows none such")] if unknown else []
        self._parameters: dict[str, Any] = {
            **parts.address,
            **known,
            "client_encoding": "UTF8",
            "connect_timeout": _CONNECT_SECONDS,
            "tcp_user_timeout": _STATEMENT_SECONDS * 1000,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 2,
            "application_name": "hub",
        }
        engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=QueuePool,
            # Of a process's connections one is for listening, which cannot be shared.
            pool_size=max(1, connections - 1),
            max_overflow=0,
            pool_timeout=_POOL_SECONDS,
            # The one used last has its statements prepared and its pages at hand.
            pool_use_lifo=True,
            # A session begins its transactions itself, together with its first statements.
            isolation_level="AUTOCOMMIT",
            hide_parameters=True,
        )
        event.listen(engine, "checkout", driver.replace_cut)
        super().__init__(url, engine, (*parts.warnings, *warnings))
        self._waker = Waker(self._notify)

    def _upgrade(self) -> str | None:
        engine = self._engine.execution_options(isolation_level="READ COMMITTED")
        with self._translated(), engine.begin() as connection:
            # Another process may be at it, and an index of millions of rows takes its time.
            driver: Any = connection.connection.driver_connection
            driver.answer_seconds = None
            for statement in driver.preamble:
                connection.exec_driver_sql(statement.decode())
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            newer = migrate.upgrade(connection)
            del driver.answer_seconds
        return newer

    def check_schema(self) -> str | None:
        with self._translated(), self._reader() as session:
            return migrate.check(session.connection)

    def wake(self) -> None:
        self._waker.request()

    def listen(self, on_wake: Callable[[], None]) -> Listener:
        return _NotifyListener(self._parameters, on_wake)

    def write_error(self, snapshot: Transaction) -> StoreError | None:
        is_writable, is_standby = snapshot.session.connection.execute(_WRITABLE).one()
        if not is_writable:
            return failures.only_reads(
                "it is a standby of another" if is_standby else "default_transaction_read_only is on"
            )
        return super().write_error(snapshot)

    def status(self) -> DatabaseStatus:
        with self._translated(), self._reader() as session:
            connection = session.connection
            began_at = datetime.now(UTC)
            clock = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            local_clock = began_at + (datetime.now(UTC) - began_at) / 2
            row = connection.execute(_STATUS).one()
            newer = migrate.newer_revision(connection)
        # A limit below zero is none. The tightest of server, role and database counts.
        limits = [(row.used, row.most), (row.used_by_role, row.role_most), (row.used_here, row.here_most)]
        return DatabaseStatus(
            name=f"PostgreSQL {row.version}",
            newer_revision=newer,
            is_pooled=not self.has_wake_ups,
            connections=min(
                (limit for limit in limits if limit[1] >= 0), key=lambda limit: limit[1] - limit[0]
            ),
            clock_ahead_seconds=(clock - local_clock).total_seconds(),
        )

    def make_durable(self) -> None:
        """Change nothing: it always is."""

    def close(self) -> None:
        self._waker.close()
        super().close()

    def _insert_all(self, routed: Sequence[RoutedEvent]) -> list[bool]:
        """Insert in one round trip, a transaction of its own, with a wake-up where it is time for one."""
        owes = any(new.routing.sends for new in routed)
        woken = self._waker.begin(len(routed)) if owes else None
        with self._translated(), self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            session = RemoteSession(connection, *driver.preamble, has_clock=False)
            session.defer(*[Query("wake")] if woken is not None else [])
            are_new = Transaction(session).events.insert(routed)
        if woken:
            self._waker.committed(woken)
        if owes and woken is None:
            self.wake()
        return are_new

    def _notify(self) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(f"NOTIFY {_CHANNEL}"))

    def _connect(self) -> Any:
        connection = _driver().connect(self._parameters, _SETTINGS)
        self.has_wake_ups = connection.is_direct
        return connection

    @contextmanager
    def _writer(self) -> Iterator[Session]:
        with self._engine.connect() as connection:
            session = _begun(connection, "READ COMMITTED")
            yield session
            session.defer(Query("commit"))
            session.flush()

    @contextmanager
    def _reader(self) -> Iterator[Session]:
        with self._engine.connect() as connection:
            session = _begun(connection, "REPEATABLE READ")
            yield session
            session.defer(Query("commit"))
            session.flush()


def _driver() -> Any:
    """Return the module with PostgreSQL's driver, an extra. Raises StoreError."""
    try:
        from hub.store.engine import driver
    except ImportError as error:
        raise StoreError(
            "PostgreSQL needs its driver: pip install 'fanout-hub[postgres]' (requirements.txt does)"
        ) from error
    return driver


def _begun(connection: Connection, isolation: str) -> RemoteSession:
    driver: Any = connection.connection.driver_connection
    first = [f"BEGIN ISOLATION LEVEL {isolation}".encode(), *driver.preamble]
    first += [b"DISCARD PLANS"] if driver.is_direct and driver.plans_are_old() else []
    return RemoteSession(connection, *first)


class _NotifyListener(Listener):
    """A listener on a connection of its own; a lost one is replaced aside while the slow poll carries on."""

    def __init__(self, parameters: Mapping[str, Any], on_wake: Callable[[], None]) -> None:
        self._parameters = parameters
        self._on_wake = on_wake
        self._closed = threading.Event()
        self._connects_at = float("-inf")
        self._pause_seconds = _RECONNECT_SECONDS
        self._connection: Any = None
        self._connect_aside()

    def fileno(self) -> int | None:
        """Return the connection's; None while there is none, as after libpq gave it up by itself."""
        if self._connection is not None and self._connection.closed:
            self._connect_aside()
        return self._connection.fileno() if self._connection is not None else None

    def hear(self) -> None:
        """Call back without psycopg's generator of notifications: it is busy for long after the first."""
        import psycopg

        if self._connection is None:
            return
        connection = self._connection.pgconn
        try:
            connection.consume_input()
            notices = list(iter(connection.notifies, None))
        except psycopg.Error:
            self._connect_aside()
        else:
            if notices:
                self._on_wake()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(timeout=2)
        if self._connection is not None:
            self._connection.close()

    def _connect_aside(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._thread = threading.Thread(target=self._connect, name="listen", daemon=True)
        self._thread.start()

    def _connect(self) -> None:
        """Connect, and listen where the server itself is at the other end.

        A pooler would hand what the server notifies to nobody, and write a line into its log each time.
        """
        import psycopg

        from hub.store.engine import driver

        while not self._closed.wait(self._connects_at - time.monotonic()):
            self._connects_at = time.monotonic() + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_RECONNECT_SECONDS)
            with contextlib.suppress(psycopg.Error), contextlib.ExitStack() as unless_kept:
                connection = psycopg.connect(**self._parameters, autocommit=True)
                unless_kept.callback(connection.close)
                if not driver.is_direct(connection):
                    return
                connection.execute(f"LISTEN {_CHANNEL}")
                if not self._closed.is_set():
                    unless_kept.pop_all()
                    self._pause_seconds = _RECONNECT_SECONDS
                    self._connection = connection
                    self._on_wake()
                    return
