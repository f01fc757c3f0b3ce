"""The books balance whatever happens to deliveries, and damage is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest
from sqlalchemy import delete, insert, update

from hub import operator
from hub.delivery import retry
from hub.errors import Reject, Retry, SendError, Unknown
from hub.ingest import fanout
from hub.model.delivery import Receipt, State
from hub.model.event import Event
from hub.model.filter import Filter
from hub.model.stats import Accounts
from hub.store.repositories import invariant
from hub.store.repositories.retention import Prunable
from hub.store.store import Store
from hub.store.tables import attempts, deliveries, events

RULES = given.rules(
    given.route("one", ("user.*",), "log", "crm"),
    given.route("two", ("*",), "log"),
    destinations=(given.destination("log"), given.destination("crm")),
)
LEASE = timedelta(seconds=25)


def accounts(store: Store, rows_at_once: int = invariant.ROWS_AT_ONCE) -> Accounts:
    with store.read() as snapshot:
        return snapshot.invariant.accounts(rows_at_once)


def take_in(store: Store, **changes: Any) -> Event:
    event = given.event(**changes)
    fanout.fan_out(event, RULES, store)
    return event


def attempt(store: Store, result: Receipt | SendError, name: str = "log") -> None:
    """Send the delivery of a destination that is due first."""

    claims = [replace(claim, message={"text": "x"}) for claim in given.claim(store, name, lease=LEASE)]

    def work(transaction: Any) -> None:
        for claim in claims:
            if isinstance(result, Receipt):
                transaction.queue.settle([retry.after_receipt(claim, result, 0.1)])
            else:
                config = given.destination(name)
                settled = retry.after_error(
                    claim, result, config, now=transaction.now, chance=0.5, seconds=0.1
                )
                transaction.queue.settle([settled])

    store.write(work)


def change(store: Store, statement: Any) -> None:
    store.write(lambda transaction: transaction.session.connection.execute(statement) and None)


@pytest.fixture
def lived_in(store: Store) -> Store:
    """A store after a life: delivered, waiting, dead, cancelled and revived deliveries, a replay, pruning."""
    first = take_in(store)
    take_in(store, type_="session.created")
    for result in (Receipt(detail="ok"), Retry("503"), Reject("410"), Unknown("it broke off")):
        attempt(store, result)
    attempt(store, Receipt(detail="ok"), "crm")
    later = take_in(store)
    attempt(store, Reject("no"), "crm")
    fanout.fan_out(replace(later, id="evt_again"), RULES, store)
    operator.replay(first.id, RULES, store)
    with store.read() as snapshot:
        waiting = snapshot.delivery_list.records(Filter(state=State.PENDING))
    operator.cancel(store, waiting[0].id)
    operator.cancel(store, waiting[1].id)
    operator.retry(store, RULES, waiting[0].id)
    ages = given.NOON + timedelta(days=100_000)
    for kind in (Prunable.DELIVERED, Prunable.CANCELLED, Prunable.PAYLOADS):
        store.write(lambda t, kind=kind: t.retention.prune(kind, ages, 1))
    operator.send_test(store, RULES, "log")
    return store


@pytest.mark.parametrize("rows_at_once", [2, 5000])
def test_the_books_balance_after_a_life(lived_in: Store, rows_at_once: int) -> None:
    books = accounts(lived_in, rows_at_once)
    with lived_in.read() as snapshot:
        records = snapshot.delivery_list.records(limit=500)

    assert books.discrepancies == ()
    assert books.owed == sum(books.states.values()) == len(records)
    assert {state for state, count in books.states.items() if count} >= {State.PENDING, State.DELIVERED}


def test_an_empty_store_balances(store: Store) -> None:
    books = accounts(store)

    assert (books.owed, sum(books.states.values()), books.discrepancies) == (0, 0, ())


def one(state: State) -> Callable[[Store], str]:
    def find(store: Store) -> str:
        with store.read() as snapshot:
            return snapshot.delivery_list.records(Filter(state=state))[0].id

    return find


def of(delivery_id: str, **values: Any) -> Any:
    return update(deliveries).where(deliveries.c.id == delivery_id).values(**values)


def open_attempt(delivery_id: str) -> Any:
    return insert(attempts).values(delivery_id=delivery_id, number=99, destination="log", at=given.NOON)


DAMAGE: dict[str, tuple[State, Callable[[str], Any]]] = {
    "events lack a delivery that they were owed": (
        State.PENDING,
        lambda id_: delete(deliveries).where(deliveries.c.id == id_),
    ),
    "events have more deliveries than they were owed": (
        State.PENDING,
        lambda id_: update(events).values(owed=events.c.owed - 1),
    ),
    "events have deliveries, but no payload": (
        State.PENDING,
        lambda id_: update(events).values(payload=None),
    ),
    "deliveries are in a state that there is not": (State.PENDING, lambda id_: of(id_, state="lost")),
    "deliveries have lost their event": (State.PENDING, lambda id_: of(id_, event_id="evt_none")),
    "deliveries are being sent without a claim": (State.PENDING, lambda id_: of(id_, state=State.SENDING)),
    "deliveries are claimed, but not being sent": (State.PENDING, lambda id_: of(id_, token="t")),
    "deliveries were delivered at no time": (State.DELIVERED, lambda id_: of(id_, delivered_at=None)),
    "deliveries were delivered by no attempt": (
        State.DELIVERED,
        lambda id_: update(attempts).values(outcome="failed"),
    ),
    "deliveries are finished, but will never be pruned": (
        State.DELIVERED,
        lambda id_: of(id_, finished_at=None),
    ),
    "deliveries have an attempt under way, but are not being sent": (State.DELIVERED, open_attempt),
    "deliveries have another number of attempts than they count": (
        State.DELIVERED,
        lambda id_: of(id_, attempts=7),
    ),
}


@pytest.mark.parametrize("description", DAMAGE)
def test_damage_is_found(lived_in: Store, description: str) -> None:
    state, damage = DAMAGE[description]
    change(lived_in, damage(one(state)(lived_in)))
    discrepancies = accounts(lived_in).discrepancies

    assert description in [discrepancy.description for discrepancy in discrepancies]
    assert all(
        discrepancy.count > 0 and discrepancy.example.startswith(("evt_", "dlv_"))
        for discrepancy in discrepancies
    )


def test_every_rule_is_seen_to_find_something() -> None:
    rules = {
        **invariant._event_rules(invariant._events_with_counts().subquery()),
        **invariant._delivery_rules(invariant._deliveries_with_attempts().subquery()),
    }

    assert set(rules) == set(DAMAGE)


def test_a_reader_keeps_no_writer_waiting(lived_in: Store, open_stores: Callable[..., Store]) -> None:
    other = open_stores()
    with lived_in.read() as snapshot:
        before = snapshot.invariant.accounts()
        take_in(other)
        after = snapshot.invariant.accounts()

    assert after == before
