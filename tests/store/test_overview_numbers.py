"""Numbers of the overview: events by half hours, what events still owe, and the first of everything."""

from __future__ import annotations

from datetime import timedelta

import given
from sqlalchemy import insert, update

from hub.ingest.fanout import fan_out
from hub.model.delivery import State
from hub.model.event import new_id
from hub.model.source import NO_SOURCE
from hub.store.store import Store
from hub.store.tables import counters, deliveries, refusals, sources

CONFIG = given.config(
    given.route("all", ("*",), "log", "crm"),
    destinations=(given.destination("log"), given.destination("crm")),
)
RULES = given.load_rules(CONFIG)


def change(store: Store, *statements: object) -> None:
    store.write(lambda t: [t.session.connection.execute(one) for one in statements] and None)  # type: ignore[call-overload]


def test_events_are_counted_by_half_hours_as_their_ids_have_it(store: Store) -> None:
    with store.read() as snapshot:
        now = snapshot.now
    for ago in (timedelta(minutes=1), timedelta(minutes=2), timedelta(hours=2), timedelta(days=2)):
        fan_out(given.event(id=new_id("evt", now - ago)), RULES, store)
    with store.read() as snapshot:
        day = snapshot.numbers.last_day()

    assert len(day) == 48
    assert (sum(day), day[47]) == (3, 2)
    assert sum(day[42:45]) == 1


def test_what_was_not_sent_of_an_event_is_known_by_its_destinations(store: Store) -> None:
    event = given.event()
    fan_out(event, RULES, store)
    change(store, update(deliveries).where(deliveries.c.destination == "log").values(state="delivered"))
    with store.read() as snapshot:
        assert snapshot.numbers.owed_to([event.id]) == {event.id: {State.PENDING: ["crm"]}}
        assert snapshot.numbers.owed_to([]) == {}


def test_a_first_request_is_seen_whatever_it_was_answered(store: Store) -> None:
    stray = {
        "source": NO_SOURCE,
        "code": "unknown_path",
        "hour": given.NOON,
        "count": 1,
        "last_at": given.NOON,
    }
    seen = []
    for statement in (
        insert(refusals).values(stray),
        insert(refusals).values({**stray, "source": "clerk", "code": "not_configured"}),
    ):
        change(store, statement)
        with store.read() as snapshot:
            seen.append(snapshot.sources.was_asked())

    assert seen == [False, True]


def test_a_first_genuine_request_is_seen(store: Store) -> None:
    change(store, insert(sources).values(name="clerk", accepted_at=given.NOON))
    with store.read() as snapshot:
        assert snapshot.sources.was_asked()


def test_a_first_event_is_a_senders(store: Store) -> None:
    seen = []
    for source in ("hub", "clerk"):
        fan_out(given.event(source=source), RULES, store)
        with store.read() as snapshot:
            seen.append(snapshot.numbers.has_event())

    assert seen == [False, True]


def test_a_first_delivery_is_known_for_good(store: Store) -> None:
    fan_out(given.event(), RULES, store)
    with store.read() as snapshot:
        assert not snapshot.metrics.has_delivered()
    change(store, insert(counters).values(name="delivery_seconds", labels="+Inf", count=1))  # pruned
    with store.read() as snapshot:
        assert snapshot.metrics.has_delivered()
