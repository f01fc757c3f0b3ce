"""Messages that went out in another form: listed, counted for ever, and found while their files serve."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest
import sqlalchemy
from sqlalchemy import update

from hub import catalog
from hub.delivery import retry
from hub.errors import Retry
from hub.health.facts import FileFacts, page_facts
from hub.maintenance.prune import prune_batch
from hub.model.delivery import Receipt, State
from hub.model.filter import Filter
from hub.model.routing import Send
from hub.store.open import open_store
from hub.store.repositories.retention import Prunable
from hub.store.store import Store
from hub.store.tables import deliveries

WHY = "template failed: slack/waitlist.j2:1: no"
DAY = timedelta(days=1)


def deliver(
    store: Store, name: str = "crm", degraded: str | None = WHY, version: str = "v1", **changes: Any
) -> str:
    """Deliver a new event to a destination; the delivery's id."""
    event = given.event(**changes)
    routing = given.of_version(Send(to=name), version)
    store.write(lambda t: given.keep(t, event, routing))
    (claim,) = given.claim(store, name)
    sent = replace(claim, message={"text": "x"}, degraded=degraded)
    store.write(lambda t: t.queue.settle([retry.after_receipt(sent, Receipt(detail="ok"), 0.1)]))
    return claim.id


def test_a_list_of_them_leaves_out_all_others(store: Store) -> None:
    deliver(store, degraded=None)
    ids = [deliver(store), deliver(store, "mail"), deliver(store)]
    with store.read() as snapshot:
        everywhere = snapshot.delivery_list.records(Filter(degraded=True))
        crm = snapshot.delivery_list.records(
            Filter(degraded=True, destination="crm", state=State.DELIVERED), limit=1
        )
        older = snapshot.delivery_list.records(Filter(degraded=True, destination="crm"), before=crm[-1].id)

    assert [record.id for record in everywhere] == ids[::-1]
    assert [record.id for record in crm + older] == [ids[2], ids[0]]


def test_their_number_never_falls_though_they_are_pruned(store: Store) -> None:
    deliver(store), deliver(store), deliver(store, "mail"), deliver(store, degraded=None)
    with store.read() as snapshot:
        before = snapshot.metrics.degraded()
        later = snapshot.now + DAY
    store.write(lambda t: t.retention.prune(Prunable.DELIVERED, later, 2))
    deliver(store)
    with store.read() as snapshot:
        after = snapshot.metrics.degraded()
    prune_batch(store, -DAY)
    with store.read() as snapshot:
        pruned = snapshot.metrics.degraded()

    assert (before, after, pruned) == ({"crm": 2, "mail": 1}, *({"crm": 3, "mail": 1},) * 2)


def test_what_is_still_to_go_out_is_not_counted(store: Store) -> None:
    event = given.event()
    store.write(lambda t: given.keep(t, event, given.routing("crm")))
    (claim,) = given.claim(store, "crm")
    failed = retry.after_error(
        replace(claim, degraded=WHY),
        Retry("503"),
        given.destination(),
        now=given.NOON,
        chance=0.5,
        seconds=1,
    )
    store.write(lambda t: t.queue.settle([failed]))
    with store.read() as snapshot:
        assert snapshot.metrics.degraded().get("crm", 0) == 0
        assert [record.id for record in snapshot.delivery_list.records(Filter(degraded=True))] == [claim.id]


def test_those_of_the_files_that_serve_are_a_fact_with_the_last_reason(store: Store) -> None:
    deliver(store), deliver(store, degraded="template failed: the last")
    deliver(store, "mail"), deliver(store, degraded=None)
    deliver(store, version="v0"), deliver(store, type_=catalog.PROBLEM, source="hub")
    old = deliver(store, "log")
    changed = update(deliveries).where(deliveries.c.id == old).values(id="dlv_000000000000")
    store.write(lambda t: t.session.connection.execute(changed) and None)
    config = replace(given.config(), version="v1")
    with store.read() as snapshot:
        facts = page_facts(store, snapshot, FileFacts(config=config), snapshot.numbers.stats())
        mended = snapshot.degraded.lately("v2", DAY)

    assert facts.store is not None
    assert [(one.destination, one.count, one.reason) for one in facts.store.degraded] == [
        ("crm", 2, "template failed: the last"),
        ("mail", 1, WHY),
    ]
    assert mended == ()


def test_one_time_secrets_stand_in_no_reason(store: Store) -> None:
    url = "https://accounts.example.com/v1/tickets/accept?ticket=eyJhbGciOi"
    deliver(store, degraded=f"template failed: {url}", type_="invitation.created", data={"url": url})
    config = replace(given.config(), version="v1")
    with store.read() as snapshot:
        facts = page_facts(store, snapshot, FileFacts(config=config), snapshot.numbers.stats())

    assert facts.store is not None
    assert "ticket" not in facts.store.degraded[0].reason


@pytest.mark.parametrize("look", ["list", "list of a state", "number", "fact"])
def test_they_are_found_by_an_index_of_their_own(sqlite_store_url: str, look: str) -> None:
    store = open_store(sqlite_store_url)
    deliver(store)
    statements: list[Any] = []
    with store.read() as snapshot:
        connection = snapshot.session.connection
        sqlalchemy.event.listen(
            connection, "before_cursor_execute", lambda *args: statements.append(args[2:4])
        )
        match look:
            case "list":
                snapshot.delivery_list.find(Filter(degraded=True), limit=9)
            case "list of a state":
                snapshot.delivery_list.find(
                    Filter(state=State.DELIVERED, destination="crm", degraded=True), limit=9
                )
            case "number":
                snapshot.metrics.degraded()
            case "fact":
                snapshot.degraded.lately("v1", DAY)
        steps = [
            row[3]
            for statement, values in tuple(statements)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    store.close()

    assert any("ix_deliveries_degraded" in step for step in steps), steps
    assert [step for step in steps if step.startswith("SCAN deliveries") and "degraded" not in step] == []
