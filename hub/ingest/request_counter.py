"""The requests to sources, counted in memory and added to the store on a clock: no refusal costs a row."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from statistics import median

import structlog

from hub.errors import StoreError
from hub.model.source import Refusals, SourceCounts, SourceState, merge
from hub.store.store import Store

FLUSH_SECONDS = 10.0

CLOSE_SECONDS = 1.5
"""The longest that the last flush may hold up the end of its process."""

CLOCKS_KEPT = 99
"""Of so many late requests at most, the latest, the median is taken."""

log = structlog.get_logger()


@dataclass
class _Refused:
    """The refusals of one source since the last flush."""

    seen: SourceState
    counts: Counter[str] = field(default_factory=Counter)
    clocks: deque[float] = field(default_factory=lambda: deque(maxlen=CLOCKS_KEPT))

    def in_all(self) -> SourceState:
        """Return what was seen, with the median of the clocks."""
        if self.seen.refused is None or not self.clocks:
            return self.seen
        return replace(self.seen, refused=replace(self.seen.refused, clock_ahead_seconds=median(self.clocks)))


class RequestCounter:
    """One web process's count of its requests, by any number of threads.

    It holds one entry for each source and code, however many come, and keeps them while the store is away.
    """

    def __init__(self, store: Store) -> None:
        self.accepted_at: dict[str, float] = {}
        """The time of the last accepted request of each source. Every request writes it, so it is bare."""
        self._store = store
        self._kept_at: dict[str, float] = {}
        self._refused: dict[str, _Refused] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def refuse(
        self, source: str, code: str, now: float, *, is_complete: bool, clock_ahead_seconds: float | None
    ) -> bool:
        """Count a refusal; return True for the first of its code since the last flush.

        `is_complete`: it may be the sender's, for its headers are complete.
        """
        with self._lock:
            refused = self._refused.setdefault(source, _Refused(SourceState(name=source)))
            refused.counts[code] += 1
            if is_complete:
                at = datetime.fromtimestamp(now, UTC)
                alone = Refusals(since=at, last_at=at, counts={code: 1})
                seen = replace(self._accepted(source), refused=alone)
                refused.seen = merge(refused.seen, seen)
            if clock_ahead_seconds is not None:
                refused.clocks.append(clock_ahead_seconds)
            return refused.counts[code] == 1

    def flush(self) -> None:
        """Add what was counted to the store; where that is away, the next flush does."""
        accepted = {name: at for name, at in self.accepted_at.copy().items() if self._kept_at.get(name) != at}
        counts = self._take(accepted)
        if not counts:
            return
        try:
            with self._store.transaction() as transaction:
                transaction.sources.add(counts)
        except StoreError:
            self._give_back(counts)
            return
        self._kept_at.update(accepted)
        _log_repeated(counts)

    def start(self, every_seconds: float = FLUSH_SECONDS) -> None:
        """Flush on a clock, in a thread of its own, until this is closed."""
        self._thread = threading.Thread(target=self._run, args=(every_seconds,), name="requests", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Flush once more and end."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)

    def _run(self, every_seconds: float) -> None:
        is_last = False
        while not is_last:
            is_last = self._closing.wait(every_seconds)
            try:
                self.flush()
            except Exception:  # one flush that fails must not end the counting
                log.exception("requests.not_kept")

    def _take(self, accepted: Mapping[str, float]) -> list[SourceCounts]:
        """Return what was counted since the last flush, source by source, and begin anew."""
        with self._lock:
            refused, self._refused = self._refused, {}
        counts = []
        for name in sorted({*refused, *accepted}):
            its = refused.get(name) or _Refused(SourceState(name=name))
            counts.append(SourceCounts(seen=merge(its.in_all(), self._accepted(name)), counts=its.counts))
        return counts

    def _give_back(self, counts: Sequence[SourceCounts]) -> None:
        with self._lock:
            for taken in counts:
                since = self._refused.setdefault(taken.seen.name, _Refused(SourceState(name=taken.seen.name)))
                since.seen = merge(taken.seen, since.seen)
                since.counts.update(taken.counts)

    def _accepted(self, name: str) -> SourceState:
        at = self.accepted_at.get(name)
        return SourceState(name=name, accepted_at=None if at is None else datetime.fromtimestamp(at, UTC))


def _log_repeated(counts: Sequence[SourceCounts]) -> None:
    """Log the number of refusals that were not logged one by one."""
    for of_source in counts:
        for code, count in sorted(of_source.counts.items()):
            if count > 1:
                log.warning("events.refused", source=of_source.seen.name, code=code, count=count)
