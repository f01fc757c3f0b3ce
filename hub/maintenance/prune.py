"""Removes what is older than the retention, a batch in each transaction."""

from __future__ import annotations

from datetime import timedelta

from hub.store.store import Store

PRUNE_SECONDS = 3600.0


def prune(store: Store, retention: timedelta) -> int:
    """Remove what is old until nothing is left to remove; return the number of rows."""
    total, removed = 0, 1
    while removed:
        with store.transaction() as transaction:
            removed = transaction.retention.prune_by_age(retention)
        total += removed
    return total
