"""A lease that ran out means that its process died: its attempt ends as unknown, and `on_unknown` decides."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest
from sqlalchemy import text, update
from structlog.testing import capture_logs

from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.maintenance import rescue as module
from hub.maintenance.rescue import LEFT_TO_OTHERS_FOR, Rescue
from hub.model.alert import AlertKind
from hub.model.delivery import Outcome, State
from hub.model.destination import DestinationConfig, DestinationState, OnUnknown
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.store import Store
from hub.store.tables import deliveries

CRM = given.destination("crm")
DIED = "the worker that was sending it died"
LONG_AGO = timedelta(seconds=-1)


def rules_of(*places: DestinationConfig, **parts: Any) -> Rules:
    sends = (place.name for place in places)
    return given.rules(given.route("all", ("*",), *sends), destinations=places, **parts)


def die(store: Store, count: int = 1, *, lease: timedelta = LONG_AGO, name: str = "crm") -> None:
    """Owe deliveries to a destination, claim them and say no more."""
    for _ in range(count):
        fan_out(given.event(), rules_of(given.destination(name)), store)
    given.claim(store, name, count, lease=lease)


def records(store: Store, limit: int = 100) -> list[DeliveryRecord]:
    with store.read() as reading:
        return [
            reading.delivery_list.record(record.id) for record in reading.delivery_list.records(limit=limit)
        ]


def state_of(store: Store, name: str = "crm") -> DestinationState | None:
    with store.read() as reading:
        return reading.destinations.all().get(name)


def change(store: Store, **values: Any) -> None:
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(values)) and None)


@pytest.mark.parametrize(
    ("on_unknown", "state"), [(OnUnknown.RESEND, State.PENDING), (OnUnknown.HOLD, State.HELD)]
)
def test_the_destinations_choice_decides_what_follows(
    store: Store, on_unknown: OnUnknown, state: State
) -> None:
    die(store)
    Rescue(store).run(rules_of(replace(CRM, on_unknown=on_unknown)))
    (rescued,) = records(store)

    assert (rescued.state, rescued.reason, rescued.attempts) == (state, DIED, 1)
    assert [(attempt.outcome, attempt.detail, attempt.seconds) for attempt in rescued.attempt_list] == [
        (Outcome.UNKNOWN, DIED, None)
    ]
    assert rescued.message is None


def test_it_counts_in_the_schedule_and_the_next_attempt_waits_as_that_says(store: Store) -> None:
    die(store)
    change(store, tries=2)
    Rescue(store).run(rules_of(replace(CRM, retry_seconds=(5.0, 300.0))))
    with store.read() as reading:
        now = reading.now
    (rescued,) = records(store)

    assert rescued.due_at is not None
    assert 0.8 * 300 - 60 < (rescued.due_at - now).total_seconds() < 1.2 * 300
    assert store.write(lambda t: t.operator.lock(rescued.id)).tries == 2


def test_after_the_last_attempt_of_the_schedule_it_is_dead(store: Store) -> None:
    die(store)
    Rescue(store).run(rules_of(replace(CRM, retry_seconds=())))
    (dead,) = records(store)

    assert (dead.state, dead.reason) == (State.DEAD, f"{DIED} (attempt 1 of 1, the last)")


def test_it_is_no_sign_of_trouble_at_the_destination(store: Store) -> None:
    nearly_broken = DestinationState(name="crm", failures=4)
    store.write(lambda t: t.destinations.save([nearly_broken]))
    die(store, 6)
    Rescue(store).run(rules_of(CRM))

    assert {record.state for record in records(store)} == {State.PENDING}
    assert state_of(store) == nearly_broken


def test_a_lease_that_lasts_is_left_alone(store: Store) -> None:
    die(store, lease=timedelta(seconds=20))
    Rescue(store).run(rules_of(CRM))
    (record,) = records(store)

    assert (record.state, [attempt.outcome for attempt in record.attempt_list]) == (State.SENDING, [None])


def test_a_destination_unknown_here_is_left_for_a_minute_to_workers_that_know_it(store: Store) -> None:
    other = rules_of(given.destination("other"))
    die(store)
    Rescue(store).run(other)
    (kept,) = records(store)
    change(store, lease_until=kept.created_at - LEFT_TO_OTHERS_FOR)
    Rescue(store).run(other)
    (rescued,) = records(store)

    assert kept.state is State.SENDING
    assert (rescued.state, rescued.due_at) == (State.PENDING, kept.created_at)
    assert [attempt.outcome for attempt in rescued.attempt_list] == [Outcome.UNKNOWN]
    assert store.write(lambda t: t.operator.lock(rescued.id)).tries == 1


def test_a_destination_that_was_configured_once_is_known(store: Store) -> None:
    rescue = Rescue(store)
    rescue.run(rules_of(replace(CRM, on_unknown=OnUnknown.HOLD)))
    die(store)
    rescue.run(rules_of(given.destination("other")))

    assert [record.state for record in records(store)] == [State.HELD]


def test_more_than_a_batch_is_rescued_in_one_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    die(store, 7)
    Rescue(store).run(rules_of(CRM))

    assert [record.state for record in records(store)] == [State.PENDING] * 7


def test_what_was_claimed_but_cannot_be_read_is_rescued_and_keeps_no_other_waiting(store: Store) -> None:
    die(store)
    change(store, send=text("'no JSON'"), message=text("'no JSON'"))
    die(store)
    Rescue(store).run(rules_of(CRM))
    with store.read() as reading:
        stats = reading.numbers.stats()

    assert (stats.count(State.PENDING), stats.count(State.SENDING)) == (2, 0)


def test_a_message_that_was_kept_stays(store: Store) -> None:
    die(store)
    change(store, message={"text": "as it was"}, degraded="template failed", accepted=["ada@example.com"])
    Rescue(store).run(rules_of(CRM))
    (rescued,) = records(store)
    (again,) = (change(store, due_at=given.NOON), given.claim(store, "crm"))[1]

    assert (rescued.message, rescued.degraded) == ({"text": "as it was"}, "template failed")
    assert (again.message, again.accepted) == ({"text": "as it was"}, ("ada@example.com",))


@pytest.mark.parametrize("alerted", [(Send(to="mail"),), ()])
def test_dead_letters_of_it_are_counted_where_problems_are_told(
    store: Store, alerted: tuple[Send, ...]
) -> None:
    die(store, 2)
    places = (replace(CRM, retry_seconds=()), given.destination("mail"))
    Rescue(store).run(rules_of(*places, problems=alerted))
    with store.read() as reading:
        alerts = reading.alerts.all()

    assert [(alert.kind, alert.subject, alert.count) for alert in alerts] == (
        [(AlertKind.REFUSED, "crm", 2)] if alerted else []
    )


def test_it_is_logged_as_every_attempt_and_the_workers_are_woken(
    store: Store, open_stores: Callable[..., Store]
) -> None:
    die(store)
    ear = given.Ear(open_stores())
    with capture_logs() as logs:
        Rescue(store).run(rules_of(CRM))
    woken = ear.hears(30)
    ear.close()

    (line,) = logs
    assert (line["event"], line["outcome"], line["reason"]) == ("delivery.attempted", Outcome.UNKNOWN, DIED)
    assert woken


def test_any_number_of_processes_rescue_each_once(open_stores: Callable[..., Store]) -> None:
    stores = [open_stores() for _ in range(3)]
    die(stores[0], 40)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda store: Rescue(store).run(rules_of(CRM)), stores))
    kept = records(stores[0])

    assert {record.state for record in kept} == {State.PENDING}
    assert {len(record.attempt_list) for record in kept} == {1}
