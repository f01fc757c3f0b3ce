"""The rows of deliveries as an operator changes them: locked, owed again, or ended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from hub.errors import NotFound
from hub.model.delivery import State
from hub.store.session import Repository
from hub.store.tables import deliveries, events, is_in


class Operator(Repository):
    """Changes of single deliveries."""

    def lock(self, delivery_id: str) -> Any:
        """Lock a delivery; return its row, with its event's `has_payload` and `blanked`. Raises NotFound."""
        statement = (
            select(deliveries, events.c.payload.is_not(None).label("has_payload"), events.c.blanked)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.id == delivery_id)
        )
        if self._session.is_remote:
            statement = statement.with_for_update(of=deliveries)
        row = self._session.connection.execute(statement).first()
        if row is None:
            raise NotFound(f"there is no delivery {delivery_id}")
        return row

    def requeue(
        self, delivery_id: str, fields: Mapping[str, Any] | None = None, version: str | None = None
    ) -> None:
        """Owe a delivery anew: due now, its schedule begun again, with the same message.

        With the `fields` of a send block its message is rendered again, from them and the files of their
        `version`.
        """
        now = self._session.now
        values: dict[str, Any] = {
            "state": State.PENDING,
            "reason": None,
            "unset": None,
            "due_at": now,
            "owed_since": now,
            "tries": 0,
        }
        if fields is not None:
            values |= {"send": dict(fields), "version": version}
            values |= {"message": None, "degraded": None, "finished_at": None}
            values |= {"rendering": deliveries.c.rendering + 1}
        self._session.connection.execute(
            update(deliveries).where(deliveries.c.id == delivery_id).values(values)
        )

    def finish(self, delivery_id: str, state: State, reason: str) -> None:
        """End a delivery that no worker is sending."""
        self._session.connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id)
            .values(
                state=state,
                reason=reason,
                unset=None,
                finished_at=self._session.now,
                delivered_at=self._session.now if state is State.DELIVERED else None,
            )
        )

    def delivery_ids(
        self, state: State, destination: str | None, since: datetime | None, after: str, limit: int
    ) -> list[str]:
        """Return the oldest deliveries in a state, a batch at a time: those behind the id `after`."""
        statement = select(deliveries.c.id).where(is_in(state), deliveries.c.id > after)
        if destination:
            statement = statement.where(deliveries.c.destination == destination)
        if since:
            statement = statement.where(deliveries.c.created_at >= since)
        return list(
            self._session.connection.execute(statement.order_by(deliveries.c.id).limit(limit)).scalars()
        )
