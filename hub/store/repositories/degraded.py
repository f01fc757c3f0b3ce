"""Messages that went out in another form than their send block has: counted, for people to mend the cause."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from hub import catalog
from hub.catalog.redaction import Redaction
from hub.model.delivery import State
from hub.model.event import first_id
from hub.model.stats import Degradation
from hub.store.session import Repository
from hub.store.tables import deliveries, events, is_in
from hub.strings import one_line

REASON_LIMIT = 200


class Degraded(Repository):
    """Deliveries that went out degraded."""

    def lately(self, version: str, within: timedelta) -> tuple[Degradation, ...]:
        """Return those that a version of the user's files decided within a time, by destination.

        So they are gone once the files are mended. What the hub itself has to say does not count.
        """
        statement = (
            select(
                deliveries.c.destination,
                func.count(),
                func.min(deliveries.c.created_at),
                func.max(deliveries.c.id),
            )
            .where(
                is_in(State.DELIVERED),
                deliveries.c.degraded.is_not(None),
                deliveries.c.id >= first_id("dlv", self._session.now - within),
                deliveries.c.version == version,
                deliveries.c.event_type != catalog.PROBLEM,
            )
            .group_by(deliveries.c.destination)
            .order_by(deliveries.c.destination)
        )
        return tuple(
            Degradation(destination=name, count=count, since=since, reason=self._reason(latest))
            for name, count, since, latest in self._session.connection.execute(statement).all()
        )

    def _reason(self, delivery_id: str) -> str:
        """Return why a delivery was degraded, on one line and without one-time secrets."""
        statement = (
            select(deliveries.c.degraded, deliveries.c.event_type, events.c.payload)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.id == delivery_id)
        )
        row = self._session.connection.execute(statement).one()
        redaction = Redaction(named={}).of_event(row.event_type, row.payload)
        return one_line(redaction.text(row.degraded), REASON_LIMIT)
