"""Runs the tasks of maintenance in one thread beside a worker, each on its own clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from hub.errors import StoreError, StoreMigrated
from hub.health.notifier import Notifier
from hub.ingest.route import Rules
from hub.maintenance.clock import CALM_SECONDS, MEND_SECONDS, SteadyClock, mend
from hub.maintenance.expire import EXPIRE_SECONDS, expire
from hub.maintenance.heartbeat import HEARTBEAT_SECONDS, beat
from hub.maintenance.index import INDEX_SECONDS, Indexer
from hub.maintenance.prune import PRUNE_SECONDS, prune_batch
from hub.maintenance.release import PARTS_SECONDS, RELEASE_SECONDS, release, release_parts
from hub.maintenance.rescue import RESCUE_SECONDS, Rescue
from hub.maintenance.totals import TOTALS_SECONDS, count_totals
from hub.store.store import Store

SOON_SECONDS = 0.2

STOP_SECONDS = 10.0
"""A stop waits at most so long for the task that is running."""

ALERT_SECONDS = 5.0
"""How often a worker looks for what `problems:` should tell."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something to do again and again.

    `run` works in transactions of its own and may raise anything; False asks for another run soon.
    """

    name: str
    every_seconds: float
    run: Callable[[], object]


class Maintenance:
    """Tasks in a thread; a failure of one is logged and stops neither the others nor the worker."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._due_at = {task: float("-inf") for task in tasks}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="maintenance", daemon=True)

    def start(self) -> None:
        """Begin, with every task once at first."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the task that is running."""
        self._stopping.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.wait(max(min(self._due_at.values()) - time.monotonic(), 0)):
            for task, due_at in self._due_at.items():
                if due_at <= time.monotonic() and not self._stopping.is_set():
                    is_early = self._run_task(task) is False
                    wait = SOON_SECONDS if is_early else task.every_seconds
                    self._due_at[task] = time.monotonic() + wait

    def _run_task(self, task: Task) -> object:
        """Run a task once; whatever it raises is logged. With a store that was moved it is the last."""
        try:
            return task.run()
        except StoreMigrated:
            self._stopping.set()
        except StoreError as error:
            log.warning("maintenance.store_unavailable", task=task.name, error=str(error))
        except Exception:
            log.exception("maintenance.failed", task=task.name)
        return None


def worker_tasks(
    store: Store,
    rules: Callable[[], Rules],
    *,
    worker: str,
    last_cycle_at: Callable[[], datetime | None],
    retention: timedelta,
    public_url: str,
    calm_seconds: float = CALM_SECONDS,
) -> list[Task]:
    """Return what every worker process does beside its worker; the store decides where several meet.

    `calm_seconds` is how long the clock must have been steady before anything ends by age.
    """
    rescue, notifier = Rescue(store), Notifier(store, public_url)
    clock, indexer = SteadyClock(store, calm_seconds), Indexer(store)
    return [
        Task(
            name="heartbeat",
            every_seconds=HEARTBEAT_SECONDS,
            run=lambda: beat(store, worker, last_cycle_at()),
        ),
        Task(name="rescue", every_seconds=RESCUE_SECONDS, run=lambda: rescue.run(rules())),
        Task(name="release", every_seconds=RELEASE_SECONDS, run=lambda: release(store, rules())),
        Task(name="expire", every_seconds=EXPIRE_SECONDS, run=lambda: expire(store, rules(), clock)),
        Task(
            name="prune",
            every_seconds=PRUNE_SECONDS,
            run=lambda: not (clock.look().has_been_steady(retention) and prune_batch(store, retention)),
        ),
        Task(name="clock", every_seconds=MEND_SECONDS, run=lambda: mend(store, rules())),
        Task(name="index", every_seconds=INDEX_SECONDS, run=indexer.run),
        Task(name="totals", every_seconds=TOTALS_SECONDS, run=lambda: count_totals(store)),
        Task(name="alerts", every_seconds=ALERT_SECONDS, run=lambda: notifier.notify(rules())),
    ]


def asking_tasks(store: Store, rules: Callable[[], Rules]) -> list[Task]:
    """Return what every worker process asks destinations for, in a thread of its own: they may be slow."""
    return [Task(name="parts", every_seconds=PARTS_SECONDS, run=lambda: release_parts(store, rules()))]
