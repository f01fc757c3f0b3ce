"""Workers hear of what was taken in: soon, by few wake-ups, and of all of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import given
import pytest

from hub.store import waking
from hub.store.intake import Arrival
from hub.store.store import Store, open_store
from hub.store.waking import Notifier


def arrival(*names: str) -> Arrival:
    return Arrival(event=given.event(), routing=given.routing(*names))


def test_workers_hear_of_what_was_taken_in(open_stores: Callable[..., Store]) -> None:
    here, there = open_stores(), open_stores()
    ear = given.Ear(there)
    try:
        for _ in range(3):
            ear.heard.clear()
            here.take_in(arrival("log"))
            assert ear.hears(1)
    finally:
        ear.close()


def test_nobody_is_woken_for_what_is_owed_to_nobody(open_stores: Callable[..., Store]) -> None:
    here, there = open_stores(), open_stores()
    ear = given.Ear(there)
    try:
        here.take_in(arrival())
        assert not ear.hears(0.5)
        here.take_in(arrival("log"))
        assert ear.hears(1)
    finally:
        ear.close()


@pytest.fixture
def long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "PAUSE_SECONDS", 0.5)
    monkeypatch.setattr(waking, "LONGEST_PAUSE_SECONDS", 0.5)


@pytest.mark.usefixtures("long_pause")
def test_many_arrivals_are_told_of_by_few_wake_ups(postgres_store_url: str) -> None:
    """With the first commit; the pause after it ends with one for all that came meanwhile."""
    store = open_store(postgres_store_url)
    ear = given.Ear(store)
    for _ in range(5):
        store.take_in(arrival("log"))
    assert ear.hears(1)
    assert ear.heard == [("log",)]

    ear.heard.clear()
    assert ear.hears(5)
    assert ear.heard == [()]
    ear.heard.clear()
    assert not ear.hears(1)
    ear.close()
    store.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where several come together, for 0.6 s, and 0.3 s more for the next of them to take a wake-up along."""
    monkeypatch.setattr(waking, "PAUSE_SECONDS", 0.3)
    monkeypatch.setattr(waking, "LONGEST_PAUSE_SECONDS", 0.6)


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
    assert not alone.wait(0.5)  # it is under way
    notifier.was_committed(second)
    assert not alone.wait(1.5)
    notifier.close()


@pytest.mark.usefixtures("patient")
def test_a_wake_up_names_destinations_where_it_is_for_one_arrival_alone() -> None:
    notifier = Notifier(lambda: None)
    first = given.until(lambda: notifier.take_along(2))
    assert [first.says([arrival("log", "crm")]), first.says([arrival("log")] * 2)] == ["log,crm", ""]

    notifier.ask()
    second = given.until(lambda: notifier.take_along(2))
    assert second.says([arrival("log")]) == ""
    notifier.close()


@pytest.mark.usefixtures("patient")
def test_a_duplicate_tells_nobody_of_what_came_before_it(postgres_store_url: str) -> None:
    """It begins as the pause ends and commits nothing: what others wait for is told by itself."""
    store = open_store(postgres_store_url)
    ear = given.Ear(store)
    known = arrival("log")
    assert store._take_in_all([known, arrival("log")]) == [True, True]
    given.until(lambda: ear.hears(0.1))
    ear.heard.clear()
    store.take_in(arrival("crm"))
    ends = time.monotonic() + 5
    while not ear.hears(0.01) and time.monotonic() < ends:
        assert store._take_in_all([known]) == [False]

    assert ear.heard == [()]
    ear.close()
    store.close()
