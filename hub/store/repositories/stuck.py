"""Deliveries that go no further by themselves: of what they are dead or held, and since when."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import func, select

from hub.catalog.redaction import Redaction
from hub.model.delivery import State
from hub.model.stats import Stuck, StuckCause
from hub.store.repositories.payloads import payloads_of
from hub.store.session import Repository
from hub.store.tables import attempts, deliveries, is_stuck
from hub.strings import one_line

LOOKED_AT, CAUSES = 500, 20
"""So many of a destination are looked at, the newest first, and so many of their reasons are told."""

REASON_LIMIT = 300


class StuckDeliveries(Repository):
    """Dead and held deliveries of a destination."""

    def of(self, names: Collection[tuple[str, State]]) -> dict[tuple[str, State], Stuck]:
        """Return what is known of the deliveries to a destination in a state, for each of these pairs."""
        return {(name, state): self._stuck(name, state) for name, state in names}

    def _stuck(self, destination: str, state: State) -> Stuck:
        newest = (
            select(deliveries.c.id, deliveries.c.reason)
            .where(is_stuck(state), deliveries.c.destination == destination)
            .order_by(deliveries.c.id.desc())
            .limit(LOOKED_AT)
            .cte("newest")
        )
        count = func.count()
        grouped = select(newest.c.reason, count.label("many"), func.max(newest.c.id).label("latest"))
        rows = self._session.connection.execute(
            grouped.group_by(newest.c.reason).order_by(count.desc()).limit(CAUSES)
        ).all()
        # Of each its last attempt: then it died, or was held.
        ended = (
            select(func.max(attempts.c.at).label("at"))
            .where(attempts.c.delivery_id.in_(select(newest.c.id)))
            .group_by(attempts.c.delivery_id)
            .subquery()
        )
        since: datetime | None = self._session.connection.execute(select(func.min(ended.c.at))).scalar()
        words = self._words({row.latest: row.reason or "" for row in rows})
        causes = tuple(
            StuckCause(count=row.many, reason=words[row.latest][0], answer=words[row.latest][1])
            for row in rows
        )
        return Stuck(since=since, causes=causes)

    def _words(self, reasons: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Return reason and last answer of deliveries by id, without the one-time secrets of their events."""
        columns = (deliveries.c.id, deliveries.c.event_type, deliveries.c.event_id, attempts.c.answer)
        statement = (
            select(*columns)
            .outerjoin(
                attempts,
                (attempts.c.delivery_id == deliveries.c.id) & (attempts.c.number == deliveries.c.attempts),
            )
            .where(deliveries.c.id.in_(list(reasons)))
        )
        rows = self._session.connection.execute(statement).all()
        payloads = payloads_of(self._session, rows, 0)
        words = {}
        for row in rows:
            redaction = Redaction(named={}).of_event(row.event_type, payloads.get(row.event_id))
            texts = (reasons[row.id], row.answer or "")
            reason, answer = (one_line(redaction.text(text), REASON_LIMIT) for text in texts)
            words[row.id] = (reason, answer)
        return words
