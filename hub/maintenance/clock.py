"""The wall clock may step: what ends by age waits until it is steady, and false due times are mended."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import structlog

from hub.delivery.worker import is_available
from hub.ingest.route import Rules
from hub.model.moments import STEP
from hub.store.store import Store

CALM_SECONDS = 3600.0
"""After a start and after a step nothing ends by age for so long, or a tenth of its limit if that is less."""

MEND_SECONDS = 60.0

log = structlog.get_logger()


class SteadyClock:
    """The store's clock, held against the monotonic one of this process.

    A hub that was down for days, or whose clock stepped forward, must try what waits before it gives it up.
    """

    def __init__(self, store: Store, calm_seconds: float = CALM_SECONDS) -> None:
        self._store = store
        self._calm_seconds = calm_seconds
        self._steady_since = time.monotonic()
        self._offset_seconds: float | None = None

    def look(self) -> SteadyClock:
        """Look at the store's clock once, and return this one."""
        with self._store.read() as snapshot:
            self._observe(snapshot.now, time.monotonic())
        return self

    def has_been_steady(self, limit: timedelta) -> bool:
        """Return True where it had gone evenly for long enough, by the last look, to end what is so old."""
        wait = min(self._calm_seconds, limit.total_seconds() / 10)
        return time.monotonic() - self._steady_since >= wait

    def _observe(self, now: datetime, monotonic: float) -> None:
        offset = now.timestamp() - monotonic
        step = 0.0 if self._offset_seconds is None else offset - self._offset_seconds
        self._offset_seconds = offset
        if abs(step) > STEP.total_seconds():
            self._steady_since = monotonic
            log.warning("clock.stepped", seconds=round(step), why="nothing is given up or pruned for a while")


def mend(store: Store, rules: Rules) -> None:
    """Make due what nothing puts off so far: a clock that was ahead did."""
    configs = [config for config in rules.config.destinations.values() if is_available(config)]
    with store.transaction() as transaction:
        count = sum(transaction.overdue.bring_forward(config) for config in configs)
    if count:
        log.warning("deliveries.brought_forward", count=count, why="a clock that was ahead had put them off")
        store.wake()
