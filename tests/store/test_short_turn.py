"""A turn of one exchange: it starts what a whole turn would have started, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import given
import pytest
from sqlalchemy import select, text, update
from test_queue import owe

from hub.delivery import throttle
from hub.model.delivery import Claim, State
from hub.model.destination import DestinationState
from hub.model.routing import Send
from hub.store.engine.session import RemoteSession
from hub.store.repositories import short_turn
from hub.store.repositories.queue import Wanted
from hub.store.repositories.short_turn import Offer, StartFirst
from hub.store.repositories.waiting import LOCKED
from hub.store.store import Store, Transaction, open_store
from hub.store.tables import attempts, deliveries

RAW = {"method": "POST", "raw": True}
LEASE = timedelta(seconds=25)
SOON, LATER = timedelta(seconds=-5), timedelta(hours=1)
NAMES = ("log", "crm", "ops")


@pytest.fixture
def there(postgres_store_url: str) -> Iterator[Store]:
    store = open_store(postgres_store_url)
    store.write(lambda t: t.destinations.mark_configured(dict.fromkeys(NAMES, True)))
    yield store
    store.close()


def offer(name: str = "log", token: str = "mine", lease: timedelta = LEASE) -> Offer:
    return Offer(destination=name, message=RAW, token=token, lease=lease)


def started(store: Store, *offers: Offer) -> list[Claim]:
    done = store.start_first(offers or [offer()])
    return done[1] if done else []


def put(store: Store, state: DestinationState) -> None:
    store.write(lambda t: t.destinations.save([state]))


def change(store: Store, event_id: str, **values: Any) -> None:
    which = deliveries.c.event_id == event_id
    store.write(
        lambda t: t.session.connection.execute(update(deliveries).where(which).values(**values)) and None
    )


def rows(store: Store, table: Any) -> list[Any]:
    with store.read() as reading:
        return list(reading.session.connection.execute(select(table)).all())


def test_it_leaves_what_a_whole_turn_would_have_left(there: Store) -> None:
    owe(there, "log")
    (by_turn,) = there.write(lambda t: t.queue.claim(Wanted("log", 1, token="mine", lease=LEASE)))
    message = {"message": RAW}
    (whole,) = there.write(lambda t: t.queue.start([Claim(**{**vars(by_turn), **message})], {"log": LEASE}))
    (row_of_whole,), (attempt_of_whole,) = rows(there, deliveries), rows(there, attempts)
    there.write(
        lambda t: t.session.connection.execute(text("TRUNCATE events, deliveries, attempts")) and None
    )
    event_id = owe(there, "log")
    before = datetime.now(UTC)

    done = there.start_first([offer()])

    assert done is not None
    at, (short,) = done
    (row,), (attempt,) = rows(there, deliveries), rows(there, attempts)
    own = {"id", "event_id", "lease_until", "due_at", "owed_since", "created_at"}
    assert {n: v for n, v in row._mapping.items() if n not in own} == {
        n: v for n, v in row_of_whole._mapping.items() if n not in own
    }
    assert row.lease_until == at + LEASE
    assert attempt.at == at
    own = {"delivery_id", "at"}
    assert {n: v for n, v in attempt._mapping.items() if n not in own} == {
        n: v for n, v in attempt_of_whole._mapping.items() if n not in own
    }
    assert abs(at - before) < timedelta(seconds=5)
    assert (short.id, short.event.id, short.attempts, short.tries) == (row.id, event_id, 1, 1)
    assert vars(short) | {"id": "", "event": None} == vars(whole) | {"id": "", "event": None}


@pytest.mark.parametrize(
    ("state", "in_flight", "expected"),
    [
        ({}, 0, 1),
        ({"failures": 4}, 0, 1),
        ({"throttled_until": SOON}, 0, 1),
        ({"throttled_until": LATER}, 0, 0),
        ({"paused_at": SOON, "paused_reason": "by an operator"}, 0, 0),
        ({"probe_at": LATER, "probe_seconds": 30.0, "failures": 5}, 0, 0),
        # A whole turn sends a probe, and puts the next one off.
        ({"probe_at": SOON, "probe_seconds": 30.0, "failures": 5}, 0, 0),
        # A whole turn counts what else there is room for.
        ({}, 1, 0),
    ],
)
def test_only_what_is_at_rest_is_sent_to(
    there: Store, state: dict[str, Any], in_flight: int, expected: int
) -> None:
    for _ in range(in_flight):
        owe(there, "log")
        assert there.write(lambda t: t.queue.claim(Wanted("log", 1, token="other", lease=LEASE)))
    owe(there, "log")
    now = there.write(lambda t: t.now)
    moments = {name: now + each if isinstance(each, timedelta) else each for name, each in state.items()}
    kept = DestinationState(name="log", **moments)
    put(there, kept)

    assert len(started(there)) == expected
    allowed = throttle.allowance(given.destination("log"), kept, in_flight, 4, now)
    assert expected <= allowed


def test_what_is_not_due_yet_is_left(there: Store) -> None:
    change(there, owe(there, "log"), due_at=datetime.now(UTC) + timedelta(minutes=1))

    assert there.start_first([offer()]) is None


def test_each_destination_is_sent_what_is_due_longest_and_one_at_a_time(there: Store) -> None:
    longest = {}
    for name in NAMES:
        _, longest[name], later = (owe(there, name) for _ in range(3))
        change(there, longest[name], due_at=datetime.now(UTC) - timedelta(minutes=1))
        change(there, later, due_at=datetime.now(UTC) + timedelta(minutes=1))

    claims = started(there, offer("log", "a"), offer("crm", "b"))

    assert {each.event.id for each in claims} == {longest["log"], longest["crm"]}
    assert {each.destination: each.token for each in claims} == {"log": "a", "crm": "b"}
    assert not started(there, offer("log"), offer("crm"))
    assert [row.state for row in rows(there, deliveries)].count(State.PENDING) == 7


def test_what_has_to_be_rendered_first_is_left_and_so_is_what_is_due_behind_it(there: Store) -> None:
    send = Send(to="log", fields={"body": "hello"})
    owe(there, "log")
    first = rows(there, deliveries)[0]
    change(there, first.event_id, send=dict(send.fields), due_at=datetime.now(UTC) - timedelta(minutes=1))
    owe(there, "log")

    assert not started(there)


def test_a_message_that_was_made_before_is_sent_again(there: Store) -> None:
    event_id = owe(there, "log")
    change(there, event_id, message={"body": "as it was"}, send={"body": "hello"}, attempts=3, tries=2)

    (claim,) = started(there)

    assert (claim.message, claim.attempts, claim.tries) == ({"body": "as it was"}, 4, 3)
    assert [row.number for row in rows(there, attempts)] == [4]


def test_nothing_is_there_for_a_destination_that_nobody_marked_or_that_is_owed_nothing(there: Store) -> None:
    owe(there, "unknown")

    assert there.start_first([offer("unknown"), offer("log")]) is None


def test_any_number_of_workers_start_each_delivery_once_and_one_at_a_time(
    there: Store, postgres_store_url: str
) -> None:
    stores = [there, *(open_store(postgres_store_url) for _ in range(3))]
    ids = [owe(there, "log") for _ in range(20)]
    seen: list[str] = []
    under_way = threading.Semaphore(1)

    def work(number: int) -> None:
        ends = time.monotonic() + 20
        while len(seen) < len(ids) and time.monotonic() < ends:
            for claim in started(stores[number], offer(token=f"of {number}")):
                assert under_way.acquire(blocking=False)
                seen.append(claim.event.id)
                time.sleep(0.002)
                under_way.release()
                change(stores[number], claim.event.id, state=State.DELIVERED)

    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(work, number) for number in range(4)]:
            each.result()
    for store in stores[1:]:
        store.close()

    assert sorted(seen) == sorted(ids)


def test_it_sees_what_a_turn_did_that_it_waited_for(new_postgres_database: Callable[..., str]) -> None:
    """The turn takes a first attempt: by what was there when this one came, the old retry is free to go."""
    url = new_postgres_database()
    name = url.partition("?")[0].rpartition("/")[2]
    isolated = text(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    there = open_store(url)
    there.write(lambda t: t.session.connection.execute(isolated) and None)
    there.write(lambda t: t.destinations.mark_configured({"log": True}))
    owe(there, "log")
    retried = owe(there, "log")
    change(there, retried, due_at=datetime.now(UTC) - timedelta(minutes=1), tries=1)
    holds, goes_on = threading.Event(), threading.Event()

    def turn(transaction: Transaction) -> None:
        transaction.queue.lock(["log"])
        holds.set()
        goes_on.wait(5)
        (claim,) = transaction.queue.claim(Wanted("log", 1, first_count=1, token="theirs", lease=LEASE))
        assert claim.event.id != retried

    other = open_store(url)
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(there.write, turn)
        assert holds.wait(5)
        waits = pool.submit(started, other)
        time.sleep(0.3)
        assert not waits.done()
        goes_on.set()
        held.result()
        assert waits.result() == []
    other.close()
    there.close()


def test_what_an_operator_has_under_his_hand_is_not_waited_for(there: Store, postgres_store_url: str) -> None:
    event_id = owe(there, "log")
    other = open_store(postgres_store_url)

    def work(transaction: Transaction) -> list[Claim]:
        mine = select(deliveries.c.id).where(deliveries.c.event_id == event_id).with_for_update()
        transaction.session.connection.execute(mine)
        began = time.monotonic()
        claims = started(other)
        assert time.monotonic() - began < 2
        return claims

    assert there.write(work) == []
    assert started(other)
    other.close()


def test_what_an_operator_changed_meanwhile_is_seen(
    there: Store, postgres_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry puts today's send block in place of the old one: the event itself is not what it asks for."""
    event_id = owe(there, "log")
    other = open_store(postgres_store_url)
    # It sleeps between what chooses and what locks.
    plain, slow = "offered.lease\n", "offered.lease + length(pg_sleep(0.5)::text) AS lease\n"
    assert short_turn._SQL.count(plain) == 1
    monkeypatch.setattr(short_turn, "_SQL", short_turn._SQL.replace(plain, slow))
    with ThreadPoolExecutor(1) as pool:
        starts = pool.submit(started, other)
        time.sleep(0.2)
        change(there, event_id, send={"body": "new"})
        assert starts.result() == []
    other.close()


def test_what_fell_due_behind_the_statement_that_locks_is_left(there: Store) -> None:
    """Nothing was due to it then, so nobody keeps others from that destination."""
    owe(there, "log")
    with there._engine.connect() as connection:
        answers = RemoteSession(connection).ask(LOCKED(names=["crm"]), StartFirst([offer()]))

    assert answers == [[], []]
    assert started(there)


def test_a_worker_that_comes_late_writes_nothing(there: Store) -> None:
    def written() -> int:
        with there.read() as reading:
            query = text("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
            return int(reading.session.connection.execute(query).scalar_one())

    owe(there, "log")
    assert started(there)
    before = written()
    for _ in range(10):
        assert there.start_first([offer()]) is None
    assert written() == before


def test_a_lease_of_it_that_runs_out_leaves_an_unknown_attempt(there: Store) -> None:
    owe(there, "log")
    (claim,) = started(there, offer(lease=timedelta(seconds=-1)))

    def expired(transaction: Transaction) -> list[tuple[Claim, bool]]:
        return transaction.queue.expired({"log"}, others_after=timedelta(minutes=1))

    assert [(each.id, is_started) for each, is_started in there.write(expired)] == [(claim.id, True)]


def test_sqlite_leaves_it_to_a_transaction(sqlite_store_url: str) -> None:
    store = open_store(sqlite_store_url)
    store.write(lambda t: t.destinations.mark_configured({"log": True}))
    owe(store, "log")

    assert store.start_first([offer()]) is None
    store.close()
