"""A worker removes by itself what is older than the retention, and only what is owed to nobody."""

from __future__ import annotations

from datetime import timedelta

import given
from sqlalchemy import update
from working import working

from hub.ingest.fanout import fan_out
from hub.model.delivery import State
from hub.model.routing import Send
from hub.store.repositories.events import RoutedEvent
from hub.store.repositories.retention import PRUNE_BATCH
from hub.store.store import Store
from hub.store.tables import deliveries


def test_a_worker_removes_what_is_older_than_the_retention(store: Store) -> None:
    places = (given.destination("crm"), given.destination("waits", options=None, missing=("CRM_URL",)))
    rules = given.rules(given.route("owed", ("user.created",), Send(to="waits")), destinations=places)
    owed = given.event(type_="user.created", received_at=given.NOON - timedelta(days=3))
    old = given.event(type_="role.created", received_at=given.NOON - timedelta(days=3))
    for event in (owed, old):
        fan_out(event, rules, store)
    with working(store, rules, retention=timedelta(days=2)):
        with_payload = given.until(lambda: payloads(store) if len(payloads(store)) < 2 else [])

    assert with_payload == [owed.id]


def test_events_are_taken_in_and_delivered_between_the_batches(store: Store) -> None:
    rules = given.rules(given.route(events=("user.created",)))
    old = given.event(received_at=given.NOON - timedelta(days=900))
    owed = given.routing(*["log"] * (3 * PRUNE_BATCH))
    store.write(lambda t: t.events.insert([RoutedEvent(event=old, routing=owed)]))
    long_ago = {"state": State.DELIVERED, "delivered_at": given.NOON, "finished_at": old.received_at}
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(long_ago)) and None)
    with working(store, rules, retention=timedelta(days=2)):
        ids = {fan_out(given.event(), rules, store).event_id for _ in range(20)}
        given.until(lambda: set(payloads(store)) == ids, seconds=20)
        given.until(lambda: states_of(store, *ids) == {State.DELIVERED}, seconds=20)

    assert states_of(store, old.id) == set()


def states_of(store: Store, *event_ids: str | None) -> set[State]:
    with store.read() as snapshot:
        return {
            state
            for event in snapshot.event_list.records()
            if event.id in event_ids
            for state in event.states
        }


def payloads(store: Store) -> list[str]:
    with store.read() as snapshot:
        return [record.id for record in snapshot.event_list.records() if record.payload is not None]
