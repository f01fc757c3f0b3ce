"""Removes what is older than the retention, a batch in each transaction."""

from __future__ import annotations

from datetime import timedelta

from hub.store.repositories.retention import Prunable
from hub.store.store import Store

PRUNE_SECONDS = 3600.0


def prune(store: Store, retention: timedelta) -> int:
    """Remove what is old until nothing is left to remove; return the number of rows."""
    total = 0
    while removed := prune_batch(store, retention):
        total += removed
    return total


def prune_batch(store: Store, retention: timedelta) -> int:
    """Remove a batch of each kind that is old; return the number of rows, 0 where nothing is left to remove.

    Each kind is a transaction of its own: with two connections a cycle waits for one of them, not for all.
    """
    total = 0
    for kind in Prunable:
        with store.transaction() as transaction:
            total += transaction.retention.prune_by_age(kind, retention)
    return total
