"""A thread is one message's at a time, remembers its first message, and orders what may rewrite it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import given
import pytest
from sqlalchemy import select, update

from hub.model.delivery import LONGEST_LEASE, Claim
from hub.model.event import Event
from hub.model.thread import Thread
from hub.store.repositories.retention import Prunable
from hub.store.store import Store
from hub.store.tables import deliveries, threads

LEASE = timedelta(seconds=25)
POST = {"channel": "C1", "ts": "1.1"}


def at(minute: float) -> bytes:
    """The payload of an event of that minute of an hour that is over."""
    moment = given.NOON - timedelta(hours=2) + timedelta(minutes=minute)
    return json.dumps({"type": "user.created", "timestamp": moment.timestamp() * 1000, "data": {}}).encode()


def claimed(store: Store, event: Event | None = None) -> Claim:
    store.write(lambda t: given.keep(t, event or given.event(), given.routing("log")))
    (claim,) = given.claim(store)
    return claim


def join(store: Store, claim: Claim, key: str = "one", lease: timedelta = LEASE) -> Thread | None:
    return store.write(lambda t: t.threads.join(key, claim, lease))


def leave(
    store: Store, thread: Thread | None, claim: Claim, kept: Any = None, accepted: tuple[str, ...] = ()
) -> None:
    assert thread is not None
    store.write(lambda t: t.threads.leave(thread, claim, kept, accepted))


def rows(store: Store) -> list[Any]:
    with store.read() as snapshot:
        return list(snapshot.session.connection.execute(select(threads)))


def test_the_first_who_joins_is_the_first_and_others_wait_until_it_leaves(store: Store) -> None:
    first, second = claimed(store), claimed(store)
    thread = join(store, first)

    assert thread == Thread(id="one")
    assert thread.is_first
    assert join(store, second) is None
    assert join(store, second, "two") == Thread(id="two")

    leave(store, thread, first, POST)

    assert join(store, second) == Thread(id="one", kept=POST)
    (row,) = [row for row in rows(store) if row.id == "one"]
    assert (row.delivery_id, row.destination) == (first.id, "log")


def test_deliveries_that_are_claimed_together_wait_for_each_other(store: Store) -> None:
    store.write(lambda t: given.keep(t, given.event(), given.routing("log", "log")))
    first, second = given.claim(store, count=2)
    thread = join(store, first)

    assert first.token == second.token
    assert thread is not None
    assert join(store, second) is None


def test_of_many_that_join_at_once_one_has_it(open_stores: Callable[..., Store]) -> None:
    stores = [open_stores(), open_stores()]
    claims = [claimed(stores[0]) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        joined = list(pool.map(lambda pair: join(stores[pair[0] % 2], pair[1]), enumerate(claims)))

    assert len([thread for thread in joined if thread]) == 1


def test_what_was_not_posted_leaves_the_thread_to_the_next(store: Store) -> None:
    first, second = claimed(store), claimed(store)
    leave(store, join(store, first), first)
    thread = join(store, second)

    assert thread == Thread(id="one")


def test_a_lease_that_ran_out_is_taken_over_and_who_comes_late_changes_nothing(store: Store) -> None:
    late, second = claimed(store), claimed(store)
    thread = join(store, late, lease=timedelta(seconds=0.05))
    time.sleep(0.06)

    assert join(store, second) == Thread(id="one")

    leave(store, thread, late, {"ts": "late"})

    assert join(store, claimed(store)) is None
    leave(store, Thread(id="one"), second, POST)
    assert join(store, claimed(store)) == Thread(id="one", kept=POST)


def test_a_lease_that_is_longer_than_any_counts_as_run_out(store: Store) -> None:
    join(store, claimed(store), lease=LONGEST_LEASE + timedelta(minutes=1))

    assert join(store, claimed(store)) == Thread(id="one")


def test_an_older_event_finds_its_thread_overtaken(store: Store) -> None:
    newer = claimed(store, given.event(payload=at(2)))
    older = claimed(store, given.event(payload=at(1)))
    leave(store, join(store, newer), newer, POST)
    thread = join(store, older)

    assert thread == Thread(id="one", kept=POST, is_overtaken=True)

    leave(store, thread, older, {"channel": "C1", "ts": "2.2"})
    between = claimed(store, given.event(payload=at(1.5)))
    again = join(store, between)

    assert again == Thread(id="one", kept={"channel": "C1", "ts": "2.2"}, is_overtaken=True)


def test_of_one_moment_the_event_that_came_later_is_newer(store: Store) -> None:
    events = [given.event(payload=at(1)) for _ in range(2)]
    first, second = (claimed(store, event) for event in events)
    leave(store, join(store, second), second, POST)

    assert join(store, first) == Thread(id="one", kept=POST, is_overtaken=True)


def test_a_moment_that_is_yet_to_come_overtakes_nothing(store: Store) -> None:
    first = claimed(store, given.event(payload=at(60 * 24 * 365 * 50)))
    second = claimed(store, given.event())
    leave(store, join(store, first), first, POST)

    assert join(store, second) == Thread(id="one", kept=POST)


def test_what_leaves_the_first_message_alone_overtakes_nothing(store: Store) -> None:
    first = claimed(store, given.event(payload=at(1)))
    leave(store, join(store, first), first, POST)
    reply = claimed(store, given.event(payload=at(3)))
    leave(store, join(store, reply), reply)
    second = claimed(store, given.event(payload=at(2)))

    assert join(store, second) == Thread(id="one", kept=POST)


def test_a_thread_that_is_gone_begins_anew(store: Store) -> None:
    first = claimed(store)
    leave(store, join(store, first), first, POST)
    second = claimed(store)
    leave(store, join(store, second), second, {})

    assert join(store, claimed(store)) == Thread(id="one")


def test_what_was_accepted_is_known_to_the_next_attempt_though_nothing_was_settled(store: Store) -> None:
    claim = claimed(store)
    leave(store, join(store, claim), claim, POST, ("1.1",))
    past = {"lease_until": datetime.now(UTC) - timedelta(minutes=5)}
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(past)) and None)
    (lapsed,) = store.write(lambda t: t.overdue.lapsed_claims())

    assert (lapsed.id, lapsed.accepted) == (claim.id, ("1.1",))


@pytest.mark.parametrize("change", [{"token": "another's"}, {"state": "pending"}])
def test_a_delivery_that_is_another_claims_is_left_alone(store: Store, change: dict[str, str]) -> None:
    claim = claimed(store)
    thread = join(store, claim)
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(change)) and None)
    leave(store, thread, claim, POST, ("1.1",))
    with store.read() as snapshot:
        accepted = snapshot.session.connection.execute(select(deliveries.c.accepted)).scalar()

    assert accepted is None


def test_a_thread_that_rested_is_pruned(store: Store) -> None:
    rested, used = claimed(store), claimed(store)
    leave(store, join(store, rested, "rested"), rested, POST)
    long_ago = {"used_at": datetime.now(UTC) - timedelta(days=40)}
    store.write(lambda t: t.session.connection.execute(update(threads).values(long_ago)) and None)
    leave(store, join(store, used, "used"), used, POST)
    removed = store.write(lambda t: t.retention.prune_by_age(Prunable.THREADS, timedelta(days=30)))

    assert removed == 1
    assert [row.id for row in rows(store)] == ["used"]


def test_a_one_time_secret_in_what_is_kept_is_blanked_with_its_event(store: Store) -> None:
    body = {"type": "email.created", "data": {"id": "ema_1", "data": {"otp_code": "424242"}}}
    event = given.event("email.created", payload=json.dumps(body).encode())
    claim = claimed(store, event)
    leave(store, join(store, claim), claim, {"subject": "424242 is your code"})
    done = {"state": "delivered", "finished_at": datetime.now(UTC)}
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(done)) and None)
    store.write(lambda t: t.secrets.blank([event.id]))

    assert "424242" not in str(rows(store))
    assert "is your code" in str(rows(store))
