"""One cycle of a worker, in one transaction; what holds over several workers holds in the store."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import psycopg
import pytest
from sqlalchemy import delete, func, select, update

from hub import catalog
from hub.delivery import retry
from hub.delivery.batch import Batch, Completion, CycleResult
from hub.delivery.cycle import run_cycle
from hub.errors import Pause, Reject, Retry, Unknown
from hub.ingest.fanout import fan_out
from hub.model.delivery import Claim, NotBegun, Outcome, Receipt, State
from hub.model.destination import DestinationConfig, DestinationState, RateLimit
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import deliveries, destinations

CRM = given.destination("crm", url="http://127.0.0.1:1/", concurrency=3)
OK = Receipt(detail="ok")


def owe(store: Store, count: int, *names: str) -> None:
    configs = tuple(replace(CRM, name=name) for name in names or ("crm",))
    rules = given.rules(
        given.route("all", ("*",), *(config.name for config in configs)), destinations=configs
    )
    for _ in range(count):
        fan_out(given.event(), rules, store)


def mark(store: Store, *configs: DestinationConfig) -> None:
    """Give destinations their rows, as a worker does before its first cycle."""
    store.write(lambda t: t.destinations.mark_configured({config.name: True for config in configs or (CRM,)}))


def cycle(
    store: Store,
    *configs: DestinationConfig,
    completions: tuple[Completion, ...] = (),
    in_flight: dict[str, int] | None = None,
    threads: int = 16,
    claims: bool = True,
    is_marked: bool = False,
) -> CycleResult:
    known = {config.name: config for config in configs or (CRM,)}
    if not is_marked:
        mark(store, *known.values())
    batch = Batch(
        completions=completions,
        destinations=known if claims else {},
        configs=known,
        threads=threads,
        in_flight=in_flight or {},
    )
    return run_cycle(store, batch)


def completed(result: CycleResult, outcome: Any) -> tuple[Completion, ...]:
    """The end of every attempt that a cycle began."""
    return tuple(
        Completion(
            claim=replace(claim, message={"text": "x"}),
            result=outcome,
            seconds=None if isinstance(outcome, NotBegun) else 0.1,
        )
        for claim in result.claims
    )


def state_of(store: Store, name: str = "crm") -> Any:
    with store.read() as snapshot:
        return snapshot.destinations.all()[name]


def only(store: Store) -> Any:
    with store.read() as snapshot:
        (record,) = snapshot.delivery_list.records()
        return snapshot.delivery_list.record(record.id)


def change(store: Store, statement: Any) -> None:
    store.write(lambda t: t.session.connection.execute(statement) and None)


def expire(store: Store, ago: timedelta = timedelta(seconds=1)) -> None:
    with store.read() as snapshot:
        past = update(deliveries).values(lease_until=snapshot.now - ago)
    change(store, past.where(deliveries.c.state == "sending"))


def test_a_claim_is_the_start_of_an_attempt_and_the_next_cycle_settles_it(store: Store) -> None:
    owe(store, 1)
    began = cycle(store)
    under_way = only(store)
    settled = cycle(store, completions=completed(began, OK))
    delivered = only(store)

    assert [(claim.attempts, claim.tries) for claim in began.claims] == [(1, 1)]
    assert (under_way.state, under_way.attempts, under_way.message) == (State.SENDING, 1, None)
    assert [(attempt.number, attempt.outcome) for attempt in under_way.attempt_list] == [(1, None)]
    assert [settlement.state for settlement in settled.settlements] == [State.DELIVERED]
    assert (delivered.state, delivered.message) == (State.DELIVERED, {"text": "x"})
    assert [attempt.outcome for attempt in delivered.attempt_list] == [Outcome.DELIVERED]


def test_a_message_is_kept_with_the_first_outcome_and_stays(store: Store) -> None:
    owe(store, 1)
    began = cycle(store)
    cycle(store, completions=completed(began, Retry("503", after_seconds=0)), claims=False)
    change(store, update(deliveries).values(due_at=given.NOON))
    (again,) = cycle(store).claims

    assert again.message == {"text": "x"}
    assert again.attempts == 2


def test_what_did_not_begin_leaves_no_attempt_but_its_message(store: Store) -> None:
    owe(store, 1)
    due_at = only(store).due_at
    settled = cycle(store, completions=completed(cycle(store), NotBegun()), claims=False)
    back = only(store)
    (again,) = cycle(store).claims

    assert [(s.state, s.outcome, s.tries) for s in settled.settlements] == [(State.PENDING, None, 0)]
    assert (back.state, back.attempts, back.attempt_list, back.due_at) == (State.PENDING, 0, (), due_at)
    assert (again.attempts, again.tries, again.message) == (1, 1, {"text": "x"})


def test_where_no_message_can_be_made_a_delivery_is_dead_without_an_attempt(store: Store) -> None:
    owe(store, 1)
    cycle(store, completions=completed(cycle(store), NotBegun(reason="template failed")))
    dead = only(store)

    assert (dead.state, dead.reason, dead.attempts, dead.attempt_list) == (
        State.DEAD,
        "template failed",
        0,
        (),
    )


def test_what_did_not_begin_gives_back_its_rate(store: Store) -> None:
    limited = replace(CRM, rate_limit=RateLimit(count=1, seconds=60))
    owe(store, 2)
    began = cycle(store, limited)
    assert cycle(store, limited).claims == []
    cycle(store, limited, completions=completed(began, NotBegun()), claims=False)

    assert len(cycle(store, limited).claims) == 1


def test_what_did_not_begin_gives_back_its_probe(store: Store) -> None:
    owe(store, 2)
    mark(store)
    breaker_open = update(destinations).values(failures=5, probe_at=given.NOON, probes=3)
    change(store, breaker_open)
    (probe,) = (began := cycle(store)).claims
    put_off = state_of(store)
    cycle(store, completions=completed(began, NotBegun()), claims=False)
    given_back = state_of(store)

    assert probe.probe == 3
    assert (put_off.probes, given_back.probes, given_back.failures) == (4, 3, 5)
    assert len(cycle(store).claims) == 1


def test_what_was_taken_over_meanwhile_is_late(store: Store) -> None:
    owe(store, 1)
    late = cycle(store)
    change(store, update(deliveries).values(token="another's"))
    result = cycle(store, completions=completed(late, NotBegun()))

    assert [claim.id for claim in result.late] == [late.claims[0].id]
    assert only(store).attempts == 1


def test_more_waits_where_a_claim_got_all_that_it_asked_for(store: Store) -> None:
    owe(store, 4)

    assert [cycle(store).more_waits for _ in range(2)] == [True, None]
    assert cycle(store, replace(CRM, name="other")).more_waits is False


def test_the_next_moment_is_that_of_what_must_wait_and_of_what_is_due_later(store: Store) -> None:
    other = replace(CRM, name="other")
    owe(store, 1, "crm", "other")
    retry_after = timedelta(seconds=40)
    store.write(
        lambda t: t.destinations.save([DestinationState(name="other", throttled_until=t.now + retry_after)])
    )
    result = cycle(store, CRM, other)
    assert [claim.destination for claim in result.claims] == ["crm"]
    assert result.next_at is not None
    assert 20 < (result.next_at - result.now).total_seconds() <= 40

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
    result = cycle(store, CRM, other)
    assert len(result.claims) == 1
    assert result.next_at is not None
    assert 0 < (result.next_at - result.now).total_seconds() <= 20


def test_what_comes_back_in_a_cycle_makes_room_in_it(store: Store) -> None:
    owe(store, 5)
    begun = cycle(store)
    assert len(begun.claims) == 3

    result = cycle(store, completions=completed(begun, OK))
    assert [len(result.settlements), len(result.claims)] == [3, 2]


def test_old_retries_and_first_attempts_do_not_wait_for_all_of_each_other(store: Store) -> None:
    one = replace(CRM, concurrency=1)
    owe(store, 40)
    change(store, update(deliveries).values(tries=1, due_at=given.NOON))
    owe(store, 40)
    tries = []
    for _ in range(40):
        result = cycle(store, one)
        tries.append(result.claims[0].tries)
        cycle(store, one, completions=completed(result, OK), claims=False)

    # One claim in two: 40 tosses of a coin are all alike once in a million million times.
    assert set(tries) == {1, 2}


def test_concurrency_holds_over_all_workers(open_stores: Callable[..., Store]) -> None:
    one, other = open_stores(), open_stores()
    owe(one, 10)

    assert (len(cycle(one).claims), len(cycle(other).claims)) == (3, 0)


def test_a_rate_limit_holds_over_all_workers(open_stores: Callable[..., Store]) -> None:
    one, other = open_stores(), open_stores()
    slow = replace(CRM, rate_limit=RateLimit(count=1, seconds=60))
    owe(one, 10)

    assert (len(cycle(one, slow).claims), len(cycle(other, slow).claims)) == (1, 0)


def test_a_breaker_opens_and_probes_for_all_workers(open_stores: Callable[..., Store]) -> None:
    one, other = open_stores(), open_stores()
    place = replace(CRM, concurrency=5)
    owe(one, 10)
    cycle(one, place, completions=completed(cycle(one, place), Retry("answered 503")))
    assert state_of(one).failures == 5
    assert cycle(other, place).claims == []

    past = update(destinations).values(probe_at=given.NOON)
    one.write(lambda t: t.session.connection.execute(past) and None)
    free = update(deliveries).where(deliveries.c.state == "sending").values(state="pending", token=None)
    one.write(lambda t: t.session.connection.execute(free) and None)

    assert (len(cycle(other, place).claims), len(cycle(one, place).claims)) == (1, 0)


def test_a_pause_is_said_once_and_stops_all_claims(store: Store) -> None:
    owe(store, 5)
    result = cycle(store, completions=completed(cycle(store), Pause("invalid_auth")))

    assert [state.paused_reason for state in result.paused] == ["invalid_auth"]
    assert result.claims == []
    assert result.next_at is None or result.next_at <= result.now
    assert cycle(store).next_at is None


def test_what_a_cycle_learns_does_not_undo_what_was_marked(store: Store) -> None:
    """A destination is configured again and sent to: `give_up_after` counts from then."""
    limited = replace(CRM, rate_limit=RateLimit(count=1, seconds=1))
    for is_configured in (False, True):
        store.write(lambda t, now=is_configured: t.destinations.mark_configured({"crm": now}))
    marked = state_of(store)
    owe(store, 1)
    cycle(store, limited)
    state = state_of(store)

    assert state.rate_limited_until is not None
    assert (state.configured, state.available_since) == (True, marked.available_since)
    assert marked.available_since is not None


def test_a_busy_destination_leaves_threads_to_others(store: Store) -> None:
    many, few = replace(CRM, name="many", concurrency=100), replace(CRM, name="few")
    owe(store, 20, "many")
    owe(store, 1, "few")
    claimed = [claim.destination for claim in cycle(store, many, few, threads=8).claims]

    assert claimed.count("few") == 1
    assert claimed.count("many") <= 6


def test_a_destination_whose_row_was_removed_is_marked_again(store: Store) -> None:
    cycle(store)
    owe(store, 1)
    change(store, delete(destinations))
    result = cycle(store, is_marked=True)

    assert (result.claims, result.lacks_row, result.next_at) == ([], True, result.now)
    assert not cycle(store).lacks_row


def test_no_more_is_claimed_than_there_are_free_threads_whatever_waits(store: Store) -> None:
    receivers = [replace(CRM, name=name, concurrency=100) for name in ("one", "two", "three")]
    owe(store, 9, "one", "two", "three")

    assert len(cycle(store, *receivers, threads=8).claims) == 8


def test_what_falls_due_while_a_cycle_waits_for_its_locks_is_for_the_next_at_once(
    postgres_store_url: str,
) -> None:
    first, second = open_store(postgres_store_url), open_store(postgres_store_url)
    other = replace(CRM, name="other")
    cycle(first, CRM, other)
    owe(first, 1)
    holds = threading.Event()

    def owe_slowly(transaction: Any) -> None:
        transaction.destinations.lock(["crm"])
        holds.set()
        given.until(lambda: given.waits_for_a_lock(watcher))
        given.keep(transaction, given.event(), given.routing("other"))

    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgres_store_url, autocommit=True) as watcher:
        slow = pool.submit(second.write, owe_slowly)
        assert holds.wait(30)
        result = cycle(first, CRM, other, is_marked=True)
        slow.result()
    first.close()
    second.close()

    assert [claim.destination for claim in result.claims] == ["crm"]
    assert result.next_at == result.now


def test_a_worker_without_a_free_thread_claims_nothing(store: Store) -> None:
    owe(store, 1)

    assert cycle(store, in_flight={"other": 16}).claims == []


def test_a_late_result_changes_nothing(store: Store) -> None:
    owe(store, 1)
    late = cycle(store)
    expire(store)
    change(store, update(deliveries).values(state="pending", token=None))
    result = cycle(store, completions=completed(late, Retry("answered 503")))

    assert [claim.id for claim in result.late] == [late.claims[0].id]
    assert (result.settlements, state_of(store).failures) == ([], 0)


def test_a_worker_that_stops_settles_and_claims_nothing(store: Store) -> None:
    owe(store, 4)
    begun = cycle(store)
    result = cycle(store, completions=completed(begun, Unknown("cut")), claims=False)

    assert [settlement.outcome for settlement in result.settlements] == [Outcome.UNKNOWN] * 3
    assert result.claims == []


def test_the_next_moment_is_when_something_falls_due(store: Store) -> None:
    owe(store, 1)
    settled = cycle(store, completions=completed(cycle(store), Retry("503", after_seconds=70)))

    assert settled.next_at is not None
    assert 60 < (settled.next_at - settled.now).total_seconds() <= 70
    assert cycle(store).next_at == settled.next_at


def test_the_next_moment_is_when_a_limit_allows_more(store: Store) -> None:
    limited = replace(CRM, rate_limit=RateLimit(count=1, seconds=60))
    owe(store, 2)
    result = cycle(store, limited)

    assert result.next_at is not None
    assert 40 < (result.next_at - result.now).total_seconds() <= 60


def test_an_idle_worker_waits_for_nothing(store: Store) -> None:
    assert cycle(store).next_at is None


def test_a_claim_names_its_lease(store: Store) -> None:
    owe(store, 1)
    (claim,) = cycle(store).claims
    row = store.write(lambda t: t.operator.lock(claim.id))
    with store.read() as snapshot:
        remaining = (row.lease_until - snapshot.now).total_seconds()

    assert isinstance(claim, Claim)
    assert 20 < remaining <= CRM.timeout_seconds + 15


@pytest.mark.parametrize("is_delivered", [True, False])
def test_what_a_429_means_for_the_delivery_does_not_end_the_rest(store: Store, is_delivered: bool) -> None:
    owe(store, 2, "crm")
    started = cycle(store, replace(CRM, concurrency=1))
    result: Any = Receipt(detail="429", status=429, throttled=True, after_seconds=90.0)
    if not is_delivered:
        result = Reject("429", status=429)
        result.throttled, result.after_seconds = True, 90.0
    ended = cycle(store, completions=completed(started, result))

    assert [settlement.state for settlement in ended.settlements] == [
        State.DELIVERED if is_delivered else State.DEAD
    ]
    assert ended.claims == []
    assert ended.next_at == ended.now + timedelta(seconds=90)


def test_the_words_of_a_failure_are_kept_with_its_destination_without_one_time_secrets(store: Store) -> None:
    url = "https://accounts.example.com/v1/tickets/accept?ticket=eyJhbGciOi"
    rules = given.rules(given.route("all", ("*",), "crm"), destinations=(CRM,))
    fan_out(given.event("invitation.created", data={"url": url}), rules, store)
    began = cycle(store)
    error = Retry("answered 500", answer=f"no\n{url} " + "x" * 600)
    cycle(store, completions=completed(began, error))
    state = state_of(store)

    assert (state.failing_since is not None, state.last_error) == (True, "answered 500")
    assert state.last_answer.startswith(f"no {catalog.MASK} xxx")
    assert len(state.last_answer) == retry.ANSWER_LIMIT
