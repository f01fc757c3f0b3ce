"""Tells when a worker's last cycle committed: it shows that the worker lives, not that its process does."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from hub.errors import StoreError
from hub.store.store import Store

HEARTBEAT_SECONDS = 10.0

FORGOTTEN_AFTER = timedelta(minutes=10)


def beat(store: Store, worker: str, last_cycle_at: datetime | None) -> bool:
    """Keep when the last cycle committed, by the store's clock; forget workers that were silent for long.

    Returns False, and keeps nothing, before the first cycle.
    """
    if last_cycle_at is None:
        return False
    with store.transaction() as transaction:
        transaction.workers.beat(worker, last_cycle_at, forget_after=FORGOTTEN_AFTER)
    return True


def leave(store: Store, worker: str) -> None:
    """Forget a worker that stops in good order; where the store does not answer, its silence tells."""
    with contextlib.suppress(StoreError), store.transaction() as transaction:
        transaction.workers.leave(worker)
