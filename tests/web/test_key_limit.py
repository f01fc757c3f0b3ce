"""Wrong keys cost a bounded number of writes, rows and log lines, whoever sends how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from hub.model.audit import Actor, By
from hub.store.store import Store
from hub.store.tables import audit, wrong_keys
from hub.web.key_limit import ALLOWED, BURST, KeyLimit


class Clock:
    """A steady clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(store: Store, clock: Clock) -> KeyLimit:
    return KeyLimit(store, clock, flush_seconds=3600)


def wrong(limit: KeyLimit, address: str, count: int = 1) -> list[bool]:
    return [limit.add(Actor(by=By.KEY, address=address)) for _ in range(count)]


def rows(store: Store, table: Any) -> int:
    with store.read() as snapshot:
        return int(snapshot.session.connection.execute(select(func.count()).select_from(table)).scalar_one())


def refused(store: Store) -> list[tuple[str | None, int]]:
    with store.read() as snapshot:
        return [(entry.actor.address, entry.changed) for entry in snapshot.audit.entries(limit=500)]


def test_one_address_has_too_many_from_the_eleventh_until_its_minute_is_over(
    limit: KeyLimit, clock: Clock
) -> None:
    first = wrong(limit, "192.0.2.1", 12)
    other = wrong(limit, "192.0.2.2")
    clock.now += 59
    later = wrong(limit, "192.0.2.1")

    assert first == [False] * ALLOWED + [True] * 2
    assert (other, later) == ([False], [True])


def test_all_that_one_address_tries_is_one_entry_and_two_log_lines(limit: KeyLimit, store: Store) -> None:
    with capture_logs() as lines:
        wrong(limit, "192.0.2.1", 500)
        limit.flush()

    assert refused(store) == [("192.0.2.1", 500)]
    assert [(line["event"], line["count"]) for line in lines] == [
        ("access.refused", 1),
        ("access.refused", 490),
    ]


def test_what_many_addresses_try_costs_few_writes_and_log_lines(limit: KeyLimit, store: Store) -> None:
    with capture_logs() as lines:
        for number in range(1_100):
            wrong(limit, f"10.0.{number // 250}.{number % 250}")
        limit.flush()

    assert len(lines) <= BURST + 1
    assert sum(changed for _, changed in refused(store)) == 1_100
    assert rows(store, audit) <= 101
    assert rows(store, wrong_keys) <= 1_001


def test_an_address_is_held_to_what_other_processes_counted(
    open_stores: Callable[..., Store], clock: Clock
) -> None:
    one, other = KeyLimit(open_stores(), clock), KeyLimit(open_stores(), clock)
    wrong(one, "192.0.2.1", 8)

    assert wrong(other, "192.0.2.1", 3) == [False, False, True]
