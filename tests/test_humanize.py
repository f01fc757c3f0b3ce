"""Times, spans and counts in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.durations import parse_duration
from hub.humanize import (
    ago,
    byte_size,
    clock,
    counted,
    day,
    enumerated,
    exact,
    moment,
    not_set,
    period,
    sentence,
    span,
    stamp,
    utc,
    wallet,
)

NOW = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.04, "40 ms"),
        (0.0001, "1 ms"),
        (1.24, "1.2 s"),
        (3.0, "3 s"),
        (9.97, "10 s"),
        (59.9, "59 s"),
        (97, "97 s"),
        (119.9, "119 s"),
        (120, "2 min"),
        (3900, "65 min"),
        (7199, "119 min"),
        (7500, "2 h"),
        (90000, "25 h"),
        (172799, "47 h"),
        (172800, "2 d"),
        (90000 * 30, "31 d"),
    ],
)
def test_span(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize("written", ["30s", "90s", "5m", "1m", "90m", "1h", "36h", "1d", "45d"])
def test_a_span_that_somebody_set_is_told_as_it_was_written(written: str) -> None:
    duration = parse_duration(written)
    assert duration is not None

    words = period(duration.total_seconds())
    assert words.replace(" ", "").replace("min", "m") == written


def test_a_span_that_somebody_set_is_told_exactly() -> None:
    assert [period(seconds) for seconds in (0.1, 2.5, 120, 3660)] == ["100 ms", "2.5 s", "2 min", "61 min"]


def test_a_moment_is_told_in_the_time_zone_of_its_readers() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    assert stamp(NOW, berlin) == "31 Jan 13:00:05"
    assert exact(NOW, berlin) == "2026-01-31 12:00:05 UTC, 13:00:05 CET"
    assert exact(NOW, UTC) == exact(NOW) == "2026-01-31 12:00:05 UTC"
    assert clock(NOW, NOW + timedelta(hours=23), berlin) == "13:00"
    assert clock(NOW, NOW + timedelta(days=1), berlin) == "31 Jan 13:00"


def test_ago() -> None:
    assert ago(NOW, NOW) == "just now"
    assert ago(NOW - timedelta(minutes=3), NOW) == "3 min ago"
    assert ago(NOW + timedelta(seconds=5.4), NOW) == "in 5 s"
    assert ago(NOW - timedelta(seconds=0.9), NOW) == "just now"


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        ("UTC", "1 Jan 2026, 00:05 UTC"),
        ("Europe/Berlin", "1 Jan 2026, 01:05 CET"),
        ("America/Sao_Paulo", "31 Dec 2025, 21:05 UTC-03"),
        ("Asia/Kathmandu", "1 Jan 2026, 05:50 UTC+05:45"),
    ],
)
def test_a_moment_is_that_of_its_readers(zone: str, words: str) -> None:
    at = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)

    assert moment(at, ZoneInfo(zone)) == words
    assert day(at, ZoneInfo(zone)) == words.partition(",")[0]


def test_a_wallet_is_known_by_its_ends() -> None:
    assert wallet("0x71C7656EC7ab88b098defB751B7401B5f6d8976F") == "0x71C7…976F"
    assert wallet("short") == "short"


def test_utc_and_counted() -> None:
    assert utc(NOW) == "2026-01-31 12:00:05"
    assert counted(1, "event") == "1 event"
    assert counted(1200, "delivery", "deliveries") == "1,200 deliveries"


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (2048, "2.0 KiB"), (51 * 1024**2, "51 MiB"), (1024**3, "1.0 GiB"), (1024**4, "1.0 TiB")],
)
def test_byte_size(count: int, words: str) -> None:
    assert byte_size(count) == words


@pytest.mark.parametrize(
    ("names", "words"),
    [((), ""), (("A",), "A"), (("A", "B"), "A and B"), (("A", "B", "C"), "A, B and C")],
)
def test_enumerated(names: tuple[str, ...], words: str) -> None:
    assert enumerated(names) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("put that right", "Put that right."),
        ("invalid_auth", "invalid_auth."),
        ("config/routes.yaml:1:1: no", "config/routes.yaml:1:1: no."),
        ("Sure!", "Sure!"),
        ("", ""),
        (None, ""),
    ],
)
def test_a_sentence_has_a_capital_where_it_begins_with_a_word(text: str | None, words: str) -> None:
    assert sentence(text) == words


def test_missing_variables_are_listed() -> None:
    assert not_set(["A"]) == "A is not set"
    assert not_set(["A", "B", "C"]) == "A, B and C are not set"
