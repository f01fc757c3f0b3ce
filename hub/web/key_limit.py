"""Wrong passwords, keys and links: counted for all processes by address, in bounded writes and log lines."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from hub.errors import StoreError
from hub.model.audit import Actor
from hub.store.repositories.audit import OTHERS
from hub.store.repositories.wrong_keys import ADDRESSES_KEPT, WINDOW
from hub.store.store import Store, Transaction

ALLOWED = 10
"""Wrong ones of one address in a minute that are answered as such; from then on it is told to wait."""

BURST, PER_SECOND = 20.0, 1.0
"""Wrong ones that are written at once; more than these wait for the next time that all are written."""

APART = 50
"""So many addresses at a time are written apart, others together: on SQLite nobody else writes meanwhile."""

FLUSH_SECONDS = 10.0

log = structlog.get_logger()


@dataclass
class _Window:
    """The wrong keys of one address since its minute began, as far as this process knows."""

    ends_at: float
    count: int = 0


class KeyLimit:
    """The wrong keys that this process sees.

    Right ones never come here: neither others' mistakes nor a store that cannot be written keep them out.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
        flush_seconds: float = FLUSH_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._flush_seconds = flush_seconds
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}
        self._unwritten: Counter[Actor] = Counter()
        self._allowance, self._refilled_at = BURST, clock()
        self._timer: threading.Timer | None = None

    def add(self, actor: Actor) -> bool:
        """Count a wrong key; return True where its address has had too many within a minute."""
        with self._lock:
            window = self._window(actor.address or "")
            window.count += 1
            is_apart = actor in self._unwritten or len(self._unwritten) < APART
            self._unwritten[actor if is_apart else _other(actor)] += 1
            if window.count > ALLOWED or not self._may_write():
                self._plan_flush()
                return window.count > ALLOWED
            is_first = window.count == 1
        total = self._write(actor, is_told=is_first)
        with self._lock:
            window.count = max(window.count, total)
            return window.count > ALLOWED

    def flush(self) -> None:
        """Write what waits to be written, in one transaction."""
        with self._lock:
            self._timer = None
            unwritten, self._unwritten = self._unwritten, Counter()
        if unwritten:
            self._keep(unwritten, is_told=True)

    def close(self) -> None:
        """Write what waits to be written now, for the process ends."""
        with self._lock:
            timer = self._timer
        if timer is not None:
            timer.cancel()
            self.flush()

    def _write(self, actor: Actor, *, is_told: bool) -> int:
        """Write the wrong keys of one address, and return how many all processes saw in its minute."""
        with self._lock:
            count = self._unwritten.pop(actor, 0)
        return self._keep(Counter({actor: count}), is_told=is_told) if count else 0

    def _keep(self, counts: Counter[Actor], *, is_told: bool) -> int:
        def work(transaction: Transaction) -> int:
            total = 0
            # In one order everywhere, so that two processes do not wait for each other.
            for actor in sorted(counts, key=lambda actor: (actor.address or "", actor.by)):
                total = transaction.wrong_keys.add(actor.address or "", counts[actor])
                transaction.audit.add_refused(actor, counts[actor])
            return total

        refused = {"count": counts.total(), "address": _in_words(counts)}
        try:
            total = self._store.write(work)
        except StoreError as error:
            log.warning("access.refused", **refused, error=str(error))
            return 0
        if is_told:
            log.warning("access.refused", **refused)
        return total

    def _window(self, address: str) -> _Window:
        now = self._clock()
        if address not in self._windows and len(self._windows) >= ADDRESSES_KEPT:
            self._windows = {key: open_ for key, open_ in self._windows.items() if open_.ends_at > now}
            address = address if len(self._windows) < ADDRESSES_KEPT else OTHERS
        window = self._windows.get(address)
        if window is None or window.ends_at <= now:
            window = self._windows[address] = _Window(ends_at=now + WINDOW.total_seconds())
        return window

    def _may_write(self) -> bool:
        now = self._clock()
        self._allowance = min(BURST, self._allowance + (now - self._refilled_at) * PER_SECOND)
        self._refilled_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _plan_flush(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._flush_seconds, self.flush)
            self._timer.daemon = True
            self._timer.start()


def _other(actor: Actor) -> Actor:
    return Actor(by=actor.by, address=OTHERS)


def _in_words(counts: Counter[Actor]) -> str:
    addresses = {actor.address or "" for actor in counts}
    return next(iter(addresses)) if len(addresses) == 1 else f"{len(addresses)} addresses"
