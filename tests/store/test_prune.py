"""Old rows are removed in batches; ids stay known, counters never fall, nothing owed is touched."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import given
import pytest
from sqlalchemy import select, update

from hub.delivery import retry
from hub.errors import NotFound, Retry
from hub.maintenance.prune import prune_batch
from hub.maintenance.totals import count_totals
from hub.model.delivery import Receipt, State
from hub.model.event import Event, new_id
from hub.model.stats import DELIVERY_SECONDS_BOUNDS
from hub.store.repositories.retention import VERSIONS_KEPT, Prunable
from hub.store.store import Store
from hub.store.tables import deliveries, versions

LONG_AGO = given.NOON - timedelta(days=1000)
LATER = given.NOON + timedelta(days=100_000)


def deliver(store: Store, *names: str, fail_first: bool = False, **changes: Any) -> Event:
    """Take an event in and deliver it to the named destinations."""
    event = given.event(**changes)

    def settle(name: str, result: Receipt | Retry) -> None:
        claims = [replace(claim, message={"text": "x"}) for claim in given.claim(store, name, 100)]

        def work(transaction: Any) -> None:
            for claim in claims:
                if isinstance(result, Receipt):
                    transaction.queue.settle([retry.after_receipt(claim, result, 0.2)])
                    continue
                failed = retry.after_error(
                    claim, result, given.destination(name), now=transaction.now, chance=0.5, seconds=0.1
                )
                transaction.queue.settle([replace(failed, due_at=transaction.now)])

        store.write(work)

    store.write(lambda t: given.keep(t, event, given.routing(*names)))
    for name in set(names):
        if fail_first:
            settle(name, Retry("503", status=503))
        settle(name, Receipt(detail="ok"))
    return event


def prune(store: Store, payloads: datetime, ids: datetime = LONG_AGO, limit: int = 1000) -> int:
    befores = dict.fromkeys(Prunable, payloads) | {Prunable.EVENTS: min(ids, payloads)}
    return sum(
        store.write(lambda t, kind=kind, before=before: t.retention.prune(kind, before, limit))
        for kind, before in befores.items()
    )


def counters(store: Store) -> Any:
    with store.read() as snapshot:
        counts, seconds = snapshot.metrics.delivery_seconds()
        return (
            snapshot.metrics.events_by_type(),
            snapshot.metrics.attempts_by_outcome(),
            counts,
            round(seconds, 6),
        )


def test_finished_deliveries_and_payloads_go_and_message_ids_stay(store: Store) -> None:
    event = deliver(store, "log", "mail")
    removed = prune(store, LATER)
    with store.read() as snapshot:
        record, owed = snapshot.event_list.record(event.id), snapshot.delivery_list.records()

    assert removed == 3
    assert (record.payload, record.states, owed) == (None, {}, [])
    assert store.write(lambda t: given.keep(t, replace(event, id="evt_again"), given.routing())) is False


def test_message_ids_are_forgotten_in_the_end(store: Store) -> None:
    event = deliver(store, "log")
    prune(store, LATER, ids=LATER)
    with store.read() as snapshot, pytest.raises(NotFound):
        snapshot.event_list.record(event.id)


@pytest.mark.parametrize(
    ("retention_days", "age_days", "is_known"),
    [(30, 89, True), (30, 91, False), (200, 150, True), (200, 201, False)],
)
def test_a_message_id_is_known_for_90_days_or_the_retention_where_that_is_longer(
    store: Store, retention_days: int, age_days: int, is_known: bool
) -> None:
    event = given.event(received_at=datetime.now(UTC) - timedelta(days=age_days))
    store.write(lambda t: given.keep(t, event, given.routing()))
    for _ in range(2):
        prune_batch(store, timedelta(days=retention_days))

    assert (
        store.write(lambda t: given.keep(t, replace(event, id="evt_again"), given.routing())) is not is_known
    )


def test_what_is_young_stays(store: Store) -> None:
    event = deliver(store, "log")

    assert prune(store, event.received_at - timedelta(seconds=1)) == 0


@pytest.mark.parametrize("state", [State.PENDING, State.SENDING, State.DEAD, State.HELD])
def test_what_may_still_be_sent_keeps_its_payload(store: Store, state: State) -> None:
    event = deliver(store, "log", "mail")
    change = (
        update(deliveries).where(deliveries.c.destination == "mail").values(state=state, finished_at=None)
    )
    store.write(lambda t: t.session.connection.execute(change) and None)
    removed = prune(store, LATER, ids=LATER)
    with store.read() as snapshot:
        record = snapshot.event_list.record(event.id)

    assert removed == 1
    assert (record.payload, record.states) == (event.payload, {state: 1})


def test_pruning_goes_in_batches(store: Store) -> None:
    for _ in range(7):
        deliver(store, "log")

    removed = [prune(store, LATER, limit=3) for _ in range(6)]

    assert removed[0] == 3 + 3
    assert sum(removed) == 14
    assert removed[-1] == 0


@pytest.mark.parametrize("is_counted", [False, True], ids=["uncounted", "counted"])
def test_counters_never_fall(store: Store, is_counted: bool) -> None:
    for number in range(6):
        deliver(store, "log", "mail", fail_first=True, type_=f"type.{number % 2}")
    store.write(
        lambda t: (
            t.session.connection.execute(
                update(deliveries).values(delivered_at=t.now, created_at=t.now - timedelta(milliseconds=400))
            )
            and None
        )
    )
    before = counters(store)
    with store.read() as snapshot:
        stats = snapshot.numbers.stats()
    while is_counted and not count_totals(store, most=1, settled=timedelta(0)):
        # What others prune in the meantime is counted once.
        prune(store, LATER, ids=LATER, limit=1)
    for _ in range(20):
        prune(store, LATER, ids=LATER, limit=2)

    assert counters(store) == before
    assert (stats.events, stats.count(State.DELIVERED)) == (6, 12)
    assert before[0] == {("clerk", "type.0"): 3, ("clerk", "type.1"): 3}
    assert before[1] == {
        ("log", "failed"): 6,
        ("log", "delivered"): 6,
        ("mail", "failed"): 6,
        ("mail", "delivered"): 6,
    }
    assert before[2] == [0, *[12] * len(DELIVERY_SECONDS_BOUNDS)]
    assert before[3] == pytest.approx(4.8)
    with store.read() as snapshot:
        assert snapshot.event_list.records() == []
        assert (snapshot.numbers.stats().events, dict(snapshot.numbers.stats().deliveries)) == (0, {})


def kept_versions(store: Store) -> list[str]:
    with store.read() as snapshot:
        return list(snapshot.session.connection.execute(select(versions.c.version)).scalars())


def given_versions(store: Store, count: int, age: timedelta) -> list[str]:
    """Versions in the order in which they began to serve, none used for so long."""
    names = [f"version {number:02}" for number in range(count)]
    for name in names:
        store.write(lambda t, name=name: t.versions.serve(name, b"files"))
    store.write(lambda t: t.session.connection.execute(update(versions).values(seen_at=t.now - age)))
    return names


def test_a_version_goes_with_its_last_delivery_and_the_last_ten_stay(store: Store) -> None:
    names = given_versions(store, VERSIONS_KEPT + 3, timedelta(days=40))
    routing = replace(given.routing("log"), version=names[1])
    store.write(lambda t: given.keep(t, given.event(), routing))
    old_id = new_id("dlv", datetime.now(UTC) - timedelta(days=40))
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(id=old_id)))
    prune_batch(store, timedelta(days=30))

    assert sorted(kept_versions(store)) == [names[1], *names[3:]]

    (claim,) = given.claim(store)
    store.write(lambda t: t.queue.settle([retry.after_receipt(claim, Receipt(detail="ok"), 0.2)]))
    long_ago = datetime.now(UTC) - timedelta(days=31)
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(finished_at=long_ago)))
    prune_batch(store, timedelta(days=30))

    assert sorted(kept_versions(store)) == names[3:]


@pytest.mark.parametrize(("retention_hours", "age_hours"), [(720, 719), (1, 23)])
def test_a_version_that_a_process_went_by_lately_stays(
    store: Store, retention_hours: int, age_hours: int
) -> None:
    names = given_versions(store, VERSIONS_KEPT + 3, timedelta(hours=age_hours))
    prune_batch(store, timedelta(hours=retention_hours))

    assert sorted(kept_versions(store)) == names


def test_processes_that_prune_at_once_count_everything_once(open_stores: Callable[..., Store]) -> None:
    stores = [open_stores() for _ in range(3)]
    for _ in range(20):
        deliver(stores[0], "log")
    before = counters(stores[0])
    with ThreadPoolExecutor(6) as pool:
        removed = list(pool.map(lambda n: prune(stores[n % 3], LATER, ids=LATER, limit=4), range(60)))
    removed += [prune(stores[0], LATER, ids=LATER) for _ in range(2)]

    assert sum(removed) == 60
    assert counters(stores[0]) == before
