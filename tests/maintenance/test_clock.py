"""A clock that was ahead or stepped: nothing is silenced for long, and nothing is given up for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import given
import pytest
from servers.http_receiver import HttpReceiver
from sqlalchemy import update
from structlog.testing import capture_logs
from working import working

from hub.ingest.fanout import fan_out
from hub.maintenance.clock import SteadyClock, mend
from hub.maintenance.expire import expire
from hub.maintenance.rescue import Rescue
from hub.model.delivery import State
from hub.model.destination import DestinationState, RateLimit
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import attempts, deliveries, workers

CRM = given.destination("crm", give_up_after_seconds=100.0, retry_seconds=(60.0, 3600.0))
RULES = given.rules(given.route("all", ("*",), "crm"), destinations=(CRM,))
DAY = timedelta(days=1)


def now(store: Store) -> datetime:
    with store.read() as reading:
        return reading.now


def change(store: Store, table: Any, **values: Any) -> None:
    store.write(lambda t: t.session.connection.execute(update(table).values(**values)) and None)


def states(store: Store) -> list[State]:
    with store.read() as reading:
        return [record.state for record in reading.delivery_list.records()]


def due_in(store: Store) -> timedelta:
    with store.read() as reading:
        (record,) = reading.delivery_list.records()
        assert record.due_at is not None
        return record.due_at - reading.now


def test_moments_of_a_clock_that_was_ahead_keep_no_message(store: Store) -> None:
    ahead = now(store) + 2 * DAY
    limited = RateLimit(count=10, seconds=1.0)
    moments = {"rate_limited_until": ahead, "probe_at": ahead, "throttled_until": ahead}
    store.write(lambda t: t.destinations.save([DestinationState(name="crm", failures=5, **moments)]))
    with HttpReceiver() as receiver:
        place = given.destination("crm", url=receiver.url, rate_limit=limited)
        rules = given.rules(given.route("all", ("*",), "crm"), destinations=(place,))
        with working(store, rules):
            fan_out(given.event(), rules, store)
            receiver.wait_for(1)


@pytest.mark.parametrize(
    ("wait", "is_mended"), [(DAY + timedelta(hours=1), True), (timedelta(hours=23), False), (-DAY, False)]
)
def test_a_due_time_that_nothing_puts_off_so_far_is_mended(
    store: Store, wait: timedelta, is_mended: bool
) -> None:
    fan_out(given.event(), RULES, store)
    change(store, deliveries, due_at=now(store) + wait)
    mend(store, RULES)

    expected = timedelta() if is_mended else wait
    assert abs(due_in(store) - expected) < timedelta(minutes=1)


@pytest.mark.parametrize("table", [deliveries, attempts])
def test_what_a_clock_ahead_owed_or_tried_is_due_at_once(store: Store, table: Any) -> None:
    fan_out(given.event(), RULES, store)
    given.claim(store, "crm")
    later = now(store) + timedelta(hours=3)
    change(store, deliveries, state=State.PENDING, due_at=later)
    mend(store, RULES)
    before = due_in(store)
    change(store, table, **{"owed_since" if table is deliveries else "at": later})
    mend(store, RULES)

    assert before > timedelta(hours=2)
    assert abs(due_in(store)) < timedelta(minutes=1)


def test_a_schedule_that_waits_longer_than_a_day_is_believed(store: Store) -> None:
    patient = replace(CRM, retry_seconds=(3 * 86400.0,))
    fan_out(given.event(), RULES, store)
    change(store, deliveries, due_at=now(store) + 3 * DAY)
    mend(store, given.rules(given.route("all", ("*",), "crm"), destinations=(patient,)))

    assert due_in(store) > 2 * DAY


@pytest.mark.parametrize(("lease", "state"), [(timedelta(minutes=10), State.SENDING), (DAY, State.PENDING)])
def test_a_lease_that_no_attempt_has_is_given_back(store: Store, lease: timedelta, state: State) -> None:
    fan_out(given.event(), RULES, store)
    given.claim(store, "crm")
    change(store, deliveries, lease_until=now(store) + lease)
    Rescue(store).run(RULES)

    assert states(store) == [state]


def test_a_heartbeat_of_a_clock_that_was_ahead_is_no_sign_of_life(store: Store) -> None:
    store.write(lambda t: t.workers.beat("w", t.now, forget_after=DAY))
    with store.read() as reading:
        alive = reading.workers.last_seen_at()
    change(store, workers, seen_at=now(store) + DAY)
    with store.read() as reading:
        ahead = reading.workers.last_seen_at()

    assert (alive is None, ahead) == (False, None)


# -- giving up ------------------------------------------------------------------------------------


class Moved(SteadyClock):
    """A clock of a process that has been up for so long, and whose wall clock steps."""

    def __init__(self, store: Store, up_seconds: float) -> None:
        super().__init__(store)
        self._steady_since -= up_seconds

    def step(self, seconds: float) -> None:
        assert self._offset_seconds is not None
        self._offset_seconds -= seconds


@pytest.mark.parametrize(
    ("up_seconds", "limit", "is_steady"),
    [
        (0, timedelta(days=3), False),
        (3540, timedelta(days=3), False),
        (3601, timedelta(days=3), True),
        (940, timedelta(seconds=10_000), False),
        (1001, timedelta(seconds=10_000), True),
    ],
)
def test_after_a_start_nothing_ends_for_an_hour_or_a_tenth_of_its_limit(
    sqlite_url: str, up_seconds: float, limit: timedelta, is_steady: bool
) -> None:
    store = open_store(sqlite_url)
    assert Moved(store, up_seconds).look().has_been_steady(limit) is is_steady
    store.close()


@pytest.mark.parametrize(("seconds", "gives_up"), [(0, True), (30, True), (-90, False), (40 * 86400, False)])
def test_after_a_step_nothing_is_given_up_until_it_was_tried(
    store: Store, seconds: float, gives_up: bool
) -> None:
    fan_out(given.event(), RULES, store)
    clock = Moved(store, 20.0)
    expire(store, RULES, clock)
    change(store, deliveries, owed_since=now(store) - timedelta(seconds=200))
    with capture_logs() as logs:
        clock.step(seconds)
        expire(store, RULES, clock)

    assert states(store) == [State.DEAD if gives_up else State.PENDING]
    assert [line["event"] for line in logs if line["event"] == "clock.stepped"] == (
        [] if gives_up else ["clock.stepped"]
    )
