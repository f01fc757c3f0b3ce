"""The records and numbers that pages and API read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import given
import pytest
import sqlalchemy
from sqlalchemy import update

from hub.errors import NotFound
from hub.model.delivery import State
from hub.model.event import new_id
from hub.model.filter import Filter
from hub.model.routing import Routing, Verdict
from hub.model.stats import Taken
from hub.store.open import open_store
from hub.store.repositories import event_list
from hub.store.repositories.payloads import LISTED_PAYLOAD_BYTES
from hub.store.store import Store
from hub.store.tables import deliveries


def fill(store: Store) -> list[str]:
    """Five events, each owed to `log`; every second to `mail` as well. Their ids, oldest first."""
    ids = []
    for number in range(5):
        event = given.event(f"type.{number % 2}")
        names = ("log", "mail") if number % 2 else ("log",)

        def work(transaction: Any, event: Any = event, names: Any = names) -> None:
            given.keep(transaction, event, given.routing())
            transaction.events.add_deliveries(event, given.routing(*names))

        store.write(work)
        ids.append(event.id)
        given.until(lambda made=event.id: given.event().id[:16] > made[:16])
    return ids


def test_events_are_listed_newest_first_a_page_at_a_time(store: Store) -> None:
    ids = fill(store)
    with store.read() as snapshot:
        first = snapshot.event_list.records(limit=2)
        second = snapshot.event_list.records(limit=2, before=first[-1].id)
        odd = snapshot.event_list.records(Filter(type="type.1"))

    assert [record.id for record in first + second] == ids[:0:-1]
    assert [record.id for record in odd] == [ids[3], ids[1]]
    assert [dict(record.states) for record in odd] == [{State.PENDING: 2}, {State.PENDING: 2}]


def test_deliveries_are_listed_by_state_destination_and_event(store: Store) -> None:
    ids = fill(store)
    given.claim(store, "mail")
    with store.read() as snapshot:
        everything = snapshot.delivery_list.records()
        pages = snapshot.delivery_list.records(limit=4)
        pages += snapshot.delivery_list.records(limit=4, before=pages[-1].id)
        mail, sending = (
            snapshot.delivery_list.records(Filter(destination="mail")),
            snapshot.delivery_list.records(Filter(state=State.SENDING)),
        )
        of_one = snapshot.delivery_list.records(event=ids[3])

    assert [record.id for record in pages] == [record.id for record in everything]
    assert [record.id for record in everything] == sorted((record.id for record in everything), reverse=True)
    assert len(everything) == 7
    assert [record.event for record in mail] == [ids[3], ids[1]]
    assert [record.event for record in sending] == [ids[1]]
    assert {record.destination for record in of_one} == {"log", "mail"}


def test_the_events_of_a_time_are_counted_by_the_routes_that_took_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = [("old", True)], [("waitlist", True), ("vip", False)], [("waitlist", True)], [("vip", False)]
    for number, verdicts in enumerate(taken):
        age = timedelta(days=2) if number == 0 else timedelta(minutes=9 - number)
        at = datetime.now(UTC) - age
        routing = Routing(verdicts=tuple(Verdict(route=name, matched=took) for name, took in verdicts))
        event = given.event(id=new_id("evt", at), received_at=at)
        store.write(lambda transaction, event=event, routing=routing: given.keep(transaction, event, routing))
    own = given.event("hub.test", source="hub")
    store.write(lambda transaction: given.keep(transaction, own, Routing()))
    with store.read() as snapshot:
        whole = snapshot.event_list.taken(snapshot.now - timedelta(days=1))
        monkeypatch.setattr(event_list, "TAKEN_OF", 2)
        part = snapshot.event_list.taken(snapshot.now - timedelta(days=1))

    assert whole == Taken(counts={"waitlist": 2, "unmatched": 1}, events=3, is_whole=True)
    assert part == Taken(counts={"waitlist": 1, "unmatched": 1}, events=2, is_whole=False)


def test_an_unknown_id_is_not_found(store: Store) -> None:
    with store.read() as snapshot:
        with pytest.raises(NotFound, match="there is no event evt_x"):
            snapshot.event_list.record("evt_x")
        with pytest.raises(NotFound, match="there is no delivery dlv_x"):
            snapshot.delivery_list.record("dlv_x")


def test_stats_count_events_and_deliveries(store: Store) -> None:
    fill(store)
    given.claim(store, "mail")
    with store.read() as snapshot:
        stats = snapshot.numbers.stats()

    assert (stats.events, stats.events_last_day) == (5, 5)
    assert dict(stats.deliveries) == {
        ("log", State.PENDING): 5,
        ("mail", State.PENDING): 1,
        ("mail", State.SENDING): 1,
    }
    assert stats.count(State.PENDING) == 6
    assert stats.count(State.SENDING, "mail") == 1
    assert set(stats.oldest_due) == {"log", "mail"}
    assert stats.last_event_at is not None
    assert stats.worker_seen_at is None


def test_the_hubs_own_events_are_none_of_a_sender(store: Store) -> None:
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    sent = given.event(id=new_id("evt", hour_ago), received_at=hour_ago)
    for event in (sent, given.event("hub.problem", source="hub")):
        store.write(lambda transaction, event=event: given.keep(transaction, event, Routing()))
    with store.read() as snapshot:
        stats = snapshot.numbers.stats()

    assert (stats.events, stats.last_event_at) == (2, sent.received_at)


def test_stats_of_an_empty_store_are_zeros(store: Store) -> None:
    with store.read() as snapshot:
        stats = snapshot.numbers.stats()

    assert (stats.events, stats.last_event_at, dict(stats.deliveries)) == (0, None, {})


def test_what_is_held_says_when_it_was_tried_last(store: Store) -> None:
    store.write(lambda transaction: given.keep(transaction, given.event(), given.routing("log")))
    given.fail(store, "log", "answered 503 Service Unavailable")
    with store.read() as snapshot:
        (pending,) = snapshot.delivery_list.records()
    hold = update(deliveries).values(state=State.HELD)
    store.write(lambda transaction: transaction.session.connection.execute(hold) and None)
    with store.read() as snapshot:
        (held,) = snapshot.delivery_list.records()
        alone = snapshot.delivery_list.record(held.id)

    assert pending.tried_at is None
    assert held.tried_at == alone.tried_at == alone.attempt_list[-1].at


def test_a_delivery_that_is_due_later_is_not_overdue(store: Store) -> None:
    fill(store)
    store.write(
        lambda t: (
            t.session.connection.execute(update(deliveries).values(due_at=t.now + timedelta(hours=1)))
            and None
        )
    )
    with store.read() as snapshot:
        assert dict(snapshot.numbers.stats().oldest_due) == {}


def test_a_reader_sees_one_moment_while_others_write(store: Store) -> None:
    fill(store)
    with store.read() as snapshot:
        before = len(snapshot.event_list.records())
        fill(store)
        assert len(snapshot.event_list.records()) == before == 5
    with store.read() as snapshot:
        assert len(snapshot.event_list.records()) == 10


def add(store: Store, count: int, state: State, **changes: Any) -> None:
    """So many deliveries of one event in a state, made at once."""
    event = given.event()

    def work(transaction: Any) -> None:
        given.keep(transaction, event, given.routing())
        transaction.events.add_deliveries(event, given.routing(*["log"] * count))
        owed = update(deliveries).where(deliveries.c.event_id == event.id)
        transaction.session.connection.execute(owed.values(state=state.value, **changes))

    store.write(work)


def test_lists_of_many_and_of_few_have_the_same_order_and_pages(store: Store, many: int) -> None:
    add(store, 3, State.DEAD)
    add(store, many, State.PENDING)
    add(store, 3, State.DEAD)
    with store.read() as snapshot:
        everything = snapshot.delivery_list.records(limit=many + 100)
        for state in (State.DEAD, State.PENDING):
            expected = [record.id for record in everything if record.state is state]
            first = snapshot.delivery_list.records(Filter(state=state), limit=4)
            second = snapshot.delivery_list.records(Filter(state=state), limit=4, before=first[-1].id)

            assert [record.id for record in first + second] == expected[:8]
            assert snapshot.delivery_list.records(Filter(state=state, destination="mail")) == []


@pytest.mark.parametrize("state", State)
def test_a_list_of_few_is_found_by_the_index_of_their_state(sqlite_store_url: str, state: State) -> None:
    store = open_store(sqlite_store_url)
    add(store, 3, state, finished_at=given.NOON)
    with store.read() as snapshot:
        statements: list[Any] = []
        sqlalchemy.event.listen(
            snapshot.session.connection, "before_cursor_execute", lambda *args: statements.append(args[2:4])
        )
        assert len(snapshot.delivery_list.records(Filter(state=state))) == 3
        steps = [
            row[3]
            for statement, values in tuple(statements)
            for row in snapshot.session.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    store.close()

    scans = [step for step in steps if step.startswith("SCAN deliveries")]
    assert len(scans) == 2
    assert all("INDEX ix_deliveries_" in step for step in scans)


def test_a_list_of_deliveries_has_payloads_but_for_large_ones_without_secrets(store: Store) -> None:
    large = {"id": "x", "note": "n" * LISTED_PAYLOAD_BYTES}
    secret, plain = given.event("invitation.created", data=large), given.event("user.created")
    too_large = given.event("role.updated", data=large)
    for event in (secret, plain, too_large):
        store.write(lambda t, event=event: given.keep(t, event, given.routing("log")))
    with store.read() as snapshot:
        listed = {record.event: record for record in snapshot.delivery_list.records()}
        alone = snapshot.delivery_list.record(listed[too_large.id].id)

    assert {event_id: record.payload for event_id, record in listed.items()} == {
        secret.id: secret.payload,
        plain.id: plain.payload,
        too_large.id: None,
    }
    assert alone.payload == too_large.payload
