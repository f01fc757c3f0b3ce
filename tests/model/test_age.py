"""The age of an event against the `max_age` that holds for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import given
import pytest

from hub.model.age import too_old, valid_until
from hub.model.event import Event

HAPPENED = datetime(2026, 6, 12, 12, 0, tzinfo=UTC)


def event(**body: object) -> Event:
    return given.event(payload=json.dumps({"type": "sms.created", "data": {}, **body}).encode())


@pytest.mark.parametrize(
    ("age", "max_age", "reason"),
    [
        (timedelta(minutes=12), 600, "too old: it was 12 min old and may be 10"),
        (timedelta(minutes=10), 600, "too old: it was 10 min old and may be 10"),
        (timedelta(minutes=10, seconds=-1), 600, None),
        (timedelta(hours=3), 600, "too old: it was 3 h old and may be 10 min"),
        (timedelta(hours=1, minutes=5), 3600, "too old: it was 65 min old and may be 1 h"),
        (timedelta(seconds=90), 30, "too old: it was 90 s old and may be 30"),
        (timedelta(days=2), 86400, "too old: it was 2 d old and may be 1"),
        (timedelta(seconds=-30), 600, None),
    ],
)
def test_what_is_older_than_it_may_be_says_so(age: timedelta, max_age: float, reason: str | None) -> None:
    happened = event(timestamp=int(HAPPENED.timestamp() * 1000))

    assert too_old(happened, valid_until(happened, max_age), HAPPENED + age) == reason


def test_without_a_max_age_nothing_is_too_old() -> None:
    happened = event(timestamp=1)

    assert valid_until(happened, None) is None
    assert too_old(happened, None, HAPPENED) is None


def test_age_counts_from_the_events_own_timestamp_and_else_from_its_receipt() -> None:
    late, without = event(timestamp=int(HAPPENED.timestamp() * 1000)), event()

    assert valid_until(late, 60) == HAPPENED + timedelta(minutes=1)
    assert valid_until(without, 60) == without.received_at + timedelta(minutes=1)
