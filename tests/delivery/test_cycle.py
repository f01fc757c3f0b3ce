"""One turn of a worker, in one transaction; what holds over several workers holds in the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest
from sqlalchemy import delete, func, select, update

from hub.delivery.batch import Done, News, Plan, Sent
from hub.delivery.cycle import LEFT_TO_OTHERS_FOR, take_turn
from hub.errors import Pause, Retry, Unknown
from hub.ingest.fanout import fan_out
from hub.model.delivery import Claim, Outcome, Receipt, State
from hub.model.destination import DestinationConfig, DestinationState, OnUnknown, RateLimit
from hub.store.repositories.retention import PRUNE_BATCH
from hub.store.store import Store, open_store
from hub.store.tables import deliveries, destinations

CRM = given.destination("crm", url="http://127.0.0.1:1/", concurrency=3)


def owe(store: Store, count: int, *names: str) -> None:
    places = tuple(replace(CRM, name=name) for name in names or ("crm",))
    rules = given.rules(given.route("all", ("*",), *(each.name for each in places)), destinations=places)
    for _ in range(count):
        fan_out(given.event(), rules, store)


def turn(
    store: Store,
    *configs: DestinationConfig,
    news: News | None = None,
    in_hand: dict[str, int] | None = None,
    threads: int = 16,
    **plan: Any,
) -> Done:
    known = {each.name: each for each in configs or (CRM,)}
    asked = Plan(
        worker="w",
        threads=threads,
        destinations=known,
        configs=known,
        news=news or News(),
        in_hand=in_hand or {},
        **{"configured": dict.fromkeys(known, True), **plan},
    )
    return store.write(lambda transaction: take_turn(transaction, asked))


def rendered(done: Done) -> News:
    return News(rendered=tuple(replace(claim, message={"text": "x"}) for claim in done.claimed))


def sent(done: Done, result: Any) -> News:
    return News(sent=tuple(Sent(claim=claim, seconds=0.1, result=result) for claim in done.started))


def started(store: Store, *configs: DestinationConfig) -> Done:
    """Two turns: claim, and start what was rendered."""
    return turn(store, *configs, news=rendered(turn(store, *configs)), claims=True)


def state_of(store: Store, name: str = "crm") -> Any:
    with store.read() as reading:
        return reading.destinations.all()[name]


def test_a_delivery_is_claimed_rendered_started_and_settled(store: Store) -> None:
    owe(store, 1)
    claimed = turn(store)
    begun = turn(store, news=rendered(claimed))
    settled = turn(store, news=sent(begun, Receipt(detail="ok")))

    assert [len(each) for each in (claimed.claimed, claimed.started)] == [1, 0]
    assert [len(each) for each in (begun.claimed, begun.started)] == [0, 1]
    assert [each.state for each in settled.settlements] == [State.DELIVERED]


def test_what_has_its_message_already_is_started_at_once(store: Store) -> None:
    owe(store, 1)
    store.write(
        lambda t: t.session.connection.execute(update(deliveries).values(message={"text": "x"})) and None
    )
    done = turn(store)

    assert len(done.claimed) == len(done.started) == 1


def test_a_message_that_is_made_within_the_claim_is_started_at_once(store: Store) -> None:
    owe(store, 2)
    done = turn(store, compose=lambda claim: replace(claim, message={"text": "built in"}))

    assert [claim.message for claim in done.started] == [{"text": "built in"}] * 2
    with store.read() as reading:
        assert {record.message["text"] for record in reading.reports.deliveries() if record.message} == {
            "built in"
        }


def test_what_was_taken_over_while_it_was_rendered_is_not_started(store: Store) -> None:
    owe(store, 1)
    late = turn(store)
    expire(store)
    turn(store, looks_after=True)
    done = turn(store, news=rendered(late), claims=True)

    assert [claim.id for claim in done.late] == [late.claimed[0].id]
    assert done.started == []


def test_more_waits_where_a_claim_got_all_that_it_asked_for(store: Store) -> None:
    owe(store, 4)

    assert [turn(store).more_waits for _ in range(2)] == [True, None]
    assert turn(store, replace(CRM, name="other")).more_waits is False


def test_the_next_moment_is_that_of_what_must_wait_and_of_what_is_due_later(store: Store) -> None:
    other = replace(CRM, name="other")
    owe(store, 1, "crm", "other")
    held = timedelta(seconds=40)
    store.write(lambda t: t.destinations.save([DestinationState(name="other", throttled_until=t.now + held)]))
    done = turn(store, CRM, other)
    assert [claim.destination for claim in done.claimed] == ["crm"]
    assert done.next_at is not None
    assert 39 < (done.next_at - done.now).total_seconds() <= 40

    owe(store, 2)
    later = update(deliveries).where(deliveries.c.state == "pending", deliveries.c.destination == "crm")
    first = store.write(lambda t: t.session.connection.execute(select(func.max(deliveries.c.id))).scalar())
    store.write(
        lambda t: (
            t.session.connection.execute(
                later.where(deliveries.c.id == first).values(due_at=t.now + timedelta(seconds=20))
            )
            and None
        )
    )
    done = turn(store, CRM, other)
    assert len(done.claimed) == 1
    assert done.next_at is not None
    assert 19 < (done.next_at - done.now).total_seconds() <= 20


def test_what_comes_back_in_a_turn_makes_room_in_it(store: Store) -> None:
    owe(store, 5)
    begun = started(store)
    assert len(begun.started) == 3

    done = turn(store, news=sent(begun, Receipt(detail="ok")))
    assert [len(done.settlements), len(done.claimed)] == [3, 2]


def test_old_retries_and_first_attempts_do_not_wait_for_all_of_each_other(store: Store) -> None:
    one = replace(CRM, concurrency=1)
    owe(store, 40)
    store.write(
        lambda t: t.session.connection.execute(update(deliveries).values(tries=1, due_at=given.NOON)) and None
    )
    owe(store, 40)
    tries = []
    for _ in range(40):
        done = started(store, one)
        tries.append(done.started[0].tries)
        turn(store, one, news=sent(done, Receipt(detail="ok")), claims=False)

    # One claim in two: 40 tosses of a coin are all alike once in a million million times.
    assert set(tries) == {1, 2}


def test_concurrency_holds_over_all_workers(open_stores: Callable[..., Store]) -> None:
    one, other = open_stores(), open_stores()
    owe(one, 10)

    assert (len(turn(one).claimed), len(turn(other).claimed)) == (3, 0)


def test_workers_look_after_the_same_destinations_without_a_deadlock(
    open_stores: Callable[..., Store],
) -> None:
    stores = [open_stores() for _ in range(2)]
    places = [replace(CRM, name=name) for name in "abcd"]
    turn(stores[0], *places)

    def look(number: int) -> None:
        mine = places if number else places[::-1]
        for _ in range(60):
            turn(stores[number], *mine, looks_after=True, configured=None)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(look, range(2)))

    with stores[0].read() as reading:
        assert set(reading.destinations.all()) == set("abcd")


def test_a_rate_limit_holds_over_all_workers(open_stores: Callable[..., Store]) -> None:
    one, other = open_stores(), open_stores()
    slow = replace(CRM, rate_limit=RateLimit(count=1, seconds=60))
    owe(one, 10)

    assert (len(turn(one, slow).claimed), len(turn(other, slow).claimed)) == (1, 0)


def test_a_breaker_opens_and_probes_for_all_workers(open_stores: Callable[..., Store]) -> None:
    one, other = open_stores(), open_stores()
    place = replace(CRM, concurrency=5)
    owe(one, 10)
    turn(one, place, news=sent(started(one, place), Retry("answered 503")))
    assert state_of(one).failures == 5
    assert turn(other, place).claimed == []

    past = update(destinations).values(probe_at=given.NOON)
    one.write(lambda t: t.session.connection.execute(past) and None)
    free = update(deliveries).where(deliveries.c.state == "sending").values(state="pending", token=None)
    one.write(lambda t: t.session.connection.execute(free) and None)

    assert (len(turn(other, place).claimed), len(turn(one, place).claimed)) == (1, 0)


def test_a_pause_is_said_once_and_stops_all_claims(store: Store) -> None:
    owe(store, 5)
    done = turn(store, news=sent(started(store), Pause("invalid_auth")))

    assert [state.paused_reason for state in done.paused] == ["invalid_auth"]
    assert done.claimed == []
    assert done.next_at is None or done.next_at <= done.now
    assert turn(store).next_at is None


def test_what_one_turn_learns_does_not_undo_what_it_marks(store: Store) -> None:
    """A destination is configured again and sent to in the same turn: `give_up_after` counts from now."""
    limited = replace(CRM, rate_limit=RateLimit(count=1, seconds=1))
    turn(store, limited, configured={"crm": False})
    owe(store, 1)
    turn(store, limited, configured={"crm": True})
    state = state_of(store)

    assert state.configured
    assert state.rate_limited_until is not None
    assert state.available_since is not None


def test_a_busy_destination_leaves_threads_to_others(store: Store) -> None:
    many, few = replace(CRM, name="many", concurrency=100), replace(CRM, name="few")
    owe(store, 20, "many")
    owe(store, 1, "few")
    claimed = [each.destination for each in turn(store, many, few, threads=8).claimed]

    assert claimed.count("few") == 1
    assert claimed.count("many") <= 6


def test_a_destination_whose_row_was_removed_is_marked_again(store: Store) -> None:
    turn(store)
    owe(store, 1)
    store.write(lambda t: t.session.connection.execute(delete(destinations)) and None)
    done = turn(store, configured=None)

    assert (done.claimed, done.unmarked, done.next_at) == ([], True, done.now)
    assert not turn(store).unmarked


def test_what_was_given_up_meanwhile_does_not_hide_what_falls_due_next(store: Store) -> None:
    owe(store, 1)
    old = update(deliveries).values(owed_since=given.NOON - timedelta(days=300))
    store.write(lambda t: t.session.connection.execute(old) and None)
    owe(store, 1)
    soon = update(deliveries).where(deliveries.c.owed_since > given.NOON)
    store.write(
        lambda t: t.session.connection.execute(soon.values(due_at=t.now + timedelta(seconds=40))) and None
    )
    done = turn(store, gives_up=True)

    assert (done.gave_up["crm"], done.claimed, done.more_waits) == (1, [], False)
    assert done.next_at is not None
    assert 39 < (done.next_at - done.now).total_seconds() <= 40


def test_what_a_dead_worker_had_claimed_is_for_the_next_turn_at_once(store: Store) -> None:
    owe(store, 1)
    turn(store)
    expire(store)
    done = turn(store, looks_after=True)

    assert (done.claimed, done.next_at) == ([], done.now)


def test_a_turn_that_gives_up_locks_in_the_order_of_all_others(open_stores: Callable[..., Store]) -> None:
    places = [replace(CRM, name=name) for name in ("a", "b")]
    stores = [open_stores(), open_stores()]
    turn(stores[0], *places)

    def give_up() -> None:
        for _ in range(60):
            owe(stores[0], 1, "b")
            turn(stores[0], *places, configured=None, gives_up=True)

    def lock_both() -> None:
        for _ in range(200):
            stores[1].write(lambda t: t.destinations.lock(("a", "b")))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(give_up), pool.submit(lock_both)]:
            done.result()


def test_no_more_is_claimed_than_there_are_free_threads_whatever_waits(store: Store) -> None:
    places = [replace(CRM, name=name, concurrency=100) for name in ("one", "two", "three")]
    owe(store, 9, "one", "two", "three")

    assert len(turn(store, *places, threads=8).claimed) == 8


def test_what_falls_due_while_a_turn_waits_for_its_locks_is_for_the_next_at_once(
    postgres_store_url: str,
) -> None:
    here, there = open_store(postgres_store_url), open_store(postgres_store_url)
    other = replace(CRM, name="other")
    turn(here, CRM, other)
    owe(here, 1)
    holds = threading.Event()

    def owe_slowly(transaction: Any) -> None:
        transaction.destinations.lock(["crm"])
        holds.set()
        time.sleep(0.3)
        event = given.event()
        transaction.events.add(event, given.routing("other"))
        transaction.events.add_deliveries(event, given.routing("other"))

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(there.write, owe_slowly)
        assert holds.wait(5)
        done = turn(here, CRM, other, configured=None)
        slow.result()
    here.close()
    there.close()

    assert [claim.destination for claim in done.claimed] == ["crm"]
    assert done.next_at == done.now


def test_a_worker_without_a_free_thread_claims_nothing(store: Store) -> None:
    owe(store, 1)

    assert turn(store, in_hand={"other": 16}).claimed == []


@pytest.mark.parametrize(
    ("on_unknown", "state"), [(OnUnknown.RESEND, State.PENDING), (OnUnknown.HOLD, State.HELD)]
)
def test_a_dead_workers_attempt_is_unknown_and_no_sign_of_trouble(
    store: Store, on_unknown: OnUnknown, state: State
) -> None:
    place = replace(CRM, on_unknown=on_unknown)
    owe(store, 1)
    started(store, place)
    expire(store)
    done = turn(store, place, looks_after=True)

    assert [(each.outcome, each.state) for each in done.settlements] == [(Outcome.UNKNOWN, state)]
    assert state_of(store).failures == 0


def test_a_dead_workers_claim_goes_back_with_no_attempt(store: Store) -> None:
    owe(store, 1)
    turn(store)
    expire(store)
    (settled,) = turn(store, looks_after=True).settlements

    assert (settled.state, settled.outcome, settled.tries) == (State.PENDING, None, 0)


def test_a_dead_workers_delivery_to_a_place_unknown_here_waits(store: Store) -> None:
    owe(store, 1)
    started(store)
    expire(store)
    left = turn(store, replace(CRM, name="other"), looks_after=True).settlements
    expire(store, 2 * LEFT_TO_OTHERS_FOR)
    (settled,) = turn(store, replace(CRM, name="other"), looks_after=True).settlements

    # For a minute it is left to a worker that knows what on_unknown says there.
    assert left == []
    assert (settled.state, settled.outcome) == (State.PENDING, Outcome.UNKNOWN)


def test_a_late_result_changes_nothing(store: Store) -> None:
    owe(store, 1)
    late = started(store)
    expire(store)
    turn(store, looks_after=True)
    done = turn(store, news=sent(late, Retry("answered 503")))

    assert [claim.id for claim in done.late] == [late.started[0].id]
    assert (done.settlements, state_of(store).failures) == ([], 0)


def test_a_worker_that_stops_settles_and_claims_nothing(store: Store) -> None:
    owe(store, 4)
    begun = started(store)
    done = turn(store, news=sent(begun, Unknown("cut")), claims=False)

    assert [each.outcome for each in done.settlements] == [Outcome.UNKNOWN] * 3
    assert (done.claimed, done.next_at) == ([], None)


def test_the_next_moment_is_when_something_falls_due(store: Store) -> None:
    owe(store, 1)
    settled = turn(store, news=sent(started(store), Retry("503", after_seconds=7)))

    assert settled.next_at is not None
    assert 6 < (settled.next_at - settled.now).total_seconds() <= 7
    assert turn(store).next_at == settled.next_at


def test_the_next_moment_is_when_a_limit_allows_more(store: Store) -> None:
    limited = replace(CRM, rate_limit=RateLimit(count=1, seconds=60))
    owe(store, 2)
    done = turn(store, limited)

    assert done.next_at is not None
    assert 59 < (done.next_at - done.now).total_seconds() <= 60


def test_an_idle_worker_waits_for_nothing(store: Store) -> None:
    assert turn(store).next_at is None


def expire(store: Store, ago: timedelta = timedelta(seconds=1)) -> None:
    with store.read() as reading:
        past = update(deliveries).values(lease_until=reading.now - ago)
    store.write(lambda t: t.session.connection.execute(past.where(deliveries.c.state == "sending")) and None)


def test_a_claim_names_its_lease(store: Store) -> None:
    owe(store, 1)
    (claim,) = turn(store).claimed
    row = store.write(lambda t: t.operator.lock(claim.id))
    with store.read() as reading:
        left = (row.lease_until - reading.now).total_seconds()

    assert isinstance(claim, Claim)
    assert 20 < left <= CRM.timeout_seconds + 15


def test_a_turn_that_prunes_removes_one_batch_and_claims_all_the_same(store: Store) -> None:
    event, owed = given.event(), given.routing(*["crm"] * (PRUNE_BATCH + 1))
    store.write(lambda t: t.events.add(event, owed) and t.events.add_deliveries(event, owed))
    long_ago = {"state": "delivered", "finished_at": given.NOON - timedelta(days=900)}
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(long_ago)) and None)
    owe(store, 1)
    turns = [turn(store, prunes=timedelta(days=30)) for _ in range(3)]

    assert [done.pruned for done in turns] == [PRUNE_BATCH, 1, 0]
    assert [len(done.claimed) for done in turns] == [1, 0, 0]


def test_what_waited_too_long_is_given_up_when_it_is_time(store: Store) -> None:
    owe(store, 2)
    long_ago = given.NOON - timedelta(days=900)
    store.write(
        lambda t: t.session.connection.execute(update(deliveries).values(owed_since=long_ago)) and None
    )
    early = turn(store, looks_after=True, claims=False)
    in_time = turn(store, gives_up=True, claims=False)

    assert (+early.gave_up, in_time.gave_up) == ({}, {"crm": 2})
