"""Reads events that have arrived for their terms, by which they are found."""

from __future__ import annotations

import time
from datetime import timedelta

import structlog

from hub.catalog.terms import terms_of
from hub.model.event import Event, first_id, made_at
from hub.store.repositories.terms import READ
from hub.store.store import Store

INDEX_SECONDS = 2.0

BUSY_SECONDS = 1.0
"""One run takes at most about so long: the heartbeat shares its thread."""

BATCH = 50
"""Events whose terms one transaction adds: requests wait no longer than for that."""

LATE = timedelta(seconds=15)
"""An event may be committed so long after its id was made, behind events with later ids."""

VERY_LATE = timedelta(hours=1)
"""Looked back once at a start, for clocks that disagree."""

log = structlog.get_logger()


class Indexer:
    """Adds terms in small transactions of their own; several processes may do so at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._late = VERY_LATE

    def run(self) -> bool:
        """Read what has arrived; return False where there is more."""
        ends_at = time.monotonic() + BUSY_SECONDS
        with self._store.read() as snapshot:
            last = snapshot.settings.get(READ)
        behind = first_id("evt", made_at(last) - self._late) if last else ""
        while time.monotonic() < ends_at:
            with self._store.read() as snapshot:
                events = snapshot.terms.unread(behind, BATCH)
            if not events:
                self._late = LATE
                return True
            behind = events[-1].id
            self._add(events, max(last or "", behind))
        return False

    def _add(self, events: list[Event], last: str) -> None:
        terms = {event.id: _terms(event) for event in events}
        with self._store.transaction() as transaction:
            transaction.terms.add(terms)
            transaction.settings.set(READ, last)


def _terms(event: Event) -> frozenset[str]:
    try:
        return terms_of(event)
    except (ValueError, RecursionError):
        # One event that cannot be read keeps no other from being found.
        log.warning("index.unreadable", event=event.id)
        return frozenset()
