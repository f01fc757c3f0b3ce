"""Times, spans and counts in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub.humanize import ago, counted, span, utc

NOW = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.04, "40 ms"),
        (0.0001, "1 ms"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min"),
        (3600, "1 h"),
        (3900, "1 h 5 min"),
        (3660 * 24, "1 d"),
        (90000, "1 d 1 h"),
        (90000 * 30, "31 d 6 h"),
    ],
)
def test_span(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_ago() -> None:
    assert ago(NOW, NOW) == "just now"
    assert ago(NOW - timedelta(minutes=3), NOW) == "3 min ago"
    assert ago(NOW + timedelta(seconds=5), NOW) == "in 5 s"


def test_utc_and_counted() -> None:
    assert utc(NOW) == "2026-01-31 12:00:05"
    assert counted(1, "event") == "1 event"
    assert counted(1200, "delivery", "deliveries") == "1,200 deliveries"
