"""The facts are looked up from the store, on both dialects."""

from __future__ import annotations

from typing import Any

import given
import pytest
from sqlalchemy import insert, select, update

from hub import catalog
from hub.errors import StoreUnavailable
from hub.health.facts import (
    FileFacts,
    doctor_facts,
    notifier_facts,
    page_facts,
    waiting_facts,
    with_counts,
    without_store,
)
from hub.ingest.fanout import fan_out
from hub.model.delivery import State
from hub.model.filter import Filter
from hub.settings import Settings
from hub.store.copy import MIGRATED
from hub.store.store import Store
from hub.store.tables import attempts, deliveries, destinations

CONFIG = given.config(
    given.route("all", ("*",), "log", "crm"),
    destinations=(given.destination("log"), given.destination("crm")),
)
RULES = given.load_rules(CONFIG)


def change(store: Store, *statements: Any) -> None:
    def work(transaction: Any) -> None:
        for statement in statements:
            transaction.session.connection.execute(statement)

    store.write(work)


def failed(store: Store, type_: str, error: str, data: Any = None) -> None:
    """A delivery to `crm` that failed once, and whose destination's breaker is open."""
    event = given.event(type_, data=data)
    fan_out(event, RULES, store)
    with store.read() as snapshot:
        (delivery,) = snapshot.delivery_list.records(Filter(destination="crm"), event=event.id)
    change(
        store,
        insert(attempts).values(
            delivery_id=delivery.id,
            number=1,
            destination="crm",
            at=given.NOON,
            outcome="failed",
            detail=error,
            answer=f"no: {error}",
        ),
    )


def open_breaker(store: Store) -> None:
    change(store, insert(destinations).values(name="crm", failures=5, probe_at=given.NOON))


def test_each_dialect_gives_an_account_of_itself(store: Store) -> None:
    facts = doctor_facts(store, FileFacts(config=CONFIG), Settings(web_processes=2, db_connections=3))

    assert facts.database is not None
    assert (facts.database.problems, facts.connections_wanted) == ((), 9)
    if store.url.startswith("sqlite"):
        assert facts.database.disk is not None
        assert facts.database.disk.used > 0
    else:
        used, allowed = facts.database.connections or (0, 0)
        assert 0 < used < allowed
        assert abs(facts.database.clock_ahead_seconds or 0.0) < 30


def test_a_page_has_counts_and_of_what_deliveries_are_dead_without_secrets(store: Store) -> None:
    url = "https://accounts.example.com/v1/tickets/accept?ticket=eyJhbGciOi"
    failed(store, "user.created", "HTTP 503")
    failed(store, "invitation.created", f"refused\n{url}", data={"url": url})
    error = select(attempts.c.detail).where(attempts.c.delivery_id == deliveries.c.id).scalar_subquery()
    died = {"state": "dead", "reason": error, "attempts": 1}
    change(store, update(deliveries).where(deliveries.c.destination == "crm").values(died))
    with store.read() as snapshot:
        facts = page_facts(store, snapshot, FileFacts(config=CONFIG), snapshot.numbers.stats())

    assert facts.store is not None
    assert facts.count(State.DEAD, "crm") == 2
    known = facts.store.stuck["crm", State.DEAD]
    assert known.since is not None
    assert sorted((cause.count, cause.reason, cause.answer) for cause in known.causes) == [
        (1, "HTTP 503", "no: HTTP 503"),
        (1, f"refused {catalog.MASK}", f"no: refused {catalog.MASK}"),
    ]
    assert not facts.store.is_migrated


def test_a_worker_counts_only_the_destinations_that_it_has_to_know_of(store: Store) -> None:
    fan_out(given.event(), RULES, store)
    without = given.config(given.route("all", ("*",), "log"))
    with store.read() as snapshot:
        facts = notifier_facts(snapshot, without, store.disk_space())
        counted = with_counts(facts, snapshot, ["log"])

    assert facts.store is not None
    assert facts.store.counts == {("crm", State.PENDING): 1, ("crm", State.DEAD): 0}
    assert counted.count(State.PENDING, "log") == 1


def test_what_is_being_sent_is_known_where_something_waits(store: Store) -> None:
    fan_out(given.event(), RULES, store)
    change(store, update(deliveries).where(deliveries.c.destination == "log").values(state="sending"))
    with store.read() as snapshot:
        facts = waiting_facts(snapshot, CONFIG)

    assert (facts.count(State.SENDING, "log"), facts.count(State.SENDING, "crm")) == (1, 0)


def test_a_store_that_has_moved_says_so(store: Store) -> None:
    store.write(lambda transaction: transaction.settings.set(MIGRATED, "token"))
    with store.read() as snapshot:
        facts = waiting_facts(snapshot, CONFIG)

    assert facts.store is not None
    assert facts.store.is_migrated


@pytest.mark.parametrize("config", [CONFIG, None])
def test_without_a_store_its_error_is_left(config: Any) -> None:
    error = StoreUnavailable("the database cannot be reached", reason="no")
    facts = without_store(FileFacts(config=config), error)

    assert (facts.store, facts.error) == (None, error)
