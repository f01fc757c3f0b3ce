"""An operator retries, cancels, resolves and replays many at once, on both dialects."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import given
import pytest
from sqlalchemy import update

from hub import operator
from hub.errors import Conflict, NotFound, StoreUnavailable
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.audit import Act, AuditEntry
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.filter import Filter
from hub.model.routing import Send
from hub.operator import Cancel, DeliveryAct, Outcome, Resolve, Retry, batch
from hub.operator import events as events_module
from hub.store.repositories.events import RoutedEvent
from hub.store.repositories.operator import Owed
from hub.store.store import Store, Transaction
from hub.store.tables import deliveries, events

PLACES = tuple(given.destination(name) for name in ("log", "crm"))
RULES = given.rules(given.route("all", ("user.*",), Send(to="log"), Send(to="crm")), destinations=PLACES)
TO_LOG = given.rules(given.route("all", ("*",), Send(to="log")), destinations=PLACES)
RETRY = Retry(rules=TO_LOG)


def owe(
    store: Store,
    state: State = State.DEAD,
    *,
    event: Event | None = None,
    rules: Rules = TO_LOG,
    **values: Any,
) -> str:
    """A delivery in a state; its id."""
    event = event or given.event()
    fan_out(event, rules, store)
    change = update(deliveries).where(deliveries.c.event_id == event.id).values(state=state, **values)
    store.write(lambda transaction: transaction.session.connection.execute(change) and None)
    with store.read() as snapshot:
        return snapshot.delivery_list.records(event=event.id)[0].id


def keep_event(store: Store, type_: str = "user.created", **changes: Any) -> str:
    """An event that is owed nothing; its id."""
    event = given.event(type_, **changes)
    fan_out(event, given.rules(), store)
    return event.id


def change_events(store: Store, *ids: str, **values: Any) -> None:
    change = update(events).where(events.c.id.in_(ids)).values(**values)
    store.write(lambda transaction: transaction.session.connection.execute(change) and None)


def event_of(store: Store, delivery_id: str) -> str:
    with store.read() as snapshot:
        return snapshot.delivery_list.record(delivery_id).event


def states(store: Store) -> Counter[State]:
    with store.read() as snapshot:
        return Counter(record.state for record in snapshot.delivery_list.records(limit=1000))


def audit(store: Store, *subjects: str) -> list[AuditEntry]:
    with store.read() as snapshot:
        return snapshot.audit.entries(subjects=subjects)


def why(outcome: Outcome) -> dict[str, str]:
    return {skipped.id: skipped.why for skipped in outcome.skipped}


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch.batches_of, "__defaults__", (2,))


def test_many_are_retried_and_of_the_others_it_is_said_why_not(store: Store) -> None:
    dead, cancelled = owe(store), owe(store, State.CANCELLED)
    sending, delivered, held = (owe(store, state) for state in (State.SENDING, State.DELIVERED, State.HELD))
    pruned, blanked = owe(store), owe(store)
    change_events(store, event_of(store, pruned), payload=None)
    change_events(store, event_of(store, blanked), blanked=True)
    ids = [dead, cancelled, sending, delivered, held, pruned, blanked, "dlv_0", dead]

    outcome = operator.act_on_deliveries(store, RETRY, ids)

    assert (set(outcome.changed), outcome.deliveries) == ({dead, cancelled}, {"log": 2})
    assert why(outcome) == {
        sending: "it cannot be retried: it is being sent right now",
        delivered: "it cannot be retried: it was delivered; replay its event to send it again",
        held: (
            "it cannot be retried: it is held because it may have arrived; "
            "resolve it as delivered or as retry"
        ),
        pruned: "it cannot be retried: its payload was pruned (HUB_RETENTION)",
        blanked: "it cannot be retried: its event's one-time secrets were removed",
        "dlv_0": "there is no delivery dlv_0",
    }


def test_many_are_rendered_anew_each_by_its_own_send_block_of_today(store: Store) -> None:
    blocks = (Send(to="log", fields={"text": "one"}), Send(to="crm", fields={"text": "two"}))
    rules = given.rules(given.route("all", ("*",), *blocks), destinations=PLACES)
    for _ in range(2):
        owe(store, rules=RULES)
    with store.read() as snapshot:
        records = {record.id: record for record in snapshot.delivery_list.records()}
    operator.act_on_deliveries(store, Retry(rules=rules), list(records))
    with store.read() as snapshot:
        rows = snapshot.operator.rows(list(records), locks=False)

    assert {(row.destination, row.send["text"], row.rendering) for row in rows.values()} == {
        ("log", "one", 2),
        ("crm", "two", 2),
    }


def test_what_is_too_old_is_not_retried(store: Store) -> None:
    rules = given.rules(given.route("all", ("*",), Send(to="log", max_age_seconds=600)), destinations=PLACES)
    old = owe(store, event=given.event(received_at=datetime.now(UTC) - timedelta(hours=2)), rules=rules)
    young = owe(store, rules=rules)

    outcome = operator.act_on_deliveries(store, Retry(rules=rules), [old, young])

    assert outcome.changed == (young,)
    assert why(outcome) == {old: "it cannot be retried: too old: it was 2 h old and may be 10 min"}


@pytest.mark.parametrize(
    ("act", "state", "after"),
    [
        (Cancel(), State.PENDING, State.CANCELLED),
        (Cancel(), State.DEAD, State.CANCELLED),
        (Resolve(as_="delivered"), State.HELD, State.DELIVERED),
        (Resolve(as_="retry"), State.HELD, State.PENDING),
    ],
)
def test_many_are_ended_or_decided_on(store: Store, act: DeliveryAct, state: State, after: State) -> None:
    ids = [owe(store, state) for _ in range(3)]
    other = owe(store, State.SENDING)

    outcome = operator.act_on_deliveries(store, act, [*ids, other])

    assert set(outcome.changed) == set(ids)
    assert list(why(outcome)) == [other]
    assert states(store) == {after: 3, State.SENDING: 1}


def test_one_time_secrets_of_many_are_removed_with_the_last_that_is_owed(store: Store) -> None:
    secret = given.event("email.created", data={"id": "ema_1", "body": "It is 314159."})
    delivery_id = owe(store, event=secret)
    operator.act_on_deliveries(store, Cancel(), [delivery_id, owe(store)])
    with store.read() as snapshot:
        payload = snapshot.event_list.record(secret.id).payload

    assert payload is not None
    assert b"314159" not in payload


def test_a_dry_run_says_the_same_and_changes_nothing(store: Store) -> None:
    ids = [owe(store), owe(store, State.DELIVERED), "dlv_0"]
    dry = operator.act_on_deliveries(store, RETRY, ids, is_dry_run=True)

    assert states(store) == {State.DEAD: 1, State.DELIVERED: 1}
    assert audit(store) == []
    outcome = operator.act_on_deliveries(store, RETRY, ids)
    assert (dry.changed, dry.skipped, dry.deliveries) == (
        outcome.changed,
        outcome.skipped,
        outcome.deliveries,
    )


def test_with_a_state_only_those_are_changed_that_are_still_in_it(store: Store) -> None:
    dead, pending = owe(store), owe(store, State.PENDING, tries=3)
    outcome = operator.act_on_deliveries(store, RETRY, [dead, pending], state=State.DEAD)

    assert outcome.changed == (dead,)
    assert why(outcome) == {pending: "it was dead and is pending by now"}


@pytest.mark.usefixtures("small_batches")
def test_an_act_on_many_is_one_entry_that_is_found_from_each_of_them(store: Store) -> None:
    ids = [owe(store) for _ in range(5)]
    skipped = owe(store, State.DELIVERED)
    operator.act_on_deliveries(store, RETRY, [*ids, skipped])
    (entry,) = audit(store)

    assert (entry.act, entry.subject, entry.changed) == (Act.RETRY, "hub", 5)
    assert [audit(store, subject) for subject in (*ids, "log", "hub")] == [[entry]] * 7
    assert audit(store, skipped) == []
    assert audit(store, ids[0], ids[1]) == [entry]


@dataclass
class Stopped:
    """A cancellation that stops in the middle of its batch of a number, once its rows are changed."""

    at: int
    error: BaseException
    act = Act.CANCEL
    count = 0

    def decide(self, transaction: Transaction, row: Any) -> None:
        Cancel().decide(transaction, row)

    def carry_out(self, transaction: Transaction, rows: Sequence[Any], owed: Sequence[Owed | None]) -> None:
        Cancel().carry_out(transaction, rows, owed)
        self.count += 1
        if self.count == self.at:
            raise self.error


@pytest.mark.usefixtures("small_batches")
def test_what_stops_between_batches_leaves_each_of_them_whole(store: Store) -> None:
    ids = [owe(store, State.PENDING) for _ in range(6)]
    with suppress(KeyboardInterrupt):
        operator.act_on_deliveries(store, Stopped(2, KeyboardInterrupt()), ids)

    assert states(store) == {State.CANCELLED: 2, State.PENDING: 4}
    assert [entry.changed for entry in audit(store)] == [2]
    assert set(operator.act_on_deliveries(store, Cancel(), ids).changed) == set(sorted(ids)[2:])


@pytest.mark.usefixtures("small_batches")
def test_a_database_that_fails_on_the_way_leaves_what_was_done(store: Store) -> None:
    ids = sorted(owe(store, State.PENDING) for _ in range(6))
    outage = StoreUnavailable("the database does not answer")
    outcome = operator.act_on_deliveries(store, Stopped(2, outage), ids)

    assert set(outcome.changed) == {*ids[:2], *ids[4:]}
    assert why(outcome) == dict.fromkeys(ids[2:4], "not done: the database does not answer")
    with pytest.raises(StoreUnavailable):
        operator.act_on_deliveries(store, Stopped(1, outage), ids[2:])


@pytest.mark.usefixtures("small_batches")
def test_two_who_cancel_the_same_cancel_each_once(open_stores: Callable[[], Store]) -> None:
    stores = [open_stores(), open_stores()]
    ids = [owe(stores[0], State.PENDING) for _ in range(20)]
    start = threading.Barrier(2)

    def act(store: Store) -> Outcome:
        start.wait()
        return operator.act_on_deliveries(store, Cancel(), ids)

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(act, stores))

    assert Counter(id_ for outcome in outcomes for id_ in outcome.changed) == Counter(ids)
    assert {reason for outcome in outcomes for reason in why(outcome).values()} == {
        "it cannot be cancelled: it is cancelled"
    }
    assert sum(entry.changed for entry in audit(stores[0])) == 20


# -- replay -------------------------------------------------------------------------------------------


def test_many_events_are_replayed_and_of_the_others_it_is_said_why_not(store: Store) -> None:
    taken = [keep_event(store), keep_event(store)]
    untaken, pruned, blanked = keep_event(store, "session.created"), keep_event(store), keep_event(store)
    change_events(store, pruned, payload=None)
    change_events(store, blanked, blanked=True)

    outcome = operator.replay_events(store, RULES, [*taken, untaken, pruned, blanked, "evt_0"])

    assert (set(outcome.changed), outcome.deliveries) == (set(taken), {"log": 2, "crm": 2})
    assert why(outcome) == {
        untaken: "no route takes it today, so nothing new is owed",
        pruned: "its payload was pruned (HUB_RETENTION); nothing is left to send",
        blanked: (
            "its one-time secrets were removed once it was delivered; only its source can make it anew"
        ),
        "evt_0": "there is no event evt_0",
    }
    assert states(store) == {State.PENDING: 4}
    (entry,) = audit(store, taken[0])
    assert (entry.act, entry.changed) == (Act.REPLAY, 4)
    assert audit(store, taken[1]) == audit(store, "crm") == [entry]


def test_what_the_hub_itself_told_is_not_replayed_through_routes_that_take_all(store: Store) -> None:
    operator.send_test(store, TO_LOG, "log")
    with store.read() as snapshot:
        (own,) = snapshot.event_list.find().ids

    refusal = "it is the hub's own: no route takes it; `hub send-test` makes another test message"
    assert why(operator.replay_events(store, TO_LOG, [own])) == {own: refusal}
    with pytest.raises(Conflict, match="it is the hub's own"):
        operator.replay(own, TO_LOG, store)


def test_events_are_replayed_to_some_destinations(store: Store) -> None:
    event_id = keep_event(store)
    outcome = operator.replay_events(store, RULES, [event_id], destinations=["crm"])
    with store.read() as snapshot:
        owed = [record.destination for record in snapshot.delivery_list.records(event=event_id)]
        (verdict,) = snapshot.event_list.record(event_id).verdicts

    assert (owed, outcome.deliveries) == (["crm"], {"crm": 1})
    assert (verdict.owed, verdict.unowed) == (1, "log was left out of a replay")
    with store.read() as snapshot:
        accounts = snapshot.invariant.accounts()
    assert (accounts.owed, accounts.discrepancies) == (1, ())


def test_each_of_many_events_keeps_its_own_verdicts(store: Store) -> None:
    some = given.route("some", ("*",), "crm", when=("data.id == 'user_2'",))
    rules = given.rules(given.route("all", ("*",), "log"), some, destinations=PLACES)
    ids = [keep_event(store, data={"id": f"user_{number}"}) for number in (1, 3, 2)]
    operator.replay_events(store, rules, ids)
    with store.read() as snapshot:
        verdicts = [snapshot.event_list.record(id_).verdicts[1] for id_ in ids]

    assert [verdict.value for verdict in verdicts] == ['data.id is "user_1"', 'data.id is "user_3"', None]


def test_an_event_that_goes_to_other_destinations_is_not_replayed(store: Store) -> None:
    event_id = keep_event(store)
    outcome = operator.replay_events(store, TO_LOG, [event_id], destinations=["crm"])

    assert why(outcome) == {event_id: "today's rules send it to log only"}
    with pytest.raises(NotFound, match='there is no destination "cmr"; did you mean "crm"'):
        operator.replay_events(store, TO_LOG, [event_id], destinations=["cmr"])


def test_an_event_that_is_too_old_for_all_it_goes_to_is_not_replayed(store: Store) -> None:
    sends = (Send(to="log", max_age_seconds=600), Send(to="crm"))
    rules = given.rules(given.route("all", ("*",), *sends), destinations=PLACES)
    old = keep_event(store, received_at=datetime.now(UTC) - timedelta(hours=2))

    outcome = operator.replay_events(store, rules, [old], destinations=["log"])

    assert why(outcome) == {old: "too old: it was 2 h old and may be 10 min"}
    assert operator.replay_events(store, rules, [old]).changed == (old,)


def test_a_dry_run_of_a_replay_changes_nothing(store: Store) -> None:
    ids = [keep_event(store), keep_event(store, "session.created")]
    dry = operator.replay_events(store, RULES, ids, is_dry_run=True)

    assert (states(store), audit(store)) == ({}, [])
    assert dry == operator.replay_events(store, RULES, ids)


def test_an_event_that_is_pruned_while_it_is_routed_is_not_replayed(store: Store) -> None:
    whole, pruned = keep_event(store), keep_event(store)
    planned = events_module.plan(store, RULES, [], [whole, pruned])
    change_events(store, pruned, payload=None)
    outcome = store.write(partial(events_module.owe, *planned))

    assert outcome.changed == (whole,)
    assert why(outcome) == {pruned: "its payload was pruned or its one-time secrets removed just now"}


def test_two_who_replay_the_same_do_not_keep_each_other_from_it(open_stores: Callable[[], Store]) -> None:
    stores = [open_stores(), open_stores()]
    ids = [keep_event(stores[0], f"user.{number % 3}") for number in range(60)]
    start = threading.Barrier(2)

    def act(store: Store) -> Outcome:
        start.wait()
        return operator.replay_events(store, RULES, ids)

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(act, stores))

    assert [len(outcome.changed) for outcome in outcomes] == [60, 60]
    with stores[0].read() as snapshot:
        accounts = snapshot.invariant.accounts()
    assert (accounts.owed, accounts.discrepancies) == (240, ())


# -- killed -------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from hub import operator
from hub.model.delivery import State
from hub.model.filter import Filter
from hub.store.open import open_store

store = open_store(sys.argv[1])
write, batches = store.write, []

def killed(work):
    batches.append(work)
    return write(lambda t: (work(t), len(batches) == 3 and os.kill(os.getpid(), signal.SIGKILL))[0])

store.write = killed
ids = operator.select_deliveries(store, Filter(state=State.PENDING)).ids
operator.act_on_deliveries(store, operator.Cancel(), ids)
"""


def test_a_process_killed_within_a_batch_leaves_those_before_whole(store: Store, store_url: str) -> None:
    with store.transaction() as transaction:
        routed = [RoutedEvent(event=given.event(), routing=given.routing("log")) for _ in range(500)]
        transaction.events.insert(routed)
    ended = subprocess.run([sys.executable, "-c", KILLED, store_url], timeout=60, check=False)
    first = cancelled(store)
    ids = operator.select_deliveries(store, Filter(state=State.PENDING)).ids

    assert (ended.returncode, first, audit(store)[0].changed) == (-signal.SIGKILL, 2 * batch.BATCH, first)
    # What the third batch had locked is free once the server has heard of its end.
    assert len(operator.act_on_deliveries(store, Cancel(), ids).changed) == 500 - first
    with store.read() as snapshot:
        assert snapshot.invariant.accounts().discrepancies == ()


def cancelled(store: Store) -> int:
    return len(operator.select_deliveries(store, Filter(state=State.CANCELLED)).ids)
