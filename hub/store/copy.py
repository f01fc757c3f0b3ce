"""The migration of a store: everything is copied into another, nothing sent twice and nothing lost.

The source is closed in two steps, by triggers, which hold for every process that has it open and cost nothing
until then. First nothing new is taken in or claimed, while what is being sent is still settled; then nothing
at all is written. Only then is it copied, table by table in the order of their keys, so that a migration that
was cut off goes on behind the last key that it copied.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, func, insert, select, tuple_

from hub.errors import StoreError
from hub.model.delivery import State
from hub.store.repositories.terms import READ
from hub.store.store import MIGRATED_CODE, MIGRATED_MESSAGE, Store, Transaction
from hub.store.tables import (
    alerts,
    attempts,
    audit,
    audit_subjects,
    counters,
    deliveries,
    destinations,
    events,
    is_in,
    mirrors,
    refusals,
    settings,
    sources,
    threads,
    versions,
)

MIGRATED, MIGRATING = "migrated", "migrating"
"""Marks, shared values with the same token: the source's, and the target's while a migration is under way."""

ROWS_AT_ONCE = 200
_BATCH_BYTES = 8 * 1024 * 1024
"""The most bytes that one transaction writes, and one row more: an event may have 1 MiB."""

VERSIONS_AT_ONCE = 10
"""A version of the user's files may have 4 MiB."""

LARGE = (events, deliveries, attempts, threads, audit, audit_subjects, versions)
SMALL = (destinations, sources, refusals, counters, alerts, settings, mirrors)
"""All tables but `workers` and `wrong_keys`, which have what is true of the source for a minute, and `terms`,
which the workers of the target make anew.
"""

_IS_CLAIMED = "NEW.state = 'sending' AND OLD.state <> 'sending'"


class _Refusal(NamedTuple):
    """A kind of write that a closed store refuses: a statement on a table, where a condition holds."""

    table: str
    statement: str
    condition: str = ""


_INTAKE = (
    _Refusal("events", "INSERT"),
    _Refusal("deliveries", "INSERT"),
    _Refusal("deliveries", "UPDATE", _IS_CLAIMED),
)
_WRITES = tuple(
    _Refusal(table.name, statement)
    for table in (*LARGE, *SMALL)
    for statement in ("INSERT", "UPDATE", "DELETE")
)

Progress = Callable[[str, int, int], None]
"""A callback: it gets a table's name, the number of its rows that are copied, and of all its rows."""


def migrate_store(
    source: Store, target: Store, progress: Progress, rows_at_once: int = ROWS_AT_ONCE
) -> Mapping[str, int]:
    """Copy everything, both stores having today's tables, and return the number of rows of each table.

    Waits for what is being sent, at most until the last lease runs out. Raises StoreError where `target`
    holds anything but an earlier part of the same migration, or other rows than `source` in the end.
    """
    token = _mark_target(source, target)
    source.write(lambda transaction: _close(transaction, token, _INTAKE))
    while _being_sent(source):
        time.sleep(0.2)
    source.write(lambda transaction: _close(transaction, None, _WRITES))
    for table in LARGE:
        at_once = min(rows_at_once, VERSIONS_AT_ONCE) if table is versions else rows_at_once
        _copy(source, target, table, progress, at_once)
    for table in SMALL:
        _replace(source, target, table)
    counts = _compare(source, target)
    target.write(lambda transaction: transaction.settings.pop(MIGRATING))
    return counts


def undo(source: Store, target: Store) -> None:
    """Let the source go on; raises StoreError where the target has all of it, and may have sent from it."""
    mark, under_way = _mark(source, MIGRATED), _mark(target, MIGRATING)
    if mark is None:
        raise StoreError("this database has not been moved, so there is nothing to undo")
    if mark != under_way:
        raise StoreError(
            "the move is complete: the other database may have sent from it since. Go on with that one"
        )
    source.write(_open_again)


def refuse_migrated(store: Store) -> None:
    """Raise StoreError for a store that is no longer to be used, or not yet."""
    if _mark(store, MIGRATED) is not None:
        raise StoreError(MIGRATED_MESSAGE)
    if _mark(store, MIGRATING) is not None:
        raise StoreError(
            "a move into this database is not finished; run `hub migrate-store` again with the same two"
        )


def _mark_target(source: Store, target: Store) -> str:
    """Mark the target and return the token of this migration, that of an earlier run where there was one."""
    mark, under_way = _mark(source, MIGRATED), _mark(target, MIGRATING)
    if mark is not None and mark == under_way:
        return mark
    if mark is not None:
        advice = "it has everything" if _has_rows(target) else "or undo that with --undo and the two of then"
        raise StoreError(f"this database has been moved already; go on with the other: {advice}")
    if _has_rows(target):
        raise StoreError("the database to move to is not empty; name an empty one")
    token = secrets.token_hex(16)
    target.write(lambda transaction: transaction.settings.set(MIGRATING, token))
    if _mark(source, MIGRATING) == token:
        target.write(lambda transaction: transaction.settings.pop(MIGRATING))
        raise StoreError("the two are the same database")
    return token


def _mark(store: Store, name: str) -> str | None:
    """Return the token that a store is marked with; None where it is not."""
    with store.read() as snapshot:
        return snapshot.settings.get(name)


def _has_rows(store: Store) -> bool:
    """Return True where anything was ever kept, the mark of a migration that came to nothing left out."""
    with store.read() as snapshot:
        connection = snapshot.session.connection
        filled = [table for table in (*LARGE, destinations, counters) if _count(connection, table, limit=1)]
        values = connection.execute(select(func.count()).where(settings.c.name != MIGRATING)).scalar_one()
    return bool(filled or values)


def _close(transaction: Transaction, token: str | None, refusals: Sequence[_Refusal]) -> None:
    """Refuse some kinds of writes from now on, to every process; a `token` is kept as the mark."""
    connection = transaction.session.connection
    if token is not None and transaction.settings.get(MIGRATED) is None:
        transaction.settings.set(MIGRATED, token)
    is_postgres = connection.dialect.name == "postgresql"
    action = f"BEGIN SELECT RAISE(ABORT, '{MIGRATED_MESSAGE}'); END"
    if is_postgres:
        body = f"BEGIN RAISE EXCEPTION '{MIGRATED_MESSAGE}' USING ERRCODE = '{MIGRATED_CODE}'; END"
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION hub_migrated() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
        )
        action = "EXECUTE FUNCTION hub_migrated()"
    _drop_triggers(connection, refusals)
    for table, statement, condition in refusals:
        when = f"WHEN ({condition})" if condition else ""
        connection.exec_driver_sql(
            f"CREATE TRIGGER {_trigger(table, statement)} BEFORE {statement} ON {table} "
            f"FOR EACH ROW {when} {action}"
        )


def _open_again(transaction: Transaction) -> None:
    _drop_triggers(transaction.session.connection, (*_WRITES, *_INTAKE))
    transaction.settings.pop(MIGRATED)


def _drop_triggers(connection: Connection, refusals: Sequence[_Refusal]) -> None:
    for table, statement, _ in refusals:
        on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {_trigger(table, statement)}{on}")


def _trigger(table: str, statement: str) -> str:
    return f"hub_migrated_{table}_{statement.lower()}"


def _being_sent(store: Store) -> bool:
    """Return True while a living worker may still settle anything."""
    with store.read() as snapshot:
        claimed = select(func.count()).where(is_in(State.SENDING), deliveries.c.lease_until > snapshot.now)
        return bool(snapshot.session.connection.execute(claimed).scalar_one())


def _copy(source: Store, target: Store, table: Table, progress: Progress, rows_at_once: int) -> None:
    keys = list(table.primary_key)
    statement = select(table).order_by(*keys).limit(rows_at_once)
    with source.read() as original, target.read() as copy:
        total, copied = _count(original.session.connection, table), _count(copy.session.connection, table)
        newest = select(*keys).order_by(*(key.desc() for key in keys)).limit(1)
        last = copy.session.connection.execute(newest).first()
    while copied < total:
        progress(table.name, copied, total)
        later = statement if last is None else statement.where(tuple_(*keys) > tuple_(*last))
        with source.read() as snapshot:
            rows = [dict(row) for row in snapshot.session.connection.execute(later).mappings()]
        if not rows:
            break
        for batch in _batches(rows):
            target.write(partial(_insert, table=table, rows=batch))
        last = tuple(rows[-1][key.name] for key in keys)  # type: ignore[assignment]
        copied += len(rows)
    progress(table.name, copied, total)


def _replace(source: Store, target: Store, table: Table) -> None:
    """Copy a table of few rows, in place of an earlier run's copy."""
    own = (settings.c.name.not_in((MIGRATED, MIGRATING, READ)),) if table is settings else ()
    with source.read() as snapshot:
        rows = [
            dict(row) for row in snapshot.session.connection.execute(select(table).where(*own)).mappings()
        ]

    def work(transaction: Transaction) -> None:
        transaction.session.connection.execute(delete(table).where(*own))
        _insert(transaction, table, rows)

    target.write(work)


def _insert(transaction: Transaction, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        transaction.session.connection.execute(insert(table), rows)


def _batches(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the rows in parts that a database takes in time, however large they are."""
    batch: list[Mapping[str, Any]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, bytes | str))
        if size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _count(connection: Connection, table: Table, limit: int | None = None) -> int:
    rows = select(*table.primary_key).limit(limit).subquery()
    return int(connection.execute(select(func.count()).select_from(rows)).scalar_one())


def _compare(source: Store, target: Store) -> Mapping[str, int]:
    """Return the number of rows of each table, the same in both; raises StoreError where they differ."""
    with source.read() as original, target.read() as copy:
        connections = original.session.connection, copy.session.connection
        counts = {table.name: [_count(connection, table) for connection in connections] for table in LARGE}
        states = [_states(connection) for connection in connections]
    for name, (expected, actual) in counts.items():
        if expected != actual:
            raise StoreError(
                f"{name}: {expected} rows here and {actual} there; nothing was lost here, but something else "
                "wrote there. Undo with --undo and begin with an empty database"
            )
    if states[0] != states[1]:
        raise StoreError(f"deliveries by state: {states[0]} here and {states[1]} there")
    return {name: expected for name, (expected, _) in counts.items()}


def _states(connection: Connection) -> dict[str, int]:
    rows = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    return dict(connection.execute(rows).all())
