"""The deliveries table is the queue: claimed once, fenced by a token, given back by a lease."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import psycopg
import pytest
from sqlalchemy import select, text, update

from hub.delivery import retry
from hub.errors import Retry, SendError, StoreUnavailable, Unknown
from hub.model.delivery import Claim, Receipt, Settlement, State
from hub.model.destination import DestinationState
from hub.model.records import DeliveryRecord
from hub.store.engine import postgres
from hub.store.open import open_store
from hub.store.repositories.queue import COUNTED, ClaimRequest
from hub.store.sql import scripts, statements
from hub.store.store import Store, Transaction
from hub.store.tables import attempts, deliveries, events

LEASE = timedelta(seconds=25)
LONG = timedelta(days=3)


def owe(store: Store, *names: str, **changes: Any) -> str:
    """Owe a new event to the named destinations; the event's id."""
    event = given.event(**changes)

    def work(transaction: Any) -> None:
        given.keep(transaction, event, given.routing())
        transaction.events.add_deliveries(event, given.routing(*names))

    store.write(work)
    return event.id


def claim(store: Store, name: str = "log", count: int = 1, **changes: Any) -> list[Claim]:
    """Claims as they are when their message is rendered."""
    return [replace(one, message={"text": "hello"}) for one in given.claim(store, name, count, **changes)]


def settle(store: Store, *settlements: Settlement) -> set[str]:
    def work(transaction: Any) -> set[str]:
        owned = transaction.queue.lock((), [settlement.claim for settlement in settlements]).owned
        transaction.queue.settle([settlement for settlement in settlements if settlement.claim.id in owned])
        return owned

    return store.write(work)


def record(store: Store, delivery_id: str) -> DeliveryRecord:
    with store.read() as snapshot:
        return snapshot.delivery_list.record(delivery_id)


def change(store: Store, table: Any, **values: Any) -> None:
    store.write(lambda t: t.session.connection.execute(update(table).values(**values)) and None)


def now(store: Store) -> Any:
    with store.read() as snapshot:
        return snapshot.now


# -- claiming -------------------------------------------------------------------------------------


def test_a_claim_brings_all_that_sending_needs(store: Store) -> None:
    event_id = owe(store, "log", type_="user.created", data={"id": "user_9"})
    (mine,) = given.claim(store, token="mine")

    assert (mine.event.id, mine.event.type, mine.event.data) == (event_id, "user.created", {"id": "user_9"})
    assert (mine.route, mine.destination, mine.send.to, mine.token) == ("all", "log", "log", "mine")
    assert (mine.attempts, mine.tries, mine.message, mine.accepted) == (1, 1, None, ())
    assert record(store, mine.id).state is State.SENDING


def test_only_what_is_due_is_claimed_the_longest_due_first(store: Store) -> None:
    ids = [owe(store, "log") for _ in range(3)]
    moment = now(store)
    for event_id, minutes in zip(ids, (-1, 10, -5), strict=True):
        store.write(
            lambda t, e=event_id, m=minutes: (
                t.session.connection.execute(
                    update(deliveries)
                    .where(deliveries.c.event_id == e)
                    .values(due_at=moment + timedelta(minutes=m))
                )
                and None
            )
        )
    claimed = claim(store, count=10)

    assert [one.event.id for one in claimed] == [ids[2], ids[0]]


def owe_retries_and_first_attempts(store: Store, retries: int, firsts: int, name: str = "log") -> None:
    """Retries that are long overdue, and what has just become owed."""
    for _ in range(retries):
        owe(store, name)
    change(store, deliveries, tries=1, due_at=now(store) - timedelta(hours=1))
    for _ in range(firsts):
        owe(store, name)


@pytest.mark.parametrize(
    ("retries", "firsts", "first_count", "tries"),
    [
        (9, 9, 2, [1, 1, 2, 2]),
        (9, 9, 0, [2, 2, 2, 2]),
        (9, 9, 4, [1, 1, 1, 1]),
        (9, 1, 2, [1, 2, 2, 2]),
        (9, 0, 2, [2, 2, 2, 2]),
        (1, 9, 2, [1, 1, 1, 2]),
        (0, 9, 2, [1, 1, 1, 1]),
        (0, 3, 2, [1, 1, 1]),
    ],
)
def test_a_claim_has_a_share_for_first_attempts_and_fills_it_up(
    store: Store, retries: int, firsts: int, first_count: int, tries: list[int]
) -> None:
    owe_retries_and_first_attempts(store, retries, firsts)
    claims = given.claim(store, count=4, first_count=first_count)

    assert sorted(claim.tries for claim in claims) == tries


def test_a_retry_does_not_wait_behind_what_is_longer_due_and_was_never_tried(store: Store) -> None:
    for _ in range(5):
        owe(store, "log")
    retried = owe(store, "log")
    of_it = deliveries.c.event_id == retried
    store.write(
        lambda t: t.session.connection.execute(update(deliveries).where(of_it).values(tries=1)) and None
    )

    assert [claim.event.id for claim in given.claim(store, count=1, first_count=0)] == [retried]


def test_the_longest_due_are_first_attempts_too(store: Store) -> None:
    ids = [owe(store, "log") for _ in range(4)]
    claims = given.claim(store, count=3, first_count=1)

    assert [claim.event.id for claim in claims] == ids[:3]


MUCH = 5_000

VALUES = {
    "destination": "log",
    "now": 10**17,
    "count": 4,
    "first_count": 2,
    "token": "mine",
    "lease_until": 10**17,
    "names": '["log"]',
    "due_of": '["log", "crm"]',
    "rows": "[]",
}
"""A value for each name in a statement."""


def pasted(statement: str) -> str:
    """The statement with a value for each name, as one pastes it into psql."""
    return re.sub(r"(?<![:\w]):(\w+)", lambda name: f"'{VALUES[name[1]]}'", statement)


def fill(transaction: Transaction) -> None:
    """Copies of the one delivery and its event."""
    copies = (
        "INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, generate_series(1, {much}) AS copy"
    )
    for table in (events, deliveries):
        changed = {"id": "id || copy", "message_id": "message_id || copy", "tries": "1"}
        changed |= {"event_id": "event_id || copy"}
        names = [column.name for column in table.columns]
        values = ", ".join(changed.get(name, name) for name in names)
        columns = ", ".join(names)
        transaction.session.connection.execute(
            text(copies.format(table=table.name, columns=columns, values=values, much=MUCH))
        )


@pytest.mark.parametrize("counted", ["when all is due", "when nothing was due", "never"])
def test_postgres_finds_what_is_due_by_index_whatever_it_counted(
    new_postgres_database: Callable[..., str], counted: str
) -> None:
    store = open_store(new_postgres_database())
    owe(store, "log")
    plans = []

    def prepare(transaction: Transaction) -> None:
        fill(transaction)
        if counted == "when nothing was due":
            transaction.session.connection.execute(update(deliveries).values(state=State.DELIVERED))
        if counted != "never":
            transaction.session.connection.execute(text("ANALYZE"))
        transaction.session.connection.execute(update(deliveries).values(state=State.PENDING))

    store.write(prepare)
    store.write(lambda t: plans.extend(plans_of(t, "claim", "lock_destinations", "count_waiting")))
    store.close()

    assert any("Index Scan using ix_deliveries_first" in step for step in plans[0])
    for plan in plans:
        assert any("Scan using ix_deliveries_due" in step for step in plan)
        assert not any("Seq Scan on deliveries" in step or "hashed" in step for step in plan)
    # Joined by their ids; otherwise all that is pending would be read.
    assert any("using deliveries_pkey" in step for step in plans[0])


def plans_of(transaction: Transaction, *names: str) -> list[list[str]]:
    """The lines of PostgreSQL's plan for each of the statements."""
    connection, texts = transaction.session.connection, statements("postgres")
    return [
        [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {pasted(texts[name])}")] for name in names
    ]


def test_postgres_settles_by_index_while_its_tables_are_small(
    new_postgres_database: Callable[..., str],
) -> None:
    store = open_store(new_postgres_database())
    owe(store, "log")
    claim(store)
    plans: list[list[str]] = []

    def prepare(transaction: Transaction) -> None:
        fill(transaction)
        columns = "delivery_id, number, destination, at"
        copies = "SELECT delivery_id || copy, number, destination, at FROM attempts"
        transaction.session.connection.execute(
            text(f"INSERT INTO attempts ({columns}) {copies}, generate_series(1, {MUCH}) AS copy")
        )
        transaction.session.connection.execute(text("ANALYZE"))

    store.write(prepare)
    store.write(lambda t: plans.extend(plans_of(t, "settle", "close_attempts", "remove_attempts")))
    store.close()

    for plan, key in zip(plans, ("deliveries_pkey", "attempts_pkey", "attempts_pkey"), strict=True):
        assert any(f"using {key}" in step for step in plan), plan


def test_a_plan_for_an_empty_table_does_not_serve_a_full_one_for_long(
    new_postgres_database: Callable[..., str],
) -> None:
    store = open_store(new_postgres_database(), connections=2)
    store.write(lambda t: t.destinations.mark_configured({"log": True}))
    owe(store, "log")
    analyzed = text("ANALYZE")
    store.write(lambda t: t.session.connection.execute(analyzed) and None)

    def plan() -> str:
        """Of the statement as it is prepared, once it ran a few times."""
        for _ in range(10):
            store.write(lambda t: t.queue.lock(due_of=["log"]))
        with store._engine.connect() as connection:
            (name,) = connection.exec_driver_sql(
                "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%%(SELECT count(*)%%'"
            ).scalars()
            steps = connection.exec_driver_sql(f"EXPLAIN EXECUTE {name} ('[\"log\"]')").scalars()
            return "\n".join(steps)

    def plan_again_after(seconds: float) -> None:
        with store._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver._planned_at = time.monotonic() + seconds

    plan_again_after(60)
    assert "Seq Scan on deliveries" in plan()
    store.write(fill)
    assert "Seq Scan on deliveries" in plan()
    plan_again_after(-60)
    assert "Seq Scan on deliveries" not in plan()
    store.close()


def test_only_the_named_destination_is_claimed_and_no_more_than_asked_for(store: Store) -> None:
    for _ in range(3):
        owe(store, "log", "other")

    assert {one.destination for one in claim(store, "log", 2)} == {"log"}
    assert len(claim(store, "log", 10)) == 1
    assert len(claim(store, "other", 10)) == 3


def test_no_delivery_is_claimed_twice_by_any_number_of_workers(
    open_stores: Callable[..., Store],
) -> None:
    stores = [open_stores() for _ in range(4)]
    for _ in range(10):
        owe(stores[0], *["log"] * 10)
    everybody = threading.Barrier(8)

    def work(number: int) -> list[str]:
        mine: list[str] = []
        everybody.wait(30)
        while claimed := claim(stores[number % 4], count=3):
            mine += [one.id for one in claimed]
        return mine

    with ThreadPoolExecutor(8) as pool:
        claimed = [delivery_id for mine in pool.map(work, range(8)) for delivery_id in mine]
    # SKIP LOCKED may leave somebody empty-handed while another still holds the rest.
    claimed += [one.id for one in claim(stores[0], count=100)]

    assert len(claimed) == 100
    assert len(set(claimed)) == 100


def test_what_an_operator_has_locked_is_not_waited_for(postgres_store_url: str) -> None:
    here, there = open_store(postgres_store_url), open_store(postgres_store_url)
    owe(here, "log")
    owe(here, "log")
    with here.transaction() as transaction:
        (locked, _) = here.write(
            lambda t: t.session.connection.execute(select(deliveries.c.id)).scalars().all()
        )
        transaction.operator.lock(locked)
        claims = claim(there, count=2)
    here.close()
    there.close()

    assert locked not in [mine.id for mine in claims]
    assert len(claims) == 1


def test_what_an_operator_changes_while_it_is_chosen_is_claimed_as_it_is_now(postgres_store_url: str) -> None:
    """A retry puts today's send block in place of the old one."""
    here, there = open_store(postgres_store_url), open_store(postgres_store_url)
    owe(here, "log")
    # It waits for the test between what chooses and what locks.
    plain = "SELECT id, min(turn) AS turn"
    slow = "SELECT id, min(turn) + length(pg_advisory_xact_lock_shared(1)::text) AS turn"
    statement = statements("postgres")["claim"]
    assert statement.count(plain) == 1
    slow_claim = pasted(statement.replace(plain, slow)).replace("%", "%%")

    def claim_slowly(transaction: Transaction) -> Any:
        return transaction.session.connection.exec_driver_sql(slow_claim).mappings().one()

    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_store_url, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(1)")
        claimed = pool.submit(there.write, claim_slowly)
        given.until(lambda: given.waits_for_a_lock(holder))
        change(here, deliveries, send={"body": "new"})
        holder.execute("SELECT pg_advisory_unlock(1)")
        row = claimed.result()
    here.close()
    there.close()

    assert row["send"] == '{"body":"new"}'


def test_what_waits_is_what_is_due_what_falls_due_next_and_what_all_workers_send(store: Store) -> None:
    names = ("log", "other", "none")
    store.write(lambda t: t.destinations.mark_configured(dict.fromkeys(names, True)))
    owe(store, *["log"] * 6, "other")
    claim(store, count=2, token="a")
    claim(store, count=1, token="b")
    change(store, deliveries, due_at=now(store) + LONG)
    owe(store, "log", "log")
    locked = store.write(lambda t: t.queue.lock(due_of=names))

    assert [(locked.waiting[name].due, locked.waiting[name].in_flight) for name in names] == [
        (2, 3),
        (0, 0),
        (0, 0),
    ]
    assert [locked.waiting[name].next_at is None for name in names] == [False, False, True]
    assert locked.waiting["log"].next_at == locked.waiting["other"].next_at
    assert list(locked.states) == ["log"]


def test_what_is_due_is_counted_as_far_as_is_of_use(store: Store) -> None:
    store.write(lambda t: t.destinations.mark_configured({"log": True}))
    owe(store, *["log"] * (COUNTED + 20))

    assert store.write(lambda t: t.queue.lock(due_of=["log"])).waiting["log"].due == COUNTED


def test_what_waits_is_counted_once_the_locks_are_there(open_stores: Callable[..., Store]) -> None:
    """By then another worker may have claimed some."""
    first, second = open_stores(), open_stores()
    first.write(lambda t: t.destinations.mark_configured({"log": True}))
    owe(first, "log", "log")
    holds = threading.Event()

    def claim_slowly(transaction: Transaction) -> None:
        transaction.destinations.lock(["log"])
        holds.set()
        time.sleep(0.3)
        request = ClaimRequest(destination="log", count=1, token="mine", lease=LEASE)
        transaction.queue.claim([request])

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(second.write, claim_slowly)
        assert holds.wait(30)
        waiting = first.write(lambda t: t.queue.lock(due_of=["log"])).waiting["log"]
        slow.result()

    assert (waiting.due, waiting.in_flight) == (1, 1)


def test_sqlite_looks_only_into_the_index_of_what_is_due(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    plans = []

    def explain(transaction: Any) -> None:
        for name in ("claim", "lock_destinations", "count_waiting"):
            (statement, *_) = scripts()[name]
            rows = transaction.session.connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"), VALUES)
            plans.append([row[-1] for row in rows])

    store.write(explain)
    store.close()

    for plan in plans:
        assert any("ix_deliveries_due (destination=?" in step for step in plan)
        assert not any(step.startswith("SCAN deliveries") for step in plan)
    assert any("ix_deliveries_first (destination=? AND due_at<?)" in step for step in plans[0])


# -- settling -------------------------------------------------------------------------------------


def test_a_claim_opens_an_attempt(store: Store) -> None:
    owe(store, "log")
    (mine,) = claim(store)
    kept = record(store, mine.id)

    assert (mine.attempts, mine.tries) == (1, 1)
    assert (kept.message, kept.attempts) == (None, 1)
    assert [(attempt.number, attempt.outcome) for attempt in kept.attempt_list] == [(1, None)]


SETTLED = {
    State.DELIVERED: lambda claim: retry.after_receipt(
        claim, Receipt(detail="ok", status=200, answer="yes \ud800 \0"), 0.5
    ),
    State.PENDING: lambda claim: retry.after_error(
        claim, Retry("503", status=503), given.destination(), now=given.NOON, chance=0.5, seconds=0.5
    ),
    State.HELD: lambda claim: retry.after_error(
        claim, Unknown("cut"), given.destination(on_unknown="hold"), now=given.NOON, chance=0.5, seconds=0.5
    ),
    State.DEAD: lambda claim: retry.after_error(
        claim, Retry("no"), given.destination(retry_seconds=()), now=given.NOON, chance=0.5, seconds=0.5
    ),
}


@pytest.mark.parametrize("state", SETTLED)
def test_settling_writes_state_reason_and_attempt(store: Store, state: State) -> None:
    owe(store, "log")
    (started,) = claim(store)
    settlement = SETTLED[state](started)
    if state is State.HELD:
        settlement = replace(settlement, state=State.HELD, due_at=None)
    settle(store, settlement)
    kept = record(store, started.id)

    assert (kept.state, kept.reason) == (state, settlement.reason)
    assert kept.due_at == settlement.due_at
    assert (kept.delivered_at is not None) == (state is State.DELIVERED)
    (tried,) = kept.attempt_list
    assert (tried.outcome, tried.status, tried.detail) == (
        settlement.outcome,
        settlement.status,
        settlement.detail,
    )
    assert tried.answer == ("yes" if state is State.DELIVERED else None)
    assert tried.seconds == 0.5
    assert claim(store) == [] or state is State.PENDING


def test_what_did_not_begin_goes_back_with_no_attempt(store: Store) -> None:
    owe(store, "log")
    (mine,) = claim(store)
    due_at = store.write(lambda t: t.operator.lock(mine.id).due_at)
    settle(store, retry.not_begun(mine, None))
    kept = record(store, mine.id)

    assert (kept.state, kept.attempts, kept.attempt_list, kept.due_at) == (State.PENDING, 0, (), due_at)
    assert kept.message == {"text": "hello"}


def test_a_late_worker_cannot_settle(store: Store) -> None:
    owe(store, "log")
    (late,) = claim(store, token="late", lease=timedelta(seconds=-1))
    (orphan,) = store.write(lambda t: t.overdue.lapsed_claims())
    settle(store, retry.not_begun(orphan, None))
    (mine,) = claim(store, token="successor")

    assert settle(store, retry.after_receipt(late, Receipt(detail="late"), 1)) == set()
    assert settle(store, retry.not_begun(late, None)) == set()
    assert record(store, mine.id).state is State.SENDING

    settle(store, retry.after_receipt(mine, Receipt(detail="mine"), 1))
    assert [attempt.detail for attempt in record(store, mine.id).attempt_list] == ["mine"]


@pytest.mark.parametrize("column", ["send", "message", "accepted"])
def test_what_nobody_can_read_is_told_and_can_be_put_off(store: Store, column: str) -> None:
    owe(store, "log", "log")
    broken = update(deliveries).where(deliveries.c.position == 0)
    store.write(lambda t: t.session.connection.execute(broken.values({column: text("'no JSON'")})) and None)
    request = ClaimRequest(destination="log", count=5, token="mine", lease=LEASE)
    with store.transaction() as transaction:
        pending = transaction.queue.claim([request])
    claims, (unreadable,) = pending.read()
    with store.transaction() as transaction:
        transaction.queue.put_off(unreadable, timedelta(minutes=5), "later")
        row = transaction.session.connection.execute(
            select(
                deliveries.c.state,
                deliveries.c.attempts,
                deliveries.c.tries,
                deliveries.c.reason,
                deliveries.c.due_at > transaction.now + timedelta(minutes=4),
            ).where(deliveries.c.id == unreadable)
        ).one()
        open_attempts = transaction.session.connection.execute(select(attempts.c.delivery_id)).scalars().all()

    assert tuple(row) == ("pending", 0, 0, "later", True)
    assert open_attempts == [claim.id for claim in claims]


def test_a_settled_delivery_cannot_be_settled_again(store: Store) -> None:
    owe(store, "log")
    (mine,) = claim(store)
    settle(store, retry.after_receipt(mine, Receipt(detail="ok"), 1))

    assert settle(store, SETTLED[State.DEAD](mine)) == set()
    assert record(store, mine.id).state is State.DELIVERED


@pytest.mark.parametrize("text_", ["NUL \0 inside", "half \ud800 a pair", "\udfff"])
def test_what_a_payload_can_put_into_a_reason_is_kept_without_failing(store: Store, text_: str) -> None:
    owe(store, "log", data={"name": text_})
    (mine,) = claim(store)
    mine = replace(mine, message={"text": text_}, degraded=text_)
    error = Retry(text_)
    settle(
        store,
        retry.after_error(mine, error, given.destination(), now=given.NOON, chance=0.5, seconds=1),
    )
    store.write(lambda t: t.destinations.pause("log", text_))
    kept = record(store, mine.id)

    assert mine.event.data == {"name": text_}
    assert kept.message == {"text": text_}
    for words in (kept.reason, kept.degraded, kept.attempt_list[0].detail):
        assert words
        assert "\0" not in words
        assert words.isascii()


def test_recipients_that_have_the_message_are_kept(store: Store) -> None:
    owe(store, "mail")
    (mine,) = claim(store, "mail")
    error = Retry("450", accepted=("a@example.com",))
    settle(store, retry.after_error(mine, error, given.destination(), now=given.NOON, chance=0, seconds=1))
    (again,) = claim(store, "mail")
    assert again.accepted == ("a@example.com",)

    settle(store, retry.after_receipt(again, Receipt(detail="ok", accepted=("b@example.com",)), 1))
    row = store.write(lambda t: t.operator.lock(again.id))
    assert row.accepted == ["a@example.com", "b@example.com"]


# -- the number of a rendering --------------------------------------------------------------------


def number_after(store: Store, settlement: Settlement) -> int:
    """The number of the rendering that the next attempt sends."""
    settle(store, settlement)
    change(store, deliveries, state=State.PENDING, due_at=given.NOON)
    (again,) = claim(store)
    return again.rendering


def failed(claim: Claim, error: SendError) -> Settlement:
    return retry.after_error(claim, error, given.destination(), now=given.NOON, chance=0.5, seconds=0.5)


def test_the_first_bytes_have_number_one_and_a_retry_of_them_too(store: Store) -> None:
    owe(store, "log")
    (mine,) = claim(store)

    assert mine.rendering == 1
    assert number_after(store, failed(mine, Retry("503"))) == 1
    assert number_after(store, retry.not_begun(replace(mine, message=None), None)) == 1


def test_a_message_that_was_not_kept_is_rendered_under_the_next_number(store: Store) -> None:
    owe(store, "log")
    (mine,) = given.claim(store)

    assert number_after(store, failed(mine, Unknown("the worker that was sending it died"))) == 2


def test_what_died_with_a_kept_message_sends_the_same_bytes_under_the_same_number(store: Store) -> None:
    owe(store, "log")
    (mine,) = claim(store, lease=timedelta(seconds=-1))
    settle(store, failed(mine, Retry("503")))
    change(store, deliveries, state=State.PENDING, due_at=given.NOON)
    claim(store, lease=timedelta(seconds=-1))
    (lapsed,) = store.write(lambda t: t.overdue.lapsed_claims())

    assert number_after(store, failed(lapsed, Unknown("the worker that was sending it died"))) == 1


def test_a_claim_that_did_not_begin_leaves_the_number_as_it_was(store: Store) -> None:
    owe(store, "log")
    (mine,) = given.claim(store)

    assert number_after(store, retry.not_begun(mine, None)) == 1


def test_a_key_that_other_bytes_used_is_followed_by_the_next_number(store: Store) -> None:
    owe(store, "log")
    (mine,) = claim(store)
    error = Unknown("409")
    error.key_used = True

    assert number_after(store, failed(mine, error)) == 2


# -- destinations ---------------------------------------------------------------------------------


def test_a_destinations_state_is_kept(store: Store) -> None:
    moment = given.NOON
    state = DestinationState(
        name="log",
        failures=7,
        probe_at=moment,
        probes=2,
        throttled_until=moment,
        throttled_count=3,
        rate_limited_until=moment,
        failing_since=moment,
        last_error="answered 503",
        last_answer="no",
    )
    store.write(lambda t: t.destinations.save([state]))
    store.write(lambda t: t.destinations.save([replace(state, failures=0)]))

    assert store.write(lambda t: t.destinations.lock(("log", "new"))) == {
        "log": replace(state, failures=0),
        "new": DestinationState(name="new"),
    }


def test_workers_take_turns_at_a_destination(open_stores: Callable[..., Store]) -> None:
    stores = [open_stores() for _ in range(4)]
    stores[0].write(lambda t: t.destinations.mark_configured({"log": True}))

    def fail_once(number: int) -> None:
        def work(transaction: Any) -> None:
            state = transaction.destinations.lock(["log"])["log"]
            transaction.destinations.save([replace(state, failures=state.failures + 1)])

        stores[number % 4].write(work)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail_once, range(40)))

    assert stores[0].write(lambda t: t.destinations.lock(["log"]))["log"].failures == 40


def test_workers_that_know_other_destinations_mark_theirs_without_a_deadlock(
    open_stores: Callable[..., Store],
) -> None:
    stores = [open_stores() for _ in range(2)]
    named = [{"a": True, "b": True, "d": True}, {"b": True, "d": True, "e": True}]
    for store in stores:
        store.write(lambda t: t.destinations.mark_configured(dict.fromkeys("abcde", True)))

    def mark(number: int) -> None:
        for _ in range(60):
            stores[number].write(lambda t: t.destinations.mark_configured(named[number]))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(mark, range(2)))

    states = stores[0].write(lambda t: t.destinations.lock("abcde"))
    assert (states["b"].configured, states["c"].configured) == (True, False)


def test_a_worker_that_is_halted_in_a_transaction_keeps_others_waiting_for_its_bound_only(
    new_postgres_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_postgres_database()
    halted, other = open_store(url), open_store(url)
    other.write(lambda t: t.destinations.mark_configured({"log": True}))
    monkeypatch.setitem(postgres._SETTINGS, "idle_in_transaction_session_timeout", "500ms")
    holds, goes_on = threading.Event(), threading.Event()

    def hold(transaction: Transaction) -> None:
        transaction.destinations.lock(["log"])
        holds.set()
        goes_on.wait(30)
        transaction.destinations.pause("log", "what a halted worker would say")

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(halted.write, hold)
        holds.wait(30)
        given.until(lambda: is_free(other, "log"))
        goes_on.set()
        with pytest.raises(StoreUnavailable):
            late.result()
    states = other.write(lambda t: t.destinations.lock(["log"]))
    halted.close()
    other.close()

    assert states["log"].paused_at is None


def is_free(store: Store, name: str) -> bool:
    with contextlib.suppress(StoreUnavailable):
        return bool(store.write(lambda t: t.destinations.lock([name])))
    return False


def test_marking_what_is_marked_already_changes_nothing(store: Store) -> None:
    store.write(lambda t: t.destinations.mark_configured({"log": True}))
    store.write(lambda t: t.destinations.pause("log", "no"))
    before = store.write(lambda t: t.destinations.all())
    store.write(lambda t: t.destinations.mark_configured({"log": True}))

    assert store.write(lambda t: t.destinations.all()) == before
    assert before["log"].paused_reason == "no"


def test_workers_that_are_silent_for_long_are_forgotten(store: Store) -> None:
    minute = timedelta(minutes=1)
    store.write(lambda t: t.workers.beat("a", t.now, forget_after=minute))
    with store.read() as snapshot:
        assert snapshot.now - snapshot.workers.last_seen_at() < minute
    store.write(lambda t: t.workers.beat("b", t.now, forget_after=timedelta(seconds=-1)))
    store.write(lambda t: t.workers.leave("b"))
    with store.read() as snapshot:
        assert snapshot.workers.last_seen_at() is None


# -- durability and limits ------------------------------------------------------------------------


def test_commits_are_durable_on_sqlite(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    settings = [
        store.write(lambda t, n=name: t.session.connection.exec_driver_sql(f"PRAGMA {n}").scalar())
        for name in ("synchronous", "journal_mode")
    ]
    store.close()

    assert settings == [2, "wal"]


@pytest.mark.usefixtures("usual_bounds")
def test_commits_are_durable_and_statements_bounded_on_postgres(
    new_postgres_database: Callable[..., str],
) -> None:
    """The database's own default does not count."""
    url = new_postgres_database()
    name = url.partition("?")[0].rpartition("/")[2]
    store = open_store(url)
    for default in ("synchronous_commit = off", "statement_timeout = 0"):
        change = text(f"ALTER DATABASE {name} SET {default}")
        store.write(lambda t, c=change: t.session.connection.execute(c) and None)
    store.close()
    store = open_store(url)
    settings = [
        store.write(lambda t, n=name: t.session.connection.exec_driver_sql(f"SHOW {n}").scalar())
        for name in ("synchronous_commit", "statement_timeout")
    ]
    store.close()

    assert settings == ["on", "5s"]


def test_a_workers_store_on_sqlite_may_leave_the_fsync_to_others(sqlite_url: str) -> None:
    store = open_store(sqlite_url, durable=False)
    synchronous = store.write(lambda t: t.session.connection.exec_driver_sql("PRAGMA synchronous").scalar())
    store.close()

    assert synchronous == 1


def test_a_workers_store_on_sqlite_can_be_made_durable_while_it_runs(sqlite_url: str) -> None:
    store = open_store(sqlite_url, durable=False)
    store.write(lambda t: t.now)
    store.make_durable()
    synchronous = store.write(lambda t: t.session.connection.exec_driver_sql("PRAGMA synchronous").scalar())
    store.close()

    assert synchronous == 2


def test_postgres_connections_stay_within_their_number(
    new_postgres_database: Callable[..., str], postgres_url: str
) -> None:
    url = new_postgres_database()
    name = url.partition("?")[0].rpartition("/")[2]
    store, watcher = open_store(url, 3), open_store(postgres_url)
    ear = given.Ear(store)
    most = 0

    def count(transaction: Any) -> int:
        query = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND backend_type = 'client backend'"
        )
        return int(transaction.session.connection.execute(query, {"name": name}).scalar())

    def use(number: int) -> None:
        store.write(lambda t: t.settings.set_default(f"v{number}", "x"))
        store.wake()
        with store.read() as snapshot:
            snapshot.numbers.stats()

    with ThreadPoolExecutor(12) as pool:
        running = [pool.submit(use, number) for number in range(150)]
        while not all(job.done() for job in running):
            most = max(most, watcher.write(count))
    most = max(most, watcher.write(count))
    for job in running:
        job.result()
    ear.close()
    store.close()
    watcher.close()

    assert 2 <= most <= 3


def test_the_clock_of_postgres_is_the_databases(new_postgres_database: Callable[..., str]) -> None:
    store = open_store(new_postgres_database())

    def difference(transaction: Any) -> float:
        theirs = transaction.session.connection.execute(text("SELECT clock_timestamp()")).scalar()
        return float((theirs - transaction.now).total_seconds())

    assert 0 <= store.write(difference) < 30
    store.close()


# -- waking ---------------------------------------------------------------------------------------


def test_a_wake_up_is_heard(open_stores: Callable[..., Store]) -> None:
    first, second = open_stores(), open_stores()
    ear = given.Ear(first)
    second.wake()

    assert ear.hears(30)
    ear.close()


def test_waking_nobody_is_fine(store: Store) -> None:
    store.wake()
    store.wake()


def test_a_listener_that_closes_leaves_its_successor_listening(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    first, second = given.Ear(store), given.Ear(store)
    first.close()
    store.wake()

    assert second.hears(30)
    second.close()
    store.close()


def test_listening_survives_a_lost_connection(new_postgres_database: Callable[..., str]) -> None:
    store = open_store(new_postgres_database())
    ear = given.Ear(store)
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    store.write(lambda t: t.session.connection.execute(cut) and None)
    assert ear.hears(30)  # once it is back, for what was missed
    ear.heard.clear()
    store.wake()

    assert ear.hears(30)
    ear.close()
    store.close()


def test_a_listener_whose_connection_is_given_up_makes_another(postgres_store_url: str) -> None:
    """libpq ends one by itself where it no longer understands the server."""
    store = open_store(postgres_store_url)
    ear = given.Ear(store)
    listener: Any = ear._listener
    listener._connection.pgconn.finish()

    assert listener.fileno() is None
    listener.hear()
    assert ear.hears(30)
    assert listener.fileno() is not None
    ear.close()
    store.close()


def test_a_listener_that_is_always_cut_off_waits_between_its_connections(
    new_postgres_database: Callable[..., str], postgres_url: str
) -> None:
    url = new_postgres_database()
    name = url.partition("?")[0].rpartition("/")[2]
    store = open_store(url)
    heard: list[float] = []
    listener = store.listen(lambda: heard.append(time.monotonic()))
    cut = (
        "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
        f" WHERE datname = '{name}' AND query LIKE 'LISTEN%'"
    )
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        for times in (1, 2, 3):

            def has_connected(times: int = times) -> bool:
                if listener.fileno() is not None:
                    listener.hear()
                return len(heard) >= times

            given.until(has_connected)
            admin.execute(cut)
    listener.close()
    store.close()

    assert heard[2] - heard[0] > 1


def test_a_connection_that_was_cut_while_idle_is_made_again(
    new_postgres_database: Callable[..., str],
) -> None:
    url = new_postgres_database()
    store, other = open_store(url), open_store(url)
    store.write(lambda t: t.settings.set_default("a", "1"))
    cut = text(
        "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    other.write(lambda t: t.session.connection.execute(cut) and None)

    assert store.write(lambda t: t.settings.set_default("b", "2")) == "2"
    store.close()
    other.close()
