"""Removes what is older than the retention, a batch in each transaction."""

from __future__ import annotations

from datetime import timedelta

from hub.store.store import Store

PRUNE_SECONDS = 3600.0


def prune(store: Store, retention: timedelta) -> int:
    """Remove what is old until nothing is left to remove; return the number of rows."""
    total = 0
    while removed := prune_batch(store, retention):
        total += removed
    return total


def prune_batch(store: Store, retention: timedelta) -> int:
    """Remove a batch of what is old; return the number of rows, 0 where nothing is left to remove."""
    with store.transaction() as transaction:
        return transaction.retention.prune_by_age(retention)
