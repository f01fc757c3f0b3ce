"""Workers hear of what was taken in: soon, by few wake-ups, and of all of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import given
import psycopg
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
    with psycopg.connect(postgres_store_url, autocommit=True) as listener:
        listener.execute("LISTEN hub_wake")
        store = open_store(postgres_store_url)
        began = time.monotonic()
        for _ in range(5):
            store.insert_event(given.routed("log"))
        pauses = (time.monotonic() - began) / waker.PAUSE_SECONDS
        first_two = list(listener.notifies(timeout=30, stop_after=2))
        more = list(listener.notifies(timeout=1))
        store.close()

    assert len(first_two) == 2
    assert len(more) <= pauses


class Clock:
    """Stands for `time` in the waker: it goes when the test lets it go."""

    def __init__(self) -> None:
        self.sleeps_until = 0.0
        self._now = 1000.0
        self._moved = threading.Condition()

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        with self._moved:
            self.sleeps_until = self._now + seconds
            self._moved.wait_for(lambda: self._now >= self.sleeps_until, 30)
            self.sleeps_until = 0.0

    def go_on(self, seconds: float) -> None:
        """Let time pass, once the waker's thread sleeps, until it sleeps no more or again."""
        given.until(lambda: self.sleeps_until)
        with self._moved:
            slept_until = self.sleeps_until
            self._now += seconds
            self._moved.notify_all()
        given.until(lambda: self.sleeps_until != slept_until or self._now < slept_until)


def test_what_another_commit_told_of_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waker, "PAUSE_SECONDS", 0.4)
    monkeypatch.setattr(waker, "LONGEST_PAUSE_SECONDS", 0.8)
    monkeypatch.setattr(waker, "time", clock := Clock())
    wake_ups: list[int] = []
    its_waker = Waker(lambda: wake_ups.append(its_waker._requested))
    first = its_waker.begin(2)
    assert first is not None
    assert its_waker.begin(2) is None
    its_waker.request()
    its_waker.committed(first)  # it began before that was committed
    clock.go_on(1.3)
    given.until(lambda: wake_ups == [1])

    its_waker.request()
    clock.go_on(0.9)
    second = its_waker.begin(2)
    assert second is not None
    clock.go_on(0.5)
    clock.go_on(0.5)  # it is under way: the thread sleeps on
    assert wake_ups == [1]
    its_waker.committed(second)
    clock.go_on(0.5)
    its_waker.request()  # the pause is over: it goes at once
    given.until(lambda: 3 in wake_ups)
    its_waker.close()

    assert wake_ups == [1, 3]


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
