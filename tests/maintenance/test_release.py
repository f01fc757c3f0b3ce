"""What waits for a variable of its send block is due at no time, and goes once a worker has the variable."""

from __future__ import annotations

from datetime import timedelta

import given
from servers.http_receiver import HttpReceiver
from sqlalchemy import update
from working import working

from hub import operator
from hub.health.facts import waiting_facts
from hub.health.waiting import WaitCode, why
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.maintenance.clock import SteadyClock
from hub.maintenance.expire import expire
from hub.maintenance.release import release
from hub.model.delivery import State
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.store import Store
from hub.store.tables import deliveries


def rules(*unset: str, url: str = "https://crm.test", **environment: str) -> Rules:
    """One route to `crm`; its first block needs variables, of which some are not set where events come in."""
    fields = {"json": {"key": "${KEY}", "region": "${REGION:-eu}"}}
    lacking, other = Send(to="crm", fields=fields, unset=unset), Send(to="crm", fields={"json": {"a": 1}})
    return given.rules(
        given.route("all", ("*",), lacking, other),
        destinations=(given.destination("crm", url=url, give_up_after_seconds=3600.0),),
        environment=environment,
    )


def records(store: Store) -> list[DeliveryRecord]:
    """The deliveries, those first that wait for a variable."""
    with store.read() as snapshot:
        return sorted(snapshot.delivery_list.records(), key=lambda record: not record.unset)


def waiting(store: Store) -> DeliveryRecord:
    return next(record for record in records(store) if record.unset)


def test_what_lacks_a_variable_stands_before_no_other_and_is_not_counted_as_due(store: Store) -> None:
    fan_out(given.event(), rules("KEY"), store)
    first, second = records(store)
    with store.transaction() as transaction:
        transaction.destinations.mark_configured({"crm": True})
    with store.transaction() as transaction:
        locked = transaction.queue.lock(due_of=["crm"])
        stats = transaction.numbers.stats()
    (claim,) = given.claim(store, "crm", 10, first_count=5)

    assert (first.unset, first.due_at, first.state) == (("KEY",), None, State.PENDING)
    assert (second.unset, claim.id) == ((), second.id)
    assert (locked.waiting["crm"].due, locked.waiting["crm"].next_at) == (1, None)
    assert stats.oldest_due == {"crm": second.due_at}
    assert stats.count(State.PENDING, "crm") == 2


def test_where_only_such_wait_there_is_nothing_to_do(store: Store) -> None:
    fan_out(given.event(), rules("KEY"), store)
    given.claim(store, "crm", 10)
    with store.transaction() as transaction:
        transaction.destinations.mark_configured({"crm": True})
    with store.transaction() as transaction:
        locked = transaction.queue.lock(due_of=["crm"])

    assert (locked.waiting["crm"].due, locked.waiting["crm"].next_at, locked.states) == (0, None, {})


def test_it_stands_outside_of_give_up_after(store: Store) -> None:
    fan_out(given.event(), today := rules("KEY"), store)
    long_ago = timedelta(days=9)
    with store.transaction() as transaction:
        since = transaction.now - long_ago
        older = update(deliveries).values(created_at=since)
        transaction.session.connection.execute(older)
        transaction.session.connection.execute(
            update(deliveries).where(deliveries.c.owed_since.is_not(None)).values(owed_since=since)
        )
    expire(store, today, SteadyClock(store, 0.0))

    assert [record.state for record in records(store)] == [State.PENDING, State.DEAD]


def test_it_is_due_once_a_worker_has_all_of_its_variables(store: Store) -> None:
    fan_out(given.event(), rules("KEY", "REGION"), store)
    before = waiting(store)

    assert release(store, rules(KEY="k"))
    assert waiting(store).unset == ("KEY", "REGION")
    assert not release(store, rules(KEY="k", REGION="eu"))
    assert release(store, rules(KEY="k", REGION="eu"))
    (after,) = [record for record in records(store) if record.id == before.id]
    assert (after.unset, after.due_at is not None, after.attempts) == ((), True, 0)


def test_a_batch_at_a_time_is_released(store: Store) -> None:
    for _ in range(3):
        fan_out(given.event(), rules("KEY"), store)
    with store.transaction() as transaction:
        first = transaction.queue.release(("KEY",), limit=2)
        second = transaction.queue.release(("KEY",), limit=2)

    assert (first, second) == (2, 1)


def test_a_worker_without_the_variable_lets_it_wait_and_one_with_it_sends(store: Store) -> None:
    with HttpReceiver() as crm:
        without, with_all = rules(url=crm.url), rules(url=crm.url, KEY='k"ey')
        with working(store, without):
            fan_out(given.event(), without, store)
            given.until(lambda: [record for record in records(store) if record.unset])
            given.until(lambda: records(store)[1].state is State.DELIVERED)
        lacking = waiting(store)
        with working(store, with_all):
            bodies = {request.body for request in crm.wait_for(2)}
            given.until(lambda: all(record.state is State.DELIVERED for record in records(store)))

    assert (lacking.attempts, lacking.attempt_list, lacking.state) == (0, (), State.PENDING)
    assert bodies == {b'{"key": "k\\"ey", "region": "eu"}', b'{"a": 1}'}


def test_why_it_waits_names_the_variable(store: Store) -> None:
    today = rules("KEY")
    fan_out(given.event(), today, store)
    with store.transaction() as transaction:
        transaction.workers.beat("w", transaction.now, forget_after=timedelta(hours=1))
        facts = waiting_facts(transaction, today.config)
    reason = why(waiting(store), facts)

    assert reason is not None
    assert (reason.code, reason.needs_somebody) == (WaitCode.NOT_CONFIGURED, True)
    assert reason.text == "KEY is not set"


def test_an_operator_ends_it_or_makes_it_due(store: Store) -> None:
    today = rules("KEY")
    fan_out(given.event(), today, store)
    fan_out(given.event(), today, store)
    one, other = (record for record in records(store) if record.unset)
    operator.cancel(store, one.id)
    operator.retry(store, today, other.id)
    by_id = {record.id: record for record in records(store)}

    assert (by_id[one.id].state, by_id[one.id].unset) == (State.CANCELLED, ())
    assert (by_id[other.id].due_at is not None, by_id[other.id].unset) == (True, ())
