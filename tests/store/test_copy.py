"""A move copies everything, closes the source for every process, and goes on where it was cut off."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import given
import pytest
from sqlalchemy import func, select

from hub.delivery import retry
from hub.errors import Reject, StoreError, StoreMigrated
from hub.model.delivery import Receipt, State
from hub.model.event import Event, new_id
from hub.store import copy
from hub.store.open import open_store
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store
from hub.store.tables import (
    attempts,
    deliveries,
    destinations,
    events,
    metadata,
    mirrors,
    settings,
    threads,
    versions,
)

LEASE = timedelta(seconds=0.5)

WAYS = {"up": ("sqlite", "postgres"), "down": ("postgres", "sqlite")}


@pytest.fixture(params=list(WAYS))
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Store]]:
    """A store and an empty one, of two dialects."""
    stores = [
        _new(request, dialect, tmp_path / f"{name}.db")
        for name, dialect in zip(("source", "target"), WAYS[request.param], strict=True)
    ]
    yield stores
    for store in stores:
        store.close()


@pytest.fixture
def source(both: list[Store]) -> Store:
    return both[0]


@pytest.fixture
def target(both: list[Store]) -> Store:
    return both[1]


def _new(request: pytest.FixtureRequest, dialect: str, path: Path) -> Store:
    if dialect == "postgres":
        return open_store(request.getfixturevalue("new_postgres_database")())
    store = open_store(f"sqlite:///{path}")
    store.migrate()
    return store


def owe(store: Store, count: int = 1) -> list[str]:
    ids = []
    for _ in range(count):
        now = datetime.now(UTC)
        event = Event(
            id=new_id("evt", now),
            source="clerk",
            message_id=new_id("msg", now),
            type="user.created",
            payload=b'{"type":"user.created","data":{"id":"user_1","name":"\\u0000 \xc3\xa9"}}',
            received_at=now,
        )
        assert store.insert_event(RoutedEvent(event=event, routing=given.routing("log")))
        ids.append(event.id)
    return ids


def claim(store: Store, lease: timedelta = LEASE) -> Any:
    (claimed,) = given.claim(store, lease=lease)
    return replace(claimed, message={"text": "hello"})


def rows(store: Store, table: Any) -> list[Any]:
    own = (settings.c.name.not_in(("migrated", "migrating")),) if table is settings else ()
    with store.read() as snapshot:
        statement = select(table).where(*own).order_by(*table.primary_key)
        return [tuple(row) for row in snapshot.session.connection.execute(statement)]


def silent(name: str, copied: int, total: int) -> None:
    pass


def test_every_row_is_there_afterwards_as_it_was(source: Store, target: Store) -> None:
    owe(source, 5)
    delivered, dead = claim(source), claim(source)
    source.write(
        lambda t: t.queue.settle([retry.after_receipt(delivered, Receipt(detail="ok", status=200), 0.1)])
    )
    rejected = retry.after_error(
        dead, Reject("no"), given.destination("log"), now=datetime.now(UTC), chance=0.5, seconds=0.1
    )
    source.write(lambda t: t.queue.settle([rejected]))
    source.write(lambda t: t.settings.set_default("session_key", "secret"))
    source.write(lambda t: t.destinations.pause("log", "by hand"))
    source.write(
        lambda t: t.threads.leave(t.threads.join("one", delivered, LEASE), delivered, {"ts": "1"}, ())
    )
    source.write(lambda t: t.mirrors.keep("app-db", "users", rows=7, verified_at=t.now))
    for number in range(2 * copy.VERSIONS_AT_ONCE + 1):
        source.write(lambda t, name=f"version {number}": t.versions.serve(name, name.encode()))
    copied = (events, deliveries, attempts, threads, destinations, mirrors, settings, versions)
    before = {table.name: rows(source, table) for table in copied}
    counted = copy.migrate_store(source, target, silent)

    assert counted == {
        "events": 5,
        "deliveries": 5,
        "attempts": 2,
        "threads": 1,
        "audit": 0,
        "audit_subjects": 0,
        "versions": 21,
    }
    after = {table.name: rows(target, table) for table in copied}
    assert after == before
    copy.refuse_migrated(target)


def test_a_source_that_has_moved_takes_no_write_from_any_process(source: Store, target: Store) -> None:
    owe(source)
    other = open_store(source.url)
    copy.migrate_store(source, target, silent)
    try:
        for write in (
            lambda: owe(other),
            lambda: claim(other),
            lambda: other.write(lambda t: t.destinations.pause("log", "by hand")),
            lambda: other.write(lambda t: t.settings.set_default("other", "value")),
        ):
            with pytest.raises(StoreMigrated, match="moved to another; set DATABASE_URL"):
                write()
    finally:
        other.close()
    with pytest.raises(StoreError, match="moved to another"):
        copy.refuse_migrated(source)


def test_what_is_being_sent_is_settled_before_it_is_copied(source: Store, target: Store) -> None:
    owe(source)
    started = claim(source, timedelta(seconds=30))
    reached: list[str] = []

    def settle_then(name: str, copied: int, total: int) -> None:
        reached.append(name)

    mover = threading.Thread(target=copy.migrate_store, args=(source, target, settle_then))
    mover.start()
    given.until(lambda: _is_marked(source))

    with pytest.raises(StoreMigrated):
        owe(source)
    assert reached == []

    source.write(lambda t: t.queue.settle([retry.after_receipt(started, Receipt(detail="ok"), 0.1)]))
    mover.join(30)

    with target.read() as snapshot:
        assert snapshot.delivery_list.record(started.id).state is State.DELIVERED


def test_a_lease_that_runs_out_is_closed_as_unknown_by_the_target(source: Store, target: Store) -> None:
    owe(source)
    started = claim(source)
    copy.migrate_store(source, target, silent)
    (orphan,) = target.write(lambda t: t.overdue.lapsed_claims())

    assert orphan.id == started.id


def test_large_payloads_are_moved_a_part_at_a_time(source: Store, target: Store) -> None:
    payloads = [b'{"n":"%s"}' % (b"x" * size) for size in (1000, 1_000_000, 10)] * 8
    for payload in payloads:
        event = given.event(payload=payload)
        source.write(lambda t, event=event: given.keep(t, event, given.routing()))
    written: list[int] = []
    write = target.write

    def counted(work: Any) -> Any:
        rows = getattr(work, "keywords", {}).get("rows", [])
        written.append(sum(len(row.get("payload") or b"") for row in rows))
        return write(work)

    target.write = counted  # type: ignore[method-assign]
    copy.migrate_store(source, target, lambda *_: None)

    with source.read() as original, target.read() as copied:
        for record in original.event_list.records():
            assert (
                copied.event_list.record(record.id).payload == original.event_list.record(record.id).payload
            )
    assert sum(written) == sum(map(len, payloads))
    assert max(written) < 10 * 1024 * 1024


def test_a_move_that_was_cut_off_goes_on(source: Store, target: Store) -> None:
    ids = owe(source, 7)

    def cut(name: str, copied: int, total: int) -> None:
        if name == "deliveries" and copied >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy.migrate_store(source, target, cut, rows_at_once=2)
    with pytest.raises(StoreError, match="not finished"):
        copy.refuse_migrated(target)
    seen: list[tuple[str, int]] = []
    copy.migrate_store(source, target, lambda name, copied, total: seen.append((name, copied)))

    assert seen[:2] == [("events", 7), ("deliveries", 4)]
    assert [row[0] for row in rows(target, events)] == sorted(ids)
    assert rows(target, deliveries) == rows(source, deliveries)


def test_a_target_that_is_not_empty_is_refused(source: Store, target: Store) -> None:
    owe(source)
    owe(target)

    with pytest.raises(StoreError, match="not empty"):
        copy.migrate_store(source, target, silent)
    assert len(owe(source)) == 1


def test_a_target_that_was_used_for_nothing_but_a_session_is_not_empty(source: Store, target: Store) -> None:
    target.write(lambda t: t.settings.set_default("session_key", "secret"))

    with pytest.raises(StoreError, match="not empty"):
        copy.migrate_store(source, target, silent)


def test_a_database_is_not_moved_into_itself(source: Store) -> None:
    same = open_store(source.url)
    try:
        with pytest.raises(StoreError, match="the same database"):
            copy.migrate_store(source, same, silent)
    finally:
        same.close()
    assert len(owe(source)) == 1
    copy.refuse_migrated(source)


def test_what_has_moved_is_not_moved_again(source: Store, target: Store, tmp_path: Path) -> None:
    copy.migrate_store(source, target, silent)
    third = open_store(f"sqlite:///{tmp_path / 'third.db'}")
    third.migrate()
    try:
        for store in (target, third):
            with pytest.raises(StoreError, match="moved already"):
                copy.migrate_store(source, store, silent)
    finally:
        third.close()


def test_a_move_that_is_not_complete_can_be_undone(source: Store, target: Store) -> None:
    owe(source, 2)

    def cut(name: str, copied: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy.migrate_store(source, target, cut)
    copy.undo(source, target)

    assert len(owe(source)) == 1
    assert claim(source).destination == "log"
    copy.refuse_migrated(source)


def test_a_move_that_is_complete_cannot_be_undone(source: Store, target: Store) -> None:
    copy.migrate_store(source, target, silent)

    with pytest.raises(StoreError, match="complete"):
        copy.undo(source, target)


def test_what_something_else_wrote_there_is_noticed(source: Store, target: Store) -> None:
    owe(source, 3)
    written: list[str] = []

    def write(name: str, copied: int, total: int) -> None:
        if name == "attempts" and not written:
            written.extend(owe(target))

    with pytest.raises(StoreError, match="events: 3 rows here and 4 there"):
        copy.migrate_store(source, target, write)


def _is_marked(store: Store) -> bool:
    with store.read() as snapshot:
        return snapshot.settings.get("migrated") is not None


def test_what_is_not_copied_is_true_of_its_store_alone() -> None:
    copied = {table.name for table in (*copy.LARGE, *copy.SMALL)}

    assert metadata.tables.keys() - copied == {"terms", "workers", "wrong_keys"}


def test_the_marks_are_all_that_is_not_copied(source: Store, target: Store) -> None:
    source.write(lambda t: t.settings.set_default("a", json.dumps({"b": 1})))
    copy.migrate_store(source, target, silent)

    with target.read() as snapshot:
        assert (
            snapshot.session.connection.execute(select(func.count()).select_from(settings)).scalar_one() == 1
        )
