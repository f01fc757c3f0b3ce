"""The reasons why deliveries wait: a table of states, each with its code, its words and its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import given
import pytest

from hub.delivery import throttle
from hub.health.facts import Facts, FileFacts, StoreFacts
from hub.health.waiting import WaitCode, why
from hub.model.delivery import State
from hub.model.destination import DestinationConfig, DestinationState, RateLimit
from hub.model.records import DeliveryRecord

NOW = given.NOON
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
DAY_AHEAD = "a clock that was ahead put it off until 2026-05-05 12:00:00 UTC, which is not believed"
CRM = given.destination("crm", concurrency=2)
LIMITED = replace(CRM, rate_limit=RateLimit(count=6, seconds=60.0))


def delivery(state: State = State.PENDING, **changes: Any) -> DeliveryRecord:
    record = DeliveryRecord(
        id="dlv_1",
        event="evt_1",
        type="user.created",
        route="all",
        destination="crm",
        state=state,
        reason=None,
        attempts=0,
        due_at=NOW - SECOND if state is State.PENDING else None,
        created_at=NOW - HOUR,
        delivered_at=None,
        degraded=None,
        message=None,
    )
    return replace(record, **changes)


def failed(due_at: datetime) -> DeliveryRecord:
    return delivery(reason="answered 503 Service Unavailable", attempts=1, tries=1, due_at=due_at)


def facts(
    config: DestinationConfig | None = CRM,
    *,
    sending: int = 0,
    seen_at: datetime | None = NOW - SECOND,
    **state: Any,
) -> Facts:
    return Facts(
        now=NOW,
        files=FileFacts(config=given.config(destinations=(config or given.destination("log"),))),
        store=StoreFacts(
            states={"crm": DestinationState(name="crm", **state)},
            counts={("crm", State.SENDING): sending},
            worker_seen_at=seen_at,
        ),
    )


PAUSED = {"paused_at": NOW - HOUR, "paused_reason": "invalid_auth"}
GONE = "crm is no longer in routes.yaml: put it back, or cancel"
SILENT = "no worker for 60 min"
LACKING = replace(CRM, options=None, missing=("CRM_URL",))

TABLE: dict[str, tuple[DeliveryRecord, Facts, WaitCode, str, datetime | None]] = {
    "it is due": (delivery(), facts(), WaitCode.DUE, "goes out now", None),
    "its schedule": (
        failed(NOW + HOUR),
        facts(),
        WaitCode.SCHEDULE,
        "try 2 of 4 in 60 min, after 503 Service Unavailable",
        NOW + HOUR,
    ),
    "put off without an error": (
        delivery(due_at=NOW + HOUR),
        facts(),
        WaitCode.SCHEDULE,
        "try 1 of 4 in 60 min",
        NOW + HOUR,
    ),
    "a rest that was asked for": (
        delivery(),
        facts(throttled_until=NOW + SECOND),
        WaitCode.RETRY_AFTER,
        "crm asks to wait: again in 1 s",
        NOW + SECOND,
    ),
    "a rest that is over": (
        delivery(),
        facts(throttled_until=NOW - SECOND),
        WaitCode.DUE,
        "goes out now",
        None,
    ),
    "the rate limit": (
        delivery(),
        facts(LIMITED, rate_limited_until=NOW + SECOND),
        WaitCode.RATE_LIMIT,
        "waits for its turn, 6/m: about 1 s",
        NOW + SECOND,
    ),
    "a rate limit of before": (
        delivery(),
        facts(rate_limited_until=NOW + SECOND),
        WaitCode.DUE,
        "goes out now",
        None,
    ),
    "free slots": (delivery(), facts(sending=1), WaitCode.DUE, "goes out now", None),
    "its concurrency": (
        delivery(),
        facts(sending=2),
        WaitCode.CONCURRENCY,
        "2 are being sent; the next free place is its",
        None,
    ),
    "an open breaker": (
        delivery(),
        facts(probe_at=NOW + SECOND, failures=5, last_error="answered 503 Service Unavailable"),
        WaitCode.BREAKER,
        ("crm answers 503 Service Unavailable; one is tried in 1 s, the rest follow when it works"),
        NOW + SECOND,
    ),
    "a breaker whose probe is due": (
        delivery(),
        facts(probe_at=NOW - SECOND, failures=5),
        WaitCode.BREAKER,
        "crm takes no messages; one is tried now, the rest follow when it works",
        None,
    ),
    "the later of two": (
        failed(NOW + HOUR),
        facts(probe_at=NOW + SECOND, failures=5),
        WaitCode.SCHEDULE,
        "try 2 of 4 in 60 min, after 503 Service Unavailable",
        NOW + HOUR,
    ),
    "a pause": (
        failed(NOW + HOUR),
        facts(**PAUSED),
        WaitCode.PAUSED,
        "crm is paused (invalid_auth); sent once it is resumed",
        None,
    ),
    "a pause without a worker": (
        delivery(),
        facts(seen_at=None, **PAUSED),
        WaitCode.PAUSED,
        "crm is paused (invalid_auth); sent once it is resumed",
        None,
    ),
    "a variable": (
        delivery(),
        facts(LACKING, configured=False),
        WaitCode.NOT_CONFIGURED,
        "CRM_URL is not set",
        None,
    ),
    "a variable of the worker's alone": (
        delivery(),
        facts(configured=False),
        WaitCode.NOT_CONFIGURED,
        "crm is not configured",
        None,
    ),
    "a variable of this process alone": (
        delivery(),
        facts(LACKING),
        WaitCode.DUE,
        "goes out now",
        None,
    ),
    "a variable without a worker": (
        delivery(),
        facts(LACKING, seen_at=None),
        WaitCode.NOT_CONFIGURED,
        "CRM_URL is not set",
        None,
    ),
    "a destination that is switched off": (
        delivery(),
        facts(replace(CRM, enabled=False)),
        WaitCode.SWITCHED_OFF,
        "crm is switched off in routes.yaml",
        None,
    ),
    "a destination that is gone": (
        delivery(),
        facts(None),
        WaitCode.REMOVED,
        GONE,
        None,
    ),
    "a rate limit of a clock that was ahead": (
        delivery(),
        facts(LIMITED, rate_limited_until=NOW + DAY),
        WaitCode.DUE,
        f"{DAY_AHEAD}; goes out now",
        None,
    ),
    "a rest of a clock that was ahead": (
        delivery(),
        facts(throttled_until=NOW + DAY + SECOND),
        WaitCode.DUE,
        (
            "a clock that was ahead put it off until 2026-05-05 12:00:01 UTC, which is not believed; "
            "goes out now"
        ),
        None,
    ),
    "a probe of a clock that was ahead": (
        delivery(),
        facts(probe_at=NOW + DAY, failures=5),
        WaitCode.BREAKER,
        f"{DAY_AHEAD}; crm takes no messages; one is tried now, the rest follow when it works",
        None,
    ),
    "a due time of a clock that was ahead": (
        failed(NOW + 40 * DAY),
        facts(),
        WaitCode.DUE,
        (
            "a clock that was ahead put it off until 2026-06-13 12:00:00 UTC, which is not believed; "
            "goes out now"
        ),
        None,
    ),
    "what was owed by a clock that was ahead": (
        delivery(created_at=NOW + DAY, due_at=NOW + DAY),
        facts(),
        WaitCode.DUE,
        f"{DAY_AHEAD}; goes out now",
        None,
    ),
    "a clock that was ahead, and a rest that is believed": (
        delivery(),
        facts(probe_at=NOW + DAY, throttled_until=NOW + HOUR, failures=5),
        WaitCode.RETRY_AFTER,
        "crm asks to wait: again in 60 min",
        NOW + HOUR,
    ),
    "an operator": (
        delivery(State.HELD, tried_at=NOW - HOUR),
        facts(**PAUSED),
        WaitCode.HELD,
        f"may have arrived at {NOW - HOUR:%H:%M}; somebody has to say",
        None,
    ),
    "a table": (
        delivery(needs=("crm/users",), reason="it is missing; run that"),
        facts(),
        WaitCode.NOT_CONFIGURED,
        "it is missing; run that",
        None,
    ),
    "a table, whose destination is paused": (
        delivery(needs=("crm/users",), reason="it is missing"),
        facts(**PAUSED),
        WaitCode.PAUSED,
        "crm is paused (invalid_auth); sent once it is resumed",
        None,
    ),
    "a worker": (
        failed(NOW + HOUR),
        facts(seen_at=NOW - HOUR),
        WaitCode.NO_WORKER,
        SILENT,
        None,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_a_delivery_waits_for(case: str) -> None:
    record, seen, code, text, until = TABLE[case]
    reason = why(record, seen)

    assert reason is not None
    assert (reason.code, reason.text, reason.until) == (code, text, until)


def test_every_code_has_a_case() -> None:
    assert {code for _, _, code, _, _ in TABLE.values()} == set(WaitCode)


@pytest.mark.parametrize("state", [State.SENDING, State.DELIVERED, State.DEAD, State.CANCELLED])
def test_nothing_else_waits(state: State) -> None:
    assert why(delivery(state), facts(**PAUSED)) is None


@pytest.mark.parametrize("config", [CRM, LIMITED])
@pytest.mark.parametrize("throttled", [None, NOW - SECOND, NOW + SECOND, NOW + 2 * DAY])
@pytest.mark.parametrize("limited", [None, NOW - SECOND, NOW + 2 * SECOND, NOW + DAY])
@pytest.mark.parametrize("probe", [None, NOW - SECOND, NOW + 3 * SECOND, NOW + HOUR])
def test_it_waits_as_long_as_the_throttle_says(
    config: DestinationConfig, throttled: datetime | None, limited: datetime | None, probe: datetime | None
) -> None:
    seen = facts(config, throttled_until=throttled, rate_limited_until=limited, probe_at=probe, failures=5)
    reason = why(delivery(), seen)

    assert reason is not None
    believed = throttle.believed(config, seen.state("crm"), NOW)
    assert reason.until == throttle.opens_at(config, believed, NOW)
