"""What has waited longer than `give_up_after` dies, a batch at a time, but not while it cannot be sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from hub import catalog
from hub.ingest.fanout import hub_event
from hub.ingest.route import Rules
from hub.maintenance.clock import SteadyClock
from hub.maintenance.expire import expire
from hub.model.delivery import State
from hub.model.destination import DestinationConfig, DestinationState
from hub.model.routing import Send
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store
from hub.store.tables import deliveries

CRM = given.destination("crm", give_up_after_seconds=3600.0)
MAIL = replace(CRM, name="mail")
BATCH = 500
REASON = "given up after 1 h"


def rules_of(*places: DestinationConfig, problems: Iterable[Send] = ()) -> Rules:
    return given.rules(given.route(), destinations=places or (CRM,), problems=tuple(problems))


def owe(store: Store, count: int = 1, *, hours: float = 2.0, name: str = "crm", of: Any = None) -> str:
    """Owe deliveries since so many hours; the id of their event."""
    event = of or given.event()
    store.write(
        lambda t: t.events.insert([RoutedEvent(event=event, routing=given.routing(*[name] * count))]) and None
    )
    with store.read() as reading:
        since = reading.now - timedelta(hours=hours)
    change(store, event.id, owed_since=since)
    return event.id


def change(store: Store, event_id: str, **values: Any) -> None:
    its_own = update(deliveries).where(deliveries.c.event_id == event_id).values(values)
    store.write(lambda t: t.session.connection.execute(its_own) and None)


def dead(store: Store) -> int:
    with store.read() as reading:
        return reading.numbers.stats().count(State.DEAD)


def dead_letters(store: Store) -> dict[str, int]:
    with store.read() as reading:
        return {alert.subject: alert.count for alert in reading.alerts.all()}


def test_what_waited_too_long_is_dead_with_the_reason_and_what_did_not_waits_on(store: Store) -> None:
    late, early = owe(store, hours=1.01), owe(store, hours=0.9)
    is_done = expire(store, rules_of(), SteadyClock(store, 0.0))
    with store.read() as reading:
        kept = {record.event: record for record in reading.delivery_list.records()}

    assert is_done
    assert (kept[late].state, kept[late].reason, kept[late].attempts) == (State.DEAD, REASON, 0)
    assert kept[early].state is State.PENDING


@pytest.mark.parametrize("state", [State.SENDING, State.HELD, State.DELIVERED, State.CANCELLED])
def test_only_what_waits_is_given_up(store: Store, state: State) -> None:
    change(store, owe(store), state=state)
    expire(store, rules_of(), SteadyClock(store, 0.0))

    assert dead(store) == 0


@pytest.mark.parametrize("changes", [{"enabled": False}, {"options": None, "missing": ("CRM_URL",)}])
def test_nothing_is_given_up_of_a_destination_that_cannot_be_sent_to(
    store: Store, changes: dict[str, Any]
) -> None:
    owe(store, hours=900)
    expire(store, rules_of(replace(CRM, **changes)), SteadyClock(store, 0.0))
    expire(store, rules_of(MAIL), SteadyClock(store, 0.0))

    assert dead(store) == 0


def test_while_it_is_paused_nothing_is_given_up_and_a_resume_begins_the_count_anew(store: Store) -> None:
    owe(store, hours=900)
    store.write(lambda t: t.destinations.pause("crm", "by an operator"))
    expire(store, rules_of(), SteadyClock(store, 0.0))
    assert dead(store) == 0

    store.write(lambda t: t.destinations.resume("crm"))
    expire(store, rules_of(), SteadyClock(store, 0.0))
    assert dead(store) == 0

    with store.read() as reading:
        long_ago = replace(
            reading.destinations.all()["crm"], available_since=reading.now - timedelta(hours=2)
        )
    store.write(lambda t: t.destinations.save([long_ago]))
    expire(store, rules_of(), SteadyClock(store, 0.0))
    assert dead(store) == 1


def test_a_destination_that_is_configured_again_begins_the_count_anew(store: Store) -> None:
    owe(store, hours=900)
    for is_configured in (True, False, True):
        store.write(lambda t, now=is_configured: t.destinations.mark_configured({"crm": now}))
    expire(store, rules_of(), SteadyClock(store, 0.0))

    assert dead(store) == 0


def test_an_open_breaker_and_a_throttled_destination_do_not_stop_the_count(store: Store) -> None:
    owe(store)
    with store.read() as reading:
        later = reading.now + timedelta(hours=5)
    state = DestinationState(name="crm", failures=9, probe_at=later, probes=9, throttled_until=later)
    store.write(lambda t: t.destinations.save([state]))
    expire(store, rules_of(), SteadyClock(store, 0.0))

    assert dead(store) == 1


def test_each_run_takes_a_batch_of_each_destination_until_that_was_all(store: Store) -> None:
    owe(store, BATCH + 1)
    owe(store, 3, name="mail")
    with capture_logs() as logs:
        is_done = [expire(store, rules_of(CRM, MAIL), SteadyClock(store, 0.0)) for _ in range(3)]

    assert is_done == [False, True, True]
    assert dead(store) == BATCH + 4
    assert [(line["event"], line["destination"], line["count"]) for line in logs] == [
        ("deliveries.gave_up", "crm", BATCH),
        ("deliveries.gave_up", "mail", 3),
        ("deliveries.gave_up", "crm", 1),
    ]


def test_dead_letters_are_counted_where_problems_are_told(store: Store) -> None:
    owe(store, 3)
    expire(store, rules_of(CRM, MAIL), SteadyClock(store, 0.0))
    assert dead_letters(store) == {}

    owe(store, 3)
    expire(store, rules_of(CRM, MAIL, problems=[Send(to="mail")]), SteadyClock(store, 0.0))
    assert dead_letters(store) == {"crm": 3}


@pytest.mark.parametrize("count", [2, BATCH + 100])
def test_what_was_to_tell_of_problems_dies_without_being_one(store: Store, count: int) -> None:
    with store.read() as reading:
        now = reading.now
    owe(store, count, name="mail", of=hub_event(catalog.PROBLEM, {"headline": "crm fails"}, now))
    owe(store, 3, name="mail")
    rules = rules_of(CRM, MAIL, problems=[Send(to="mail")])
    given.until(lambda: expire(store, rules, SteadyClock(store, 0.0)))

    assert dead(store) == count + 3
    assert dead_letters(store) == {"mail": 3}
