"""A claim is begun or taken back, once, by whoever comes first: never both, and not when it is too late."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import given
import pytest

from hub.delivery import in_flight
from hub.delivery.in_flight import BEGIN_WITHIN_SECONDS, InFlight
from hub.model.delivery import Claim
from hub.model.routing import Send

RACES = 5_000


def a_claim(delivery_id: str = "dlv_1", token: str = "mine", **changes: Any) -> Claim:
    claim = Claim(
        id=delivery_id,
        token=token,
        event=given.event(),
        route="all",
        destination="crm",
        send=Send(to="crm"),
        attempts=1,
        tries=1,
        message=None,
        degraded=None,
        accepted=(),
    )
    return replace(claim, **changes)


def with_claims(*claims: Claim, claimed_at: float | None = None) -> InFlight:
    under_way = InFlight()
    for claim in claims:
        under_way.add(claim, time.monotonic() if claimed_at is None else claimed_at)
    return under_way


@pytest.fixture
def frequent_switches() -> Iterator[None]:
    """Threads take turns within a few lines instead of once in thousands."""
    seconds = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(seconds)


def test_a_claim_begins_once_and_is_not_taken_back_any_more() -> None:
    under_way = with_claims(claim := a_claim())

    assert under_way.begin(replace(claim, message={"text": "rendered"}))
    assert not under_way.begin(claim)
    assert not under_way.take_back(claim)
    assert under_way.take_back_all() == []
    assert under_way.claims() == [claim]


def test_what_was_taken_back_neither_begins_nor_is_taken_back_again() -> None:
    under_way = with_claims(claim := a_claim())

    assert under_way.take_back(claim)
    assert not under_way.take_back(claim)
    assert not under_way.begin(claim)
    assert under_way.take_back_all() == []
    assert len(under_way) == 1


def test_all_that_has_not_begun_is_taken_back() -> None:
    begun, waiting, other = (a_claim(f"dlv_{number}") for number in range(3))
    under_way = with_claims(begun, waiting, other)
    under_way.begin(begun)

    assert under_way.take_back_all() == [waiting, other]
    assert [under_way.begin(claim) for claim in (waiting, other)] == [False, False]


def test_a_claim_of_long_ago_does_not_begin_but_can_be_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "BEGIN_WITHIN_SECONDS", 1000.0)
    in_time, late = a_claim("dlv_1"), a_claim("dlv_2")
    under_way = with_claims(in_time, claimed_at=time.monotonic() - 900)
    under_way.add(late, time.monotonic() - 1000.001)

    assert under_way.begin(in_time)
    assert not under_way.begin(late)
    assert under_way.take_back(late)


def test_a_lease_lasts_for_the_latest_start_and_the_attempt() -> None:
    from hub.delivery.cycle import LEASE_MARGIN

    assert LEASE_MARGIN.total_seconds() > BEGIN_WITHIN_SECONDS


def test_another_token_is_another_claim() -> None:
    late, now = a_claim(token="before"), a_claim(token="now")
    under_way = with_claims(now)

    assert not under_way.begin(late)
    assert not under_way.take_back(late)
    under_way.remove(late)
    assert under_way.claims() == [now]
    assert under_way.begin(now)
    under_way.remove(now)
    assert len(under_way) == 0


def test_what_is_not_under_way_neither_begins_nor_is_taken_back() -> None:
    under_way = InFlight()

    assert not under_way.begin(a_claim())
    assert not under_way.take_back(a_claim())


def test_they_are_counted_by_destination() -> None:
    under_way = with_claims(a_claim("dlv_1"), a_claim("dlv_2"), a_claim("dlv_3", destination="erp"))

    assert under_way.by_destination() == {"crm": 2, "erp": 1}


@pytest.mark.usefixtures("frequent_switches")
@pytest.mark.parametrize("takes_all", [False, True])
def test_of_begin_and_take_back_at_once_exactly_one_wins(takes_all: bool) -> None:
    claims = [a_claim(f"dlv_{number}") for number in range(RACES)]
    under_way = with_claims(*claims)
    both = threading.Barrier(2)

    def begin() -> list[Claim]:
        both.wait(30)
        return [claim for claim in claims if under_way.begin(claim)]

    def take_back() -> list[Claim]:
        both.wait(30)
        if takes_all:
            return under_way.take_back_all()
        return [claim for claim in claims if under_way.take_back(claim)]

    with ThreadPoolExecutor(2) as pool:
        begun, taken_back = pool.submit(begin), pool.submit(take_back)

        won = [claim.id for claim in (*begun.result(), *taken_back.result())]
    assert sorted(won) == sorted(claim.id for claim in claims)


@pytest.mark.usefixtures("frequent_switches")
def test_of_many_that_want_one_claim_one_has_it() -> None:
    everybody = threading.Barrier(8)

    def race(under_way: InFlight, claim: Claim, number: int) -> bool:
        everybody.wait(30)
        return under_way.begin(claim) if number % 2 else under_way.take_back(claim)

    with ThreadPoolExecutor(8) as pool:
        for _ in range(100):
            under_way = with_claims(claim := a_claim())
            races = [pool.submit(race, under_way, claim, number) for number in range(8)]

            assert sum(run.result() for run in races) == 1


def test_the_moment_counts_from_when_the_lease_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_flight, "BEGIN_WITHIN_SECONDS", 0.05)
    under_way = with_claims(claim := a_claim())
    time.sleep(0.06)

    assert not under_way.begin(claim)
