"""The state of the store in one short text, for pages that ask over and over whether something changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ScalarSelect, func, select

from hub.model.delivery import State
from hub.store.session import Repository
from hub.store.tables import attempts, audit, deliveries, destinations, events, is_in

_BEGAN = (
    select(func.max(attempts.c.at)).where(attempts.c.destination == destinations.c.name).scalar_subquery()
)


def _sending(column: Any) -> ScalarSelect[Any]:
    return select(column).where(is_in(State.SENDING)).scalar_subquery()


_MARKS = select(
    select(func.max(events.c.id)).scalar_subquery(),
    select(func.max(deliveries.c.id)).scalar_subquery(),
    select(func.max(audit.c.id)).scalar_subquery(),
    _sending(func.count()),
    _sending(func.max(deliveries.c.lease_until)),
    func.max(_BEGAN),
    func.count(),
    func.sum(destinations.c.failures),
    func.sum(destinations.c.probes),
    func.sum(destinations.c.throttled_count),
    func.max(destinations.c.probe_at),
    func.count(destinations.c.paused_at),
    func.max(destinations.c.paused_at),
).select_from(destinations)


class Changes(Repository):
    """One statement, which looks at the end of an index for each thing that may have changed."""

    def mark(self) -> str:
        """Return a text that changes with every event, attempt, operator's act and state of a destination.

        What a clock alone changes, such as a delivery that was given up, leaves it as it is.
        """
        return repr(tuple(self._session.connection.execute(_MARKS).one()))
