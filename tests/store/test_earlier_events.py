"""The newest event before one about the same object is found by one look into an index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import given
import pytest
from sqlalchemy import event as hooks
from sqlalchemy import text, update

from hub.model.event import Event, object_key
from hub.store.store import Store, Transaction
from hub.store.tables import events

KEY = object_key("user", "user_1")


def keep(store: Store, *kept: Event) -> None:
    for event in kept:
        store.write(lambda t, event=event: given.keep(t, event, given.routing()))


def before(store: Store, event: Event, key: str = KEY) -> Event | None:
    with store.read() as snapshot:
        return snapshot.events.before(event, key)


def about(object_id: str = "user_1", type_: str = "user.updated", **changes: Any) -> Event:
    return given.event(type_, data={"id": object_id}, **changes)


def test_it_is_the_newest_of_those_before_whatever_came_since(store: Store) -> None:
    first, second, third, fourth = (about() for _ in range(4))
    keep(store, fourth, second, first, third)

    assert before(store, third) == second
    assert before(store, second) == first
    assert before(store, first) is None


def test_other_objects_other_kinds_and_other_senders_are_none(store: Store) -> None:
    keep(store, about("user_2"), about(type_="userGroup.updated"), about(source="partner"))
    keep(store, given.event(data={"user": {"id": "user_1"}}))

    assert before(store, about()) is None


def test_an_event_whose_payload_was_pruned_is_none(store: Store) -> None:
    pruned = about()
    keep(store, pruned)
    store.write(
        lambda t: t.session.connection.execute(
            update(events).where(events.c.id == pruned.id).values(payload=None)
        )
    )

    assert before(store, about()) is None


def test_it_is_kept_whatever_the_payload_holds(store: Store) -> None:
    odd = [
        b"no JSON",
        b"\xff",
        b"[]",
        b'{"data": []}',
        b'{"data": {"id": 7}}',
        b'{"data": {"id": "\\u0000"}}',
    ]
    keep(store, *(given.event(payload=payload) for payload in odd))
    with store.read() as snapshot:
        keys = snapshot.session.connection.execute(events.select()).mappings()

        assert [row["object_key"] for row in keys] == [None] * len(odd)


@contextmanager
def explained(transaction: Transaction) -> Iterator[list[str]]:
    """Explain every statement of the block on its connection, after it has run."""
    connection, steps, ran = transaction.session.connection, [], []

    def note(_: Any, __: Any, statement: str, parameters: Any, ___: Any, ____: Any) -> None:
        ran.append((statement, parameters))

    hooks.listen(connection, "before_cursor_execute", note)
    yield steps
    hooks.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN" if transaction.session.is_remote else "EXPLAIN QUERY PLAN"
    for statement, parameters in ran:
        steps += [row[-1] for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)]


@pytest.mark.parametrize("fills", [False, True])
def test_one_look_into_an_index_finds_it(store: Store, fills: bool) -> None:
    keep(store, *(about(f"user_{number % 7}") for number in range(200 if fills else 0)))
    with store.transaction() as transaction:
        if transaction.session.is_remote:
            transaction.session.connection.execute(text("ANALYZE events"))
            transaction.session.connection.execute(text("SET LOCAL enable_seqscan = off"))
        with explained(transaction) as steps:
            transaction.events.before(about(), KEY)

    assert any("ix_events_object" in step for step in steps), steps
    assert not any("SCAN events" in step or "B-TREE" in step or "Sort" in step for step in steps), steps
