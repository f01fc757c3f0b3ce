"""Sources: when each was last accepted, and what was refused, by code and hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from hub.model.source import NO_SOURCE, UNKNOWN_PATH, Refusals, SourceCounts, SourceState, merge
from hub.store.session import Repository
from hub.store.tables import refusals, sources


class Sources(Repository):
    """The states of sources, and the refusals in numbers."""

    def all(self) -> dict[str, SourceState]:
        """Return the state of every source that any request came to, by name."""
        rows = self._session.connection.execute(select(sources))
        return {row.name: _state(row) for row in rows}

    def astray(self) -> int:
        """Return the number of signed requests in this hour and the last at a path that no source has."""
        statement = select(func.sum(refusals.c.count)).where(
            refusals.c.source == NO_SOURCE,
            refusals.c.code == UNKNOWN_PATH,
            refusals.c.hour >= _hour(self._session.now) - timedelta(hours=1),
        )
        return int(self._session.connection.execute(statement).scalar() or 0)

    def was_asked(self) -> bool:
        """Return True once any request came to a source's path, whatever it was answered."""
        accepted = select(sources.c.name).where(sources.c.accepted_at.is_not(None)).limit(1)
        refused = select(refusals.c.source).where(refusals.c.source != NO_SOURCE).limit(1)
        answers = map(self._session.connection.execute, (accepted, refused))
        return any(answer.first() is not None for answer in answers)

    def add(self, counts: Sequence[SourceCounts]) -> None:
        """Add what one process saw to the states, and to the numbers of this hour."""
        seen = {of_source.seen.name: of_source.seen for of_source in counts}
        # In one order everywhere, so that two who flush do not wait for each other.
        for name in sorted(seen):
            self._session.upsert(sources, {"name": name}, changes={})
        locked = select(sources).where(sources.c.name.in_(seen)).order_by(sources.c.name)
        for row in self._session.connection.execute(self._session.locking(locked)).all():
            state = merge(_state(row), seen[row.name])
            changed = update(sources).where(sources.c.name == row.name).values(_row(state))
            self._session.connection.execute(changed)
        self._count(counts)

    def _count(self, counts: Sequence[SourceCounts]) -> None:
        now = self._session.now
        numbers = sorted(
            (of_source.seen.name, code, count)
            for of_source in counts
            for code, count in of_source.counts.items()
        )
        for source, code, count in numbers:
            row = {"source": source, "code": code, "hour": _hour(now), "count": count, "last_at": now}
            self._session.upsert(refusals, row, {"count": refusals.c.count + count, "last_at": now})


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _state(row: Any) -> SourceState:
    refused = None
    if row.refused_since is not None:
        refused = Refusals(
            since=row.refused_since,
            last_at=row.refused_at,
            counts=row.refused,
            clock_ahead_seconds=row.clock_ahead_seconds,
        )
    return SourceState(name=row.name, accepted_at=row.accepted_at, refused=refused)


def _row(state: SourceState) -> dict[str, Any]:
    refused = state.refused
    return {
        "accepted_at": state.accepted_at,
        "refused_since": refused and refused.since,
        "refused_at": refused and refused.last_at,
        "refused": refused and dict(refused.counts),
        "clock_ahead_seconds": refused and refused.clock_ahead_seconds,
    }
