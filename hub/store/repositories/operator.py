"""The rows of deliveries as an operator changes them: locked, owed again, or ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, literal, select, update

from hub.errors import NotFound
from hub.model.age import valid_until
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.event import Event
from hub.store.session import Repository
from hub.store.tables import attempts, deliveries, events, is_in


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A send block as it is owed, with the version of the files that have its templates, and until when."""

    fields: Mapping[str, Any]
    version: str | None
    valid_until: datetime | None


class Operator(Repository):
    """Changes of deliveries, of one or many in few statements."""

    def lock(self, delivery_id: str) -> Any:
        """Lock a delivery; return its row, as `rows` does. Raises NotFound."""
        rows = self.rows([delivery_id], locks=True)
        if not rows:
            raise NotFound(no_delivery(delivery_id))
        return rows[delivery_id]

    def rows(self, ids: Collection[str], *, locks: bool) -> dict[str, Any]:
        """Return the rows of those deliveries that are there, without their messages, by id.

        Each has its event's `has_payload` and `blanked`. They are locked in the order of their ids.
        """
        columns = [column for column in deliveries.c if column is not deliveries.c.message]
        statement = (
            select(*columns, events.c.payload.is_not(None).label("has_payload"), events.c.blanked)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.id.in_(ids))
            .order_by(deliveries.c.id)
        )
        if locks and self._session.is_remote:
            statement = statement.with_for_update(of=deliveries)
        return {row.id: row for row in self._session.connection.execute(statement)}

    def event(self, event_id: str) -> Event:
        """Return a kept event; its payload may be blanked."""
        columns = (events.c.id, events.c.source, events.c.message_id, events.c.type, events.c.received_at)
        statement = select(*columns, events.c.payload).where(events.c.id == event_id)
        return Event(**self._session.connection.execute(statement).mappings().one())

    def owed_today(self, row: Any, config: Config) -> Owed:
        """Return today's send block at the position of a delivery, else the first, else what was kept."""
        sends = [send for send in config.sends_of(row.route) if send.to == row.destination]
        if not sends:
            return Owed(fields=row.send, version=row.version, valid_until=row.valid_until)
        send = sends[row.position if row.position < len(sends) else 0]
        until = None
        if send.max_age_seconds is not None:
            until = valid_until(self.event(row.event_id), send.max_age_seconds)
        return Owed(fields=send.fields, version=config.version, valid_until=until)

    def requeue(self, ids: Collection[str], owed: Owed | None = None) -> None:
        """Owe deliveries anew: due now, their schedule begun again, with the same message.

        With `owed` their messages are rendered again, from that.
        """
        now = self._session.now
        values: dict[str, Any] = {
            "state": State.PENDING,
            "reason": None,
            "needs": None,
            "due_at": now,
            "owed_since": now,
            "tries": 0,
        }
        if owed is not None:
            values |= {"send": dict(owed.fields), "version": owed.version, "valid_until": owed.valid_until}
            values |= {"message": None, "degraded": None, "finished_at": None}
            values |= {"rendering": deliveries.c.rendering + 1}
        self._session.connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(values))

    def finish(self, ids: Collection[str], state: State, reason: str) -> None:
        """End deliveries that no worker is sending. What has arrived after all did so at its last attempt."""
        now = literal(self._session.now, deliveries.c.finished_at.type)
        tried_at = (
            select(attempts.c.at)
            .where(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
            .scalar_subquery()
        )
        self._session.connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_(ids))
            .values(
                state=state,
                reason=reason,
                needs=None,
                finished_at=now,
                delivered_at=func.coalesce(tried_at, now) if state is State.DELIVERED else None,
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


def no_delivery(delivery_id: str) -> str:
    """Return the words about an id that no delivery has."""
    return f"there is no delivery {delivery_id}"
