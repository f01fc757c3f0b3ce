"""Finding: every filter finds what fits all of its conditions, newest first, whichever way it is searched."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest
import sqlalchemy
from sqlalchemy import update

from hub.model.delivery import State
from hub.model.filter import Filter, Neighbours, Period
from hub.model.records import DeliveryRecord, EventRecord
from hub.model.routing import RoutedSend, Routing, Send
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import deliveries

TYPES = ("user.created", "user.updated", "organization.created")
STATES = (State.DELIVERED, State.DEAD, State.HELD, State.PENDING)
FILTERS = [
    Filter(),
    Filter(type="user.created"),
    Filter(type="user.*"),
    Filter(type="*.created", source="stripe"),
    Filter(type="session.*"),
    Filter(source="stripe"),
    Filter(route="b"),
    Filter(destination="mail"),
    Filter(destination="mail", route="b"),
    Filter(destination="mail", route="a"),
    Filter(destination="crm", state=State.DEAD),
    Filter(state=State.HELD, type="user.*"),
    Filter(state=State.DELIVERED),
    Filter(state=State.PENDING),
    Filter(state=State.PENDING, destination="crm", source="stripe"),
    Filter(degraded=True),
    Filter(degraded=True, type="*.created", source="clerk"),
]
NAMES = [repr(vars(where)) for where in FILTERS]


def fill(store: Store) -> None:
    """Some events of each kind, each owed to two destinations, whose deliveries are in every state."""
    kinds = list(itertools.product(("clerk", "stripe"), TYPES, range(2)))
    for number, (source, type_, _) in enumerate(kinds):
        sends = (RoutedSend(route="a", send=Send(to="crm")), RoutedSend(route="b", send=Send(to="mail")))
        event = given.event(type_, source=source)
        routing = Routing(routes=("a", "b"), sends=sends)
        store.write(lambda t, event=event, routing=routing: given.keep(t, event, routing))
        change(store, event.id, state=STATES[number % 4].value, degraded="plain" if number % 3 == 0 else None)
        given.until(lambda made=event.id: given.event().id[:16] > made[:16])


def add_many(store: Store, count: int) -> None:
    """More deliveries than all of them are looked at, of one event."""
    event = given.event("user.created")
    store.write(lambda t: given.keep(t, event, given.routing(*["crm"] * count, route="a")))
    change(store, event.id, state=State.DELIVERED.value, degraded="plain")


def change(store: Store, event_id: str, **values: Any) -> None:
    statement = update(deliveries).where(deliveries.c.event_id == event_id).values(**values)
    store.write(lambda t: t.session.connection.execute(statement).rowcount)


def is_taken(where: Filter, delivery: DeliveryRecord, source: str) -> bool:
    return (
        where.takes(source, delivery.type)
        and where.route in (None, delivery.route)
        and where.destination in (None, delivery.destination)
        and where.state in (None, delivery.state)
        and not (where.degraded and delivery.degraded is None)
    )


def pages(find: Any, where: Filter, size: int, most: int) -> Sequence[str]:
    """The ids that a filter finds, read page by page."""
    ids: list[str] = []
    before = None
    while len(ids) < most:
        matches = find(where, limit=size, before=before)
        ids += matches.ids
        before = matches.ids[-1] if len(matches.ids) == size else matches.resume
        if before is None:
            break
    return ids[:most]


@pytest.mark.parametrize("has_many", [False, True], ids=["few", "many"])
def test_every_filter_finds_what_fits(store: Store, many: int, has_many: bool) -> None:
    fill(store)
    if has_many:
        add_many(store, many)
        fill(store)
    with store.read() as snapshot:
        events = {record.id: record for record in snapshot.event_list.records(limit=100)}
        owed = snapshot.delivery_list.records(limit=many + 100)
        assert (len(events), len(owed)) == ((25, many + 48) if has_many else (12, 24))
        for where in FILTERS:
            taken = [record for record in owed if is_taken(where, record, events[record.event].source)]
            expected = [record.id for record in taken][:60]

            assert pages(snapshot.delivery_list.find, where, 7, 60) == expected, where
            its_events = events_of(where, events, taken)
            assert pages(snapshot.event_list.find, where, 3, 60) == its_events, where
            for found_by, ids in ((snapshot.delivery_list, expected), (snapshot.event_list, its_events)):
                assert_neighbours(found_by, where, ids)
            counts = snapshot.delivery_list.find(where, limit=3, counted=30)
            assert not counts.is_counted or list(counts.ids) == expected[:30], where


def assert_neighbours(found_by: Any, where: Filter, ids: Sequence[str]) -> None:
    """The newest has none that is newer, and the one below it has two beside it."""
    beside = [None, *ids, None, None]
    for at in range(0, min(len(ids), 3), 2):
        expected = Neighbours(newer=beside[at], older=beside[at + 2])

        assert found_by.neighbours(ids[at], where) == expected, where


def events_of(
    where: Filter, events: dict[str, EventRecord], taken: Sequence[DeliveryRecord]
) -> Sequence[str]:
    if where.is_of_deliveries:
        return sorted({record.event for record in taken}, reverse=True)
    return [record.id for record in events.values() if where.takes(record.source, record.type)]


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last(store: Store) -> None:
    fill(store)
    with store.read() as snapshot:
        records = snapshot.event_list.records()
        third, sixth = records[2], records[5]
        period = Period(since=_milliseconds(sixth.id), until=_milliseconds(third.id))
        between = snapshot.event_list.find(Filter(period=period)).ids
        user = snapshot.event_list.find(Filter(type="*", source="stripe", period=period)).ids

    assert between == [record.id for record in records[3:6]]
    assert user == between


def _milliseconds(event_id: str) -> Any:
    return given.datetime.fromtimestamp(0, given.UTC) + timedelta(milliseconds=int(event_id[4:16], 16))


def test_values_are_counted_by_the_indexes_that_have_them(store: Store) -> None:
    fill(store)
    with store.read() as snapshot:
        values = snapshot.choices.values()

    assert (dict(values.sources), dict(values.types)) == (
        {"clerk": 6, "stripe": 6},
        dict.fromkeys(sorted(TYPES), 4),
    )
    assert (dict(values.routes), dict(values.destinations)) == ({"a": 12, "b": 12}, {"crm": 12, "mail": 12})
    assert (values.states[State.DEAD], values.states[State.PENDING], values.degraded) == (6, 6, 8)


def test_of_an_event_its_deliveries_alone(store: Store) -> None:
    fill(store)
    with store.read() as snapshot:
        event = snapshot.event_list.records()[0]
        mail = snapshot.delivery_list.records(Filter(destination="mail"), event=event.id)
        other = snapshot.delivery_list.records(Filter(source="clerk"), event=event.id)

    assert ([(record.event, record.destination) for record in mail], other) == ([(event.id, "mail")], [])


def test_what_is_rare_among_many_is_found_a_stretch_at_a_time(store: Store, many: int) -> None:
    fill(store)
    add_many(store, many)
    where = Filter(destination="crm", source="stripe", degraded=True)
    with store.read() as snapshot:
        matches = snapshot.delivery_list.find(replace(where, source="clerk"), limit=10)
        older = pages(snapshot.delivery_list.find, where, 10, 100)

    assert (len(matches.ids), len(older)) == (10, 2)


def test_a_planner_that_knows_nothing_goes_by_what_is_few(sqlite_store_url: str) -> None:
    store = open_store(sqlite_store_url)
    fill(store)
    where = Filter(route="b", destination="mail", state=State.DEAD, type="user.created", source="clerk")
    statements: list[Any] = []
    with store.read() as snapshot:
        connection = snapshot.session.connection
        sqlalchemy.event.listen(
            connection, "before_cursor_execute", lambda *args: statements.append(args[2:4])
        )
        snapshot.event_list.find(where)
        snapshot.delivery_list.find(where)
        plans = {
            statement: [
                row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
            for statement, values in tuple(statements)
            if "|| ?" in statement
        }
    store.close()
    (of_events, of_deliveries) = plans.values()

    assert any(step.startswith("SEARCH events USING") and "(id=?)" in step for step in of_events), of_events
    assert any("ix_deliveries_event (event_id=?)" in step for step in of_events), of_events
    assert any(step.startswith("SEARCH deliveries") and "(id=?)" in step for step in of_deliveries)
