"""Workers hear of what was taken in: soon, by few wake-ups, and of all of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import given
import pytest

from hub.store.engine import waker
from hub.store.engine.waker import Waker
from hub.store.open import open_store
from hub.store.store import Store


def test_workers_hear_of_what_was_taken_in(open_stores: Callable[..., Store]) -> None:
    first, second = open_stores(), open_stores()
    ear = given.Ear(second)
    try:
        for _ in range(3):
            ear.heard.clear()
            first.insert_event(given.routed("log"))
            assert ear.hears(30)
    finally:
        ear.close()


def test_nobody_is_woken_for_what_is_owed_to_nobody(open_stores: Callable[..., Store]) -> None:
    first, second = open_stores(), open_stores()
    ear = given.Ear(second)
    try:
        first.insert_event(given.routed())
        assert not ear.hears(0.5)
        first.insert_event(given.routed("log"))
        assert ear.hears(30)
    finally:
        ear.close()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.4 s after a lone arrival; where several come together 0.8, and 0.4 more for the next to go first."""
    monkeypatch.setattr(waker, "PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(waker, "LONGEST_PAUSE_SECONDS", 0.8)


@pytest.mark.usefixtures("patient")
def test_many_arrivals_are_told_of_by_few_wake_ups(postgres_store_url: str) -> None:
    """With the first commit; the pause after it ends with one for all that came meanwhile."""
    store = open_store(postgres_store_url)
    ear = given.Ear(store)
    began = time.monotonic()
    for _ in range(5):
        store.insert_event(given.routed("log"))
    pauses = (time.monotonic() - began) / waker.PAUSE_SECONDS
    count = 0
    while ear.hears(1):
        count += len(ear.heard)
        ear.heard.clear()
    ear.close()
    store.close()

    assert 2 <= count <= 2 + pauses


@pytest.mark.usefixtures("patient")
def test_what_another_commit_told_of_is_not_told_again() -> None:
    alone = threading.Event()
    waker = Waker(alone.set)
    first = waker.begin(2)
    assert first is not None
    assert waker.begin(2) is None
    waker.request()
    waker.committed(first)  # it began before that was committed
    assert alone.wait(30)

    alone.clear()
    waker.request()
    second = given.until(lambda: waker.begin(2))
    assert not alone.wait(0.6)  # it is under way
    waker.committed(second)
    assert not alone.wait(1.5)
    waker.close()


@pytest.mark.usefixtures("patient")
def test_a_duplicate_tells_nobody_of_what_came_before_it(postgres_store_url: str) -> None:
    """It begins as the pause ends and commits nothing: what others wait for is told by itself."""
    store = open_store(postgres_store_url)
    ear = given.Ear(store)
    known = given.routed("log")
    assert store._insert_all([known, given.routed("log")]) == [True, True]
    given.until(lambda: ear.hears(0.1))
    ear.heard.clear()
    store.insert_event(given.routed("crm"))
    ends = time.monotonic() + 30
    while not ear.hears(0.01) and time.monotonic() < ends:
        assert store._insert_all([known]) == [False]

    assert len(ear.heard) == 1
    ear.close()
    store.close()
