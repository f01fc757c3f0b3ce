"""`max_age`: what is older is not sent, whatever made it owed, and leaves no secret behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import given
import pytest
from servers.http_receiver import HttpReceiver
from sqlalchemy import select
from working import working

from hub import operator
from hub.errors import Conflict
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.maintenance.clock import SteadyClock
from hub.maintenance.expire import expire
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.repositories.retention import Prunable
from hub.store.store import Store
from hub.store.tables import attempts, events

TEN_MINUTES = 600.0
CODE = "424242"
REASON = "too old: it was 20 min old and may be 10"


def code(minutes: int = 20, **changes: Any) -> Event:
    """A code that was sent so many minutes ago."""
    received_at = datetime.now(UTC) - timedelta(minutes=minutes, seconds=5)
    data = {"id": "sms_1", "message": f"{CODE} is your code", "data": {"otp_code": CODE}}
    return given.event("sms.created", data=data, received_at=received_at, **changes)


def relaying(receiver: HttpReceiver, *names: str, max_age: float | None = TEN_MINUTES) -> Rules:
    """One route for everything to an endpoint of each name."""
    places = [given.destination(name, url=receiver.url) for name in names or ("sms",)]
    sends = [Send(to=place.name, max_age_seconds=max_age) for place in places]
    return given.rules(given.route("relay", ("*",), *sends), destinations=tuple(places))


def ended(store: Store, count: int = 1) -> list[DeliveryRecord]:
    def records() -> list[DeliveryRecord]:
        with store.read() as snapshot:
            all_of_them = snapshot.delivery_list.records()
        over = [record for record in all_of_them if record.state in (State.DEAD, State.DELIVERED)]
        return over if len(over) == len(all_of_them) == count else []

    return given.until(records)


def kept(store: Store) -> str:
    with store.read() as snapshot:
        return str(snapshot.session.connection.execute(select(events.c.payload, events.c.blanked)).all())


def tried(store: Store) -> int:
    with store.read() as snapshot:
        return len(snapshot.session.connection.execute(select(attempts.c.number)).all())


def test_what_is_too_old_is_dead_without_an_attempt_and_its_secrets_are_gone(store: Store) -> None:
    with HttpReceiver() as receiver, working(store, rules := relaying(receiver)):
        fan_out(code(), rules, store)
        (record,) = ended(store)

    assert (record.state, record.reason, record.attempts) == (State.DEAD, REASON, 0)
    assert (receiver.received, tried(store)) == ([], 0)
    assert CODE not in kept(store)


def test_what_is_young_enough_is_sent(store: Store) -> None:
    with HttpReceiver() as receiver, working(store, rules := relaying(receiver)):
        fan_out(code(minutes=9), rules, store)
        (record,) = ended(store)

    assert record.state is State.DELIVERED
    assert CODE.encode() in receiver.received[0].body


def test_a_later_edit_does_not_change_what_is_owed(store: Store) -> None:
    with HttpReceiver() as receiver:
        fan_out(code(), relaying(receiver), store)
        with working(store, relaying(receiver, max_age=None)):
            (record,) = ended(store)

    assert record.reason == REASON


def test_a_resend_revives_nothing_that_is_too_old(store: Store) -> None:
    event = code()
    with HttpReceiver() as receiver, working(store, rules := relaying(receiver)):
        fan_out(event, rules, store)
        ended(store)
        again = fan_out(replace(event, id="evt_2"), rules, store)

    assert (again.duplicate, again.deliveries) == (True, 0)
    assert receiver.received == []


def test_an_operators_retry_says_why_not(store: Store) -> None:
    with HttpReceiver() as receiver, working(store, rules := relaying(receiver)):
        fan_out(code(), rules, store)
        (record,) = ended(store)
        with pytest.raises(Conflict, match=f"it cannot be retried: {REASON}"):
            operator.retry(store, rules, record.id)
        with pytest.raises(Conflict, match="secrets were removed"):
            operator.retry(store, relaying(receiver, max_age=None), record.id)


def test_a_replay_of_what_held_no_secret_is_too_old_again(store: Store) -> None:
    old = given.event(received_at=datetime.now(UTC) - timedelta(minutes=20, seconds=5))
    with HttpReceiver() as receiver, working(store, rules := relaying(receiver)):
        fan_out(old, rules, store)
        ended(store)
        operator.replay(old.id, rules, store)
        records = ended(store, 2)

    assert [record.reason for record in records] == [REASON] * 2
    assert receiver.received == []


def test_a_retry_goes_by_todays_max_age(store: Store) -> None:
    old = given.event(received_at=datetime.now(UTC) - timedelta(minutes=20, seconds=5))
    with HttpReceiver() as receiver, working(store, rules := relaying(receiver)):
        fan_out(old, rules, store)
        (record,) = ended(store)
        operator.retry(store, relaying(receiver, max_age=3600.0), record.id)
        given.until(lambda: receiver.received)


def test_secrets_stay_while_anything_may_be_owed_and_then_no_replay_is_possible(store: Store) -> None:
    event = code()
    with HttpReceiver() as receiver:
        rules = relaying(receiver, "sms", "log")
        slow = replace(rules.config.routes[0].sends[1], max_age_seconds=None)
        route = replace(rules.config.routes[0], sends=(rules.config.routes[0].sends[0], slow))
        rules = given.rules(route, destinations=tuple(rules.config.destinations.values()))
        store.write(lambda t: t.destinations.pause("log", "paused") and None)
        with working(store, rules):
            fan_out(event, rules, store)
            given.until(lambda: REASON in [record.reason for record in deliveries(store)])
            before = kept(store)
            operator.resume(store, rules, "log")
            ended(store, 2)
        after = kept(store)

    assert CODE in before
    assert CODE not in after
    with pytest.raises(Conflict, match="its one-time secrets were removed"):
        operator.replay(event.id, rules, store)


def deliveries(store: Store) -> list[DeliveryRecord]:
    with store.read() as snapshot:
        return snapshot.delivery_list.records()


def test_what_waits_for_a_paused_destination_dies_once_it_is_too_old(store: Store) -> None:
    with HttpReceiver() as receiver:
        rules = relaying(receiver)
        fan_out(code(), rules, store)
        fan_out(code(minutes=1), rules, store)
    store.write(lambda t: t.destinations.pause("sms", "paused") and None)
    expire(store, rules, SteadyClock(store, 0.0))
    records = deliveries(store)

    assert sorted((record.state, record.reason) for record in records) == [
        (State.DEAD, REASON),
        (State.PENDING, None),
    ]
    assert "is your code" in kept(store)
    assert kept(store).count(CODE) == 2  # the younger one's: in its message and its field


def test_what_was_too_old_is_pruned_with_what_is_finished(store: Store) -> None:
    with HttpReceiver() as receiver, working(store, rules := relaying(receiver)):
        fan_out(code(), rules, store)
        ended(store)
    early = store.write(lambda t: t.retention.prune(Prunable.TOO_OLD, t.now - timedelta(days=1), 10))
    removed = store.write(lambda t: t.retention.prune(Prunable.TOO_OLD, t.now + timedelta(days=1), 10))

    assert (early, removed) == (0, 1)
    assert deliveries(store) == []
