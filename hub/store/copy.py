"""Moves everything from one store into another, so that nothing is sent twice and nothing is lost.

The source is closed in two steps, by triggers, which hold for every process that has it open and cost nothing
until then. First nothing new is taken in or claimed, while what is being sent is still settled; then nothing
at all is written. Only then is it copied, table by table in the order of their keys, so that a move that was
cut off goes on behind the last key that it copied.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, tuple_

from hub.errors import StoreError
from hub.model.delivery import State
from hub.store.store import MOVED_CODE, MOVED_WORDS, Store, Transaction
from hub.store.tables import alerts, attempts, counters, deliveries, destinations, events, is_in, settings

MOVED, MOVING = "moved", "moving"
"""The marks, shared values that hold the same token: the source's, and the target's while it is under way."""

ROWS_AT_ONCE = 200
_BATCH_BYTES = 8 * 1024 * 1024
"""An event may have 1 MiB: so many bytes at most, and one row more, are written by one transaction."""

LARGE = (events, deliveries, attempts)
SMALL = (destinations, counters, alerts, settings)
"""Of the tables only `workers` stays behind: heartbeats of processes that work on the source."""

_IS_CLAIMED = "NEW.state = 'sending' AND OLD.state <> 'sending'"

_NOTHING_NEW = (("events", "INSERT", ""), ("deliveries", "INSERT", ""), ("deliveries", "UPDATE", _IS_CLAIMED))
_NOTHING = tuple(
    (table.name, what, "") for table in (*LARGE, *SMALL) for what in ("INSERT", "UPDATE", "DELETE")
)

Progress = Callable[[str, int, int], None]
"""Called with a table's name, how many of its rows are copied, and how many there are."""


def move(
    source: Store, target: Store, progress: Progress, rows_at_once: int = ROWS_AT_ONCE
) -> Mapping[str, int]:
    """Copy everything, both stores having today's tables; returns how many rows each table has.

    Waits for what is being sent, at most until the last lease runs out. Raises StoreError where `target`
    holds anything but an earlier part of the same move, or other rows than `source` in the end.
    """
    token = _open_move(source, target)
    source.write(lambda transaction: _close(transaction, token, _NOTHING_NEW))
    while _being_sent(source):
        time.sleep(0.2)
    source.write(lambda transaction: _close(transaction, None, _NOTHING))
    for table in LARGE:
        _copy(source, target, table, progress, rows_at_once)
    for table in SMALL:
        _replace(source, target, table)
    counted = _compare(source, target)
    target.write(lambda transaction: transaction.settings.pop(MOVING))
    return counted


def undo(source: Store, target: Store) -> None:
    """Let the source go on; raises StoreError where the target has all of it, and may have sent from it."""
    mark, under_way = _kept(source, MOVED), _kept(target, MOVING)
    if mark is None:
        raise StoreError("this database has not been moved, so there is nothing to undo")
    if mark != under_way:
        raise StoreError(
            "the move is complete: the other database may have sent from it since. Go on with that one"
        )
    source.write(_open_again)


def refuse_moved(store: Store) -> None:
    """Raise StoreError for a store that is no longer to be used, or not yet."""
    if _kept(store, MOVED) is not None:
        raise StoreError(MOVED_WORDS)
    if _kept(store, MOVING) is not None:
        raise StoreError(
            "a move into this database is not finished; run `hub migrate-store` again with the same two"
        )


# -- the marks ------------------------------------------------------------------------------------


def _open_move(source: Store, target: Store) -> str:
    """Mark the target and return the token of this move: that of an earlier run where there was one."""
    mark, under_way = _kept(source, MOVED), _kept(target, MOVING)
    if mark is not None and mark == under_way:
        return mark
    if mark is not None:
        said = "it has everything" if _has_rows(target) else "or undo that with --undo and the two of then"
        raise StoreError(f"this database has been moved already; go on with the other: {said}")
    if _has_rows(target):
        raise StoreError("the database to move to is not empty; name an empty one")
    token = secrets.token_hex(16)
    target.write(lambda transaction: transaction.settings.set(MOVING, token))
    if _kept(source, MOVING) == token:
        target.write(lambda transaction: transaction.settings.pop(MOVING))
        raise StoreError("the two are the same database")
    return token


def _kept(store: Store, name: str) -> str | None:
    with store.read() as snapshot:
        return snapshot.settings.get(name)


def _has_rows(store: Store) -> bool:
    """Whether anything was ever kept there, the mark of a move that came to nothing left out."""
    with store.read() as snapshot:
        connection = snapshot.session.connection
        filled = [table for table in (*LARGE, destinations, counters) if _count(connection, table, limit=1)]
        others = connection.execute(select(func.count()).where(settings.c.name != MOVING)).scalar_one()
    return bool(filled or others)


# -- the triggers ---------------------------------------------------------------------------------


def _close(transaction: Transaction, token: str | None, what: tuple[tuple[str, str, str], ...]) -> None:
    """Refuse some kinds of writes from now on, to every process; a `token` is kept as the mark."""
    connection = transaction.session.connection
    if token is not None and transaction.settings.get(MOVED) is None:
        transaction.settings.set(MOVED, token)
    is_postgres = connection.dialect.name == "postgresql"
    action = f"BEGIN SELECT RAISE(ABORT, '{MOVED_WORDS}'); END"
    if is_postgres:
        body = f"BEGIN RAISE EXCEPTION '{MOVED_WORDS}' USING ERRCODE = '{MOVED_CODE}'; END"
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION hub_moved() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
        )
        action = "EXECUTE FUNCTION hub_moved()"
    _drop_triggers(connection, what)
    for table, kind, condition in what:
        when = f"WHEN ({condition})" if condition else ""
        connection.exec_driver_sql(
            f"CREATE TRIGGER {_name(table, kind)} BEFORE {kind} ON {table} FOR EACH ROW {when} {action}"
        )


def _open_again(transaction: Transaction) -> None:
    _drop_triggers(transaction.session.connection, (*_NOTHING, *_NOTHING_NEW))
    transaction.settings.pop(MOVED)


def _drop_triggers(connection: Connection, what: tuple[tuple[str, str, str], ...]) -> None:
    for table, kind, _ in what:
        on = f" ON {table}" if connection.dialect.name == "postgresql" else ""
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {_name(table, kind)}{on}")


def _name(table: str, kind: str) -> str:
    return f"hub_moved_{table}_{kind.lower()}"


def _being_sent(store: Store) -> bool:
    """Whether a living worker may still settle anything."""
    with store.read() as snapshot:
        claimed = select(func.count()).where(is_in(State.SENDING), deliveries.c.lease_until > snapshot.now)
        return bool(snapshot.session.connection.execute(claimed).scalar_one())


# -- the rows -------------------------------------------------------------------------------------


def _copy(source: Store, target: Store, table: Table, progress: Progress, rows_at_once: int) -> None:
    keys = list(table.primary_key)
    statement = select(table).order_by(*keys).limit(rows_at_once)
    with source.read() as here, target.read() as there:
        total, copied = _count(here.session.connection, table), _count(there.session.connection, table)
        newest = select(*keys).order_by(*(key.desc() for key in keys)).limit(1)
        last = there.session.connection.execute(newest).first()
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
    """Copy a table of few rows, in place of what an earlier run copied."""
    own = (settings.c.name.not_in((MOVED, MOVING)),) if table is settings else ()
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
    """The rows in parts that a database takes in time, however large they are."""
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
    """How many rows each table has, here as there; raises StoreError where they differ."""
    with source.read() as here, target.read() as there:
        counted = {
            table.name: (_count(here.session.connection, table), _count(there.session.connection, table))
            for table in LARGE
        }
        states = [_states(snapshot.session.connection) for snapshot in (here, there)]
    for name, (one, other) in counted.items():
        if one != other:
            raise StoreError(
                f"{name}: {one} rows here and {other} there; nothing was lost here, but something else wrote "
                "there. Undo with --undo and begin with an empty database"
            )
    if states[0] != states[1]:
        raise StoreError(f"deliveries by state: {states[0]} here and {states[1]} there")
    return {name: one for name, (one, _) in counted.items()}


def _states(connection: Connection) -> dict[str, int]:
    rows = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    return dict(connection.execute(rows).all())
