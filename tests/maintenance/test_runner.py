"""Tasks beside the worker: each on its own clock, none in the way of another, all of them until a stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import given
import pytest
from servers.http_receiver import HttpReceiver
from sqlalchemy import update
from structlog.testing import capture_logs
from working import working

from hub.errors import StoreMigrated, StoreUnavailable
from hub.ingest.fanout import fan_out
from hub.maintenance import runner
from hub.maintenance.runner import Maintenance, Task, worker_tasks
from hub.model.delivery import State
from hub.store.repositories.events import RoutedEvent
from hub.store.repositories.retention import PRUNE_BATCH
from hub.store.store import Store
from hub.store.tables import deliveries


class Counted:
    """Something to do that counts how often it is done."""

    def __init__(self, action: Callable[[], object] = lambda: None) -> None:
        self.count = 0
        self._action = action

    def __call__(self) -> object:
        self.count += 1
        return self._action()


def failing(error: Exception) -> Counted:
    def fail() -> object:
        raise error

    return Counted(fail)


def task(run: Callable[[], object], name: str = "task", every_seconds: float = 0.01) -> Task:
    return Task(name=name, every_seconds=every_seconds, run=run)


@contextmanager
def maintaining(*tasks: Task) -> Iterator[Maintenance]:
    maintenance = Maintenance(tasks)
    maintenance.start()
    try:
        yield maintenance
    finally:
        maintenance.stop()
        assert not maintenance._thread.is_alive()


@pytest.mark.usefixtures("plain_log")
@pytest.mark.parametrize("error", [RuntimeError("no"), StoreUnavailable("it does not answer")])
def test_a_task_that_fails_stops_neither_the_others_nor_itself(error: Exception) -> None:
    broken, fine = failing(error), Counted()
    with maintaining(task(broken), task(fine)):
        given.until(lambda: broken.count > 2 and fine.count > 2)


def test_a_failure_is_logged_with_the_tasks_name() -> None:
    absent, broken = failing(StoreUnavailable("it does not answer")), failing(RuntimeError("no"))
    with capture_logs() as logs, maintaining(task(absent, "one", 60), task(broken, "two", 60)):
        given.until(lambda: len(logs) == 2)

    assert [(line["event"], line["task"], line["log_level"]) for line in logs] == [
        ("maintenance.store_unavailable", "one", "warning"),
        ("maintenance.failed", "two", "error"),
    ]


@pytest.mark.usefixtures("plain_log")
def test_tasks_that_fail_stop_no_worker(store: Store) -> None:
    rules = given.rules(given.route(events=("*",)))
    broken = failing(RuntimeError("no"))
    with maintaining(*(task(broken, name) for name in ("rescue", "alerts"))), working(store, rules):
        given.until(lambda: broken.count > 2)
        fan_out(given.event(), rules, store)
        given.until(lambda: delivered(store) == 1)


def delivered(store: Store, name: str | None = None) -> int:
    with store.read() as reading:
        return reading.numbers.stats().count(State.DELIVERED, name)


def test_a_store_that_moved_is_the_end_of_all_tasks() -> None:
    moved, other = failing(StoreMigrated("to another")), Counted()
    maintenance = Maintenance([task(moved), task(other)])
    maintenance.start()
    maintenance._thread.join(30)

    assert not maintenance._thread.is_alive()
    assert (moved.count, other.count) == (1, 0)
    maintenance.stop()


def test_each_task_has_its_own_clock_and_runs_once_at_first() -> None:
    often, seldom = Counted(), Counted()
    with maintaining(task(seldom, every_seconds=60), task(often, every_seconds=0.02)):
        given.until(lambda: often.count >= 5)

    assert seldom.count == 1


def test_a_task_that_has_more_to_do_runs_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SOON_SECONDS", 0.02)
    results = iter([False, False, True])
    more = Counted(lambda: next(results))
    with maintaining(task(more, every_seconds=60)):
        given.until(lambda: more.count == 3)
        time.sleep(0.1)

    assert more.count == 3


def test_a_stop_waits_for_the_task_that_runs_and_begins_no_other() -> None:
    runs, ends = threading.Event(), threading.Event()

    def long() -> None:
        runs.set()
        ends.wait(30)

    next_one = Counted()
    maintenance = Maintenance([task(long), task(next_one)])
    maintenance.start()
    assert runs.wait(30)
    stopping = threading.Thread(target=maintenance.stop)
    stopping.start()
    stopping.join(0.1)
    waits = stopping.is_alive()
    ends.set()
    stopping.join(30)

    assert waits
    assert not stopping.is_alive()
    assert not maintenance._thread.is_alive()
    assert next_one.count == 0


def test_a_stop_ends_the_pause_between_tasks() -> None:
    done = Counted()
    with maintaining(task(done, every_seconds=600)):
        given.until(lambda: done.count == 1)
        began_at = time.monotonic()

    assert time.monotonic() - began_at < 30


def test_a_worker_has_every_task_at_first_and_the_heartbeat_with_its_first_cycle(store: Store) -> None:
    beats: list[datetime | None] = [None, None]
    tasks = worker_tasks(
        store,
        lambda: given.rules(given.route()),
        worker="mine",
        last_cycle_at=lambda: beats.pop() if beats else datetime.now(UTC),
        retention=timedelta(days=30),
        public_url="",
        calm_seconds=0.0,
    )
    heartbeat = tasks[0]

    assert [task.name for task in tasks] == [
        "heartbeat",
        "rescue",
        "release",
        "expire",
        "prune",
        "clock",
        "index",
        "totals",
        "alerts",
    ]
    assert [heartbeat.run() for _ in range(3)] == [False, False, True]
    assert [task.run() is False for task in tasks[1:]] == [False] * 8


def fill(store: Store, count: int) -> None:
    """Deliveries that are older than any retention, of one event that is as old."""
    old = given.event(received_at=given.NOON - timedelta(days=900))
    routing = given.routing(*["old"] * count)
    store.write(lambda t: t.events.insert([RoutedEvent(event=old, routing=routing)]) and None)
    long_ago = {"state": State.DELIVERED, "delivered_at": given.NOON, "finished_at": old.received_at}
    store.write(lambda t: t.session.connection.execute(update(deliveries).values(long_ago)) and None)


def test_much_to_prune_keeps_the_other_tasks_from_nothing_and_a_stop_does_not_wait_for_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "HEARTBEAT_SECONDS", 0.01)
    monkeypatch.setattr(runner, "SOON_SECONDS", 0.05)
    fill(store, 4 * PRUNE_BATCH)
    waiting: list[int] = []
    stops = threading.Event()

    def last_cycle_at() -> datetime:
        with store.read() as reading:
            waiting.append(reading.numbers.stats().count(State.DELIVERED))
        if waiting[-1] < 3 * PRUNE_BATCH:
            stops.wait(30)
        return datetime.now(UTC)

    tasks = worker_tasks(
        store,
        lambda: given.rules(given.route()),
        worker="mine",
        last_cycle_at=last_cycle_at,
        retention=timedelta(days=1),
        public_url="",
        calm_seconds=0.0,
    )
    with maintaining(*tasks) as maintenance:
        given.until(lambda: waiting and waiting[-1] < 3 * PRUNE_BATCH)
        stopping = threading.Thread(target=maintenance.stop)
        stopping.start()
        given.until(maintenance._stopping.is_set)
        stops.set()
        stopping.join(30)
    at_the_end = delivered(store)

    assert at_the_end == waiting[-1] > 0
    assert {2_000, 1_500, 1_000} <= set(waiting)


def test_with_two_connections_cycles_go_on_beside_a_full_batch_of_everything(
    open_stores: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them listens on PostgreSQL; cycles and maintenance share the other."""
    monkeypatch.setattr(runner, "SOON_SECONDS", 10.0)
    store, web = open_stores(2), open_stores()
    fill(web, 4 * PRUNE_BATCH)
    with HttpReceiver() as receiver:
        place = given.destination("crm", url=receiver.url, give_up_after_seconds=3600.0)
        rules = given.rules(given.route("all", ("*",), "crm"), destinations=(place,))
        remaining = [4 * PRUNE_BATCH]
        with working(store, rules, retention=timedelta(days=1)):
            while remaining[-1] in (0, 4 * PRUNE_BATCH):
                assert remaining[-1] > 0, "no cycle went by until all was pruned"
                fan_out(given.event(), rules, web)
                receiver.wait_for(len(remaining))
                remaining.append(delivered(web, "old"))

    assert remaining[-1] % PRUNE_BATCH == 0
