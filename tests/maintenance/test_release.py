"""What waits for a variable, or for a table, is due at no time, and goes once a worker finds it there."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import given
from servers.http_receiver import HttpReceiver
from sqlalchemy import update
from working import working

from hub import operator
from hub.delivery.retry import after_error
from hub.destinations.database.options import DatabaseOptions
from hub.errors import Pause
from hub.health.assess import assess
from hub.health.facts import notifier_facts, waiting_facts
from hub.health.waiting import WaitCode, why
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.maintenance.clock import SteadyClock
from hub.maintenance.expire import expire
from hub.maintenance.release import release, release_parts
from hub.maintenance.runner import asking_tasks
from hub.model.delivery import State
from hub.model.finding import FindingCode
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
        return sorted(snapshot.delivery_list.records(), key=lambda record: not record.needs)


def waiting(store: Store) -> DeliveryRecord:
    return next(record for record in records(store) if record.needs)


def test_what_lacks_a_variable_stands_before_no_other_and_is_not_counted_as_due(store: Store) -> None:
    fan_out(given.event(), rules("KEY"), store)
    first, second = records(store)
    with store.transaction() as transaction:
        transaction.destinations.mark_configured({"crm": True})
    with store.transaction() as transaction:
        locked = transaction.queue.lock(due_of=["crm"])
        stats = transaction.numbers.stats()
    (claim,) = given.claim(store, "crm", 10, first_count=5)

    assert (first.needs, first.due_at, first.state) == (("KEY",), None, State.PENDING)
    assert (second.needs, claim.id) == ((), second.id)
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
    assert waiting(store).needs == ("KEY", "REGION")
    assert not release(store, rules(KEY="k", REGION="eu"))
    assert release(store, rules(KEY="k", REGION="eu"))
    (after,) = [record for record in records(store) if record.id == before.id]
    assert (after.needs, after.due_at is not None, after.attempts) == ((), True, 0)


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
            given.until(lambda: [record for record in records(store) if record.needs])
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
    one, other = (record for record in records(store) if record.needs)
    operator.cancel(store, one.id)
    operator.retry(store, today, other.id)
    by_id = {record.id: record for record in records(store)}

    assert (by_id[one.id].state, by_id[one.id].needs) == (State.CANCELLED, ())
    assert (by_id[other.id].due_at is not None, by_id[other.id].needs) == (True, ())


# -- tables ------------------------------------------------------------------------------------------


def rules_of_mirror(path: Path, *, enabled: bool = True) -> Rules:
    """A route to `app-db`, whose database is a file that need not be there."""
    options = DatabaseOptions.model_validate({"url": f"sqlite:///{path}", "migrate": "print"})
    database = replace(given.destination("app-db"), type="database", options=options, enabled=enabled)
    return given.rules(given.route("all", ("*",), "app-db"), destinations=(database,))


def wait_for_table(store: Store, today: Rules, *, count: int = 1) -> None:
    """Owe so many rows, which wait for a table of the user's own."""
    for _ in range(count):
        fan_out(given.event(), today, store)
    error = Pause("there is no table members; make it", needs=["members()"])
    config = today.config.destinations["app-db"]
    with store.transaction() as transaction:
        transaction.destinations.mark_configured({"app-db": True})
    claims = given.claim(store, "app-db", count, first_count=count)
    with store.transaction() as transaction:
        now = transaction.now
        settled = [after_error(one, error, config, now=now, chance=0.5, seconds=0.1) for one in claims]
        transaction.queue.settle(settled)


def test_what_waits_for_a_table_is_due_once_that_is_there(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "app" / "app.db"
    today = rules_of_mirror(path)
    wait_for_table(store, today, count=2)
    needs = [record.needs for record in records(store)]
    release(store, today)
    release_parts(store, today)  # its database is away
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE hub_versions (id text)")
        release_parts(store, today)
        before = [record.needs for record in records(store)]
        connection.execute("CREATE TABLE members (id text)")
    release_parts(store, rules_of_mirror(path, enabled=False))
    switched_off = [record.needs for record in records(store)]
    (task,) = asking_tasks(store, lambda: today)
    task.run()

    assert needs == before == switched_off == [("app-db/members()",)] * 2
    assert [(record.needs, record.due_at is None, record.tries) for record in records(store)] == [
        ((), False, 0)
    ] * 2


def test_what_waits_for_a_table_is_never_given_up_and_is_told(store: Store, tmp_path: Path) -> None:
    today = rules_of_mirror(tmp_path / "app.db")
    wait_for_table(store, today)
    with store.transaction() as transaction:
        long_ago = transaction.now - timedelta(days=9)
        transaction.session.connection.execute(update(deliveries).values(created_at=long_ago))
    expire(store, today, SteadyClock(store, 0.0))
    with store.read() as snapshot:
        facts = notifier_facts(snapshot, today.config, None)
    (finding,) = [finding for finding in assess(facts) if finding.code is FindingCode.MIGRATION]

    assert [record.state for record in records(store)] == [State.PENDING]
    assert (finding.subject, finding.count, finding.since) == ("app-db", 1, long_ago)
    assert (finding.reason, finding.cure) == ("there is no table members", "make it")
