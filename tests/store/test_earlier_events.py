"""The newest event before one about the same object is found by one look into an index."""

from __future__ import annotations

from typing import Any

import given
from sqlalchemy import text, update

from hub.model.event import Event, object_key
from hub.store.sql import statements
from hub.store.store import Store
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


def test_one_look_into_an_index_finds_it(store: Store) -> None:
    keep(store, *(about(f"user_{number % 7}") for number in range(200)))
    with store.transaction() as transaction:
        connection, is_remote = transaction.session.connection, transaction.session.is_remote
        if is_remote:
            connection.execute(text("ANALYZE events"))
            # Of an empty table every plan costs the same.
            for kind in ("seqscan", "bitmapscan", "sort"):
                connection.execute(text(f"SET LOCAL enable_{kind} = off"))
        statement = statements("postgres" if is_remote else "sqlite")["event_before"]
        explain = "EXPLAIN" if is_remote else "EXPLAIN QUERY PLAN"
        values = {"object_key": KEY, "source": "clerk", "id": "evt_1"}
        steps = [row[-1] for row in connection.execute(text(f"{explain} {statement}"), values)]

    assert any("ix_events_object" in step for step in steps), steps
    assert not any("SCAN events" in step or "B-TREE" in step or "Sort" in step for step in steps), steps
