"""Totals that metrics read; pruned rows are in the tests of pruning."""

from __future__ import annotations

from datetime import timedelta

import given
from sqlalchemy import update

from hub.model.delivery import State
from hub.store.store import Store
from hub.store.tables import deliveries


def test_events_are_counted_by_source_and_type(store: Store) -> None:
    for source, type_ in [("clerk", "a"), ("clerk", "a"), ("clerk", "b"), ("hub", "a"), ("", "z")]:
        event = given.event(type_, source=source)
        store.write(lambda t, event=event: given.keep(t, event, given.routing()))
    with store.read() as snapshot:
        assert snapshot.metrics.events_by_type() == {
            ("clerk", "a"): 2,
            ("clerk", "b"): 1,
            ("hub", "a"): 1,
            ("", "z"): 1,
        }


def test_delivery_seconds_are_counted_within_bounds(store: Store) -> None:
    for seconds in (0.5, 3.0, 99.0):
        event = given.event()
        store.write(lambda t, event=event: given.keep(t, event, given.routing("log")))
        arrived = update(deliveries).where(deliveries.c.event_id == event.id)
        arrived = arrived.values(
            state=State.DELIVERED,
            created_at=given.NOON,
            delivered_at=given.NOON + timedelta(seconds=seconds),
            finished_at=given.NOON + timedelta(seconds=seconds),
        )
        store.write(lambda t, arrived=arrived: t.session.connection.execute(arrived) and None)
    with store.read() as snapshot:
        assert snapshot.metrics.delivery_seconds() == ([0, 1, 1, 2, 2, 3, 3, 3, 3], 102.5)


def test_an_empty_store_has_no_delivery_seconds(store: Store) -> None:
    with store.read() as snapshot:
        assert snapshot.metrics.delivery_seconds() == ([0] * 9, 0.0)
