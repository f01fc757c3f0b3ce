"""Workers hear of what was taken in: soon, by few wake-ups, and of all of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import given
import pytest

from hub.store.engine import notifier
from hub.store.engine.notifier import Notifier
from hub.store.store import Store, open_store


def test_workers_hear_of_what_was_taken_in(open_stores: Callable[..., Store]) -> None:
    here, there = open_stores(), open_stores()
    ear = given.Ear(there)
    try:
        for _ in range(3):
            ear.heard.clear()
            here.take_in(given.arrival("log"))
            assert ear.hears(1)
    finally:
        ear.close()


def test_nobody_is_woken_for_what_is_owed_to_nobody(open_stores: Callable[..., Store]) -> None:
    here, there = open_stores(), open_stores()
    ear = given.Ear(there)
    try:
        here.take_in(given.arrival())
        assert not ear.hears(0.5)
        here.take_in(given.arrival("log"))
        assert ear.hears(1)
    finally:
        ear.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.4 s after a lone arrival; where several come together 0.8, and 0.4 more for the next to go first."""
    monkeypatch.setattr(notifier, "PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(notifier, "LONGEST_PAUSE_SECONDS", 0.8)


@pytest.mark.usefixtures("patient")
def test_many_arrivals_are_told_of_by_few_wake_ups(postgres_store_url: str) -> None:
    """With the first commit; the pause after it ends with one for all that came meanwhile."""
    store = open_store(postgres_store_url)
    ear = given.Ear(store)
    for _ in range(5):
        store.take_in(given.arrival("log"))
    assert ear.hears(1)
    assert ear.heard == [("log",)]

    ear.heard.clear()
    assert ear.hears(5)
    assert ear.heard == [()]
    ear.heard.clear()
    assert not ear.hears(1)
    ear.close()
    store.close()


@pytest.mark.usefixtures("patient")
def test_what_another_commit_told_of_is_not_told_again() -> None:
    alone = threading.Event()
    notifier = Notifier(alone.set)
    first = notifier.take_along(2)
    assert first is not None
    assert notifier.take_along(2) is None
    notifier.ask()
    notifier.was_committed(first)  # it began before that was committed
    assert alone.wait(5)

    alone.clear()
    notifier.ask()
    second = given.until(lambda: notifier.take_along(2))
    assert not alone.wait(0.6)  # it is under way
    notifier.was_committed(second)
    assert not alone.wait(1.5)
    notifier.close()


@pytest.mark.usefixtures("patient")
def test_a_wake_up_names_destinations_where_it_is_for_one_arrival_alone() -> None:
    notifier = Notifier(lambda: None)
    first = given.until(lambda: notifier.take_along(2))
    assert [first.says([given.arrival("log", "crm")]), first.says([given.arrival("log")] * 2)] == [
        "log,crm",
        "",
    ]

    notifier.ask()
    second = given.until(lambda: notifier.take_along(2))
    assert second.says([given.arrival("log")]) == ""
    notifier.close()


@pytest.mark.usefixtures("patient")
def test_a_duplicate_tells_nobody_of_what_came_before_it(postgres_store_url: str) -> None:
    """It begins as the pause ends and commits nothing: what others wait for is told by itself."""
    store = open_store(postgres_store_url)
    ear = given.Ear(store)
    known = given.arrival("log")
    assert store._take_in_all([known, given.arrival("log")]) == [True, True]
    given.until(lambda: ear.hears(0.1))
    ear.heard.clear()
    store.take_in(given.arrival("crm"))
    ends = time.monotonic() + 5
    while not ear.hears(0.01) and time.monotonic() < ends:
        assert store._take_in_all([known]) == [False]

    assert ear.heard == [()]
    ear.close()
    store.close()
