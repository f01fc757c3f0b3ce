"""Counts what is over, a part in each run, so that pages and metrics count only what is not yet."""

from __future__ import annotations

from datetime import timedelta

from hub.store.repositories.totals import SETTLED
from hub.store.store import Store

TOTALS_SECONDS = 60.0

MOST = 20_000
"""The most events, about, of one run: the heartbeat shares its thread."""


def count_totals(store: Store, most: int = MOST, settled: timedelta = SETTLED) -> bool:
    """Count a part of what is over; return False where there is more."""
    with store.read() as snapshot:
        counted = snapshot.totals.count(most, settled)
    if counted.until == counted.since:
        return True
    # Counted before it is locked: a transaction that writes keeps requests waiting.
    is_added = store.write(lambda transaction: transaction.totals.add(counted))
    return is_added and not counted.is_part
