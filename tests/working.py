"""A worker with its maintenance, as a process runs them, in threads of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from servers.program import PATIENCE_SECONDS

from hub.delivery.worker import Worker
from hub.ingest.route import Rules
from hub.maintenance.heartbeat import leave
from hub.maintenance.runner import Maintenance, asking_tasks, worker_tasks
from hub.store.store import Store

PUBLIC_URL = "https://hub.example.com"


class Today:
    """The rules that a running worker sees; they can be changed."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def __call__(self) -> Rules:
        return self.rules


@contextmanager
def working(
    store: Store, rules: Rules | Today, threads: int = 8, retention: timedelta = timedelta(days=30)
) -> Iterator[Worker]:
    """A worker that runs until the end of the block, and must stop then."""
    today = rules if isinstance(rules, Today) else Today(rules)
    worker = Worker(store, today, threads=threads, public_url=PUBLIC_URL)
    maintenance = Maintenance(
        worker_tasks(
            store,
            today,
            worker=worker.id,
            last_cycle_at=lambda: worker.last_cycle_at,
            retention=retention,
            public_url=PUBLIC_URL,
            calm_seconds=0.0,
        )
    )
    asking = Maintenance(asking_tasks(store, today))
    thread = threading.Thread(target=worker.run)
    thread.start()
    maintenance.start()
    asking.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(PATIENCE_SECONDS)
        asking.stop()
        maintenance.stop()
        leave(store, worker.id)
        assert not thread.is_alive()
