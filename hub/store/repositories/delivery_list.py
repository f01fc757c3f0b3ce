"""Deliveries as records, and the list of those that a filter finds, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import case, func, null, select

from hub.errors import NotFound
from hub.model.delivery import State
from hub.model.filter import EVERYTHING, Filter, Matches, Neighbours
from hub.model.records import AttemptRecord, DeliveryRecord
from hub.store.repositories.attempts import attempt_record
from hub.store.repositories.delivery_search import DeliverySearch
from hub.store.repositories.kinds import kinds_of_events
from hub.store.repositories.payloads import LISTED_PAYLOAD_BYTES, WHOLE_PAYLOAD_BYTES, is_listed, payloads_of
from hub.store.repositories.search import Size, bounds_of
from hub.store.session import Repository
from hub.store.tables import attempts, deliveries, events, is_in

_TRIED_AT = case(
    (
        is_in(State.HELD),
        select(attempts.c.at)
        .where(attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts)
        .scalar_subquery(),
    )
).label("tried_at")


class DeliveryList(Repository):
    """Deliveries as pages, API and commands show them."""

    def find(
        self,
        where: Filter = EVERYTHING,
        *,
        event: str | None = None,
        limit: int = 50,
        counted: int = 0,
        before: str | None = None,
        after: str | None = None,
    ) -> Matches:
        """Return the ids of the newest deliveries that fit, of one event or of all.

        They are up to `counted` where that costs little. `before` is the id after which a page begins. With
        `after` they are those that were made next after it.
        """
        kinds = kinds_of_events(self._session, where)
        if kinds.chosen == []:
            return Matches(ids=())
        bounds, size = bounds_of("dlv", where.period, before, after), Size(limit=limit, counted=counted)
        return DeliverySearch(self._session, where).find(event, kinds, bounds, size)

    def neighbours(self, delivery_id: str, where: Filter = EVERYTHING) -> Neighbours:
        """Return the deliveries beside one among those that fit, as far as a page would look for them."""
        newer = self.find(where, limit=1, after=delivery_id).ids
        older = self.find(where, limit=1, before=delivery_id).ids
        return Neighbours(newer=next(iter(newer), None), older=next(iter(older), None))

    def has_route(self, name: str) -> bool:
        """Return True where any delivery is owed by a route of that name."""
        statement = select(deliveries.c.id).where(deliveries.c.route == name).limit(1)
        return self._session.connection.execute(statement).first() is not None

    def sizes_of(self, ids: Sequence[str]) -> list[tuple[str, int]]:
        """Return these ids, newest first, each with the bytes that reading it takes."""
        sizes = (func.coalesce(func.length(column), 0) for column in (deliveries.c.message, events.c.payload))
        statement = (
            select(deliveries.c.id, deliveries.c.event_type, *sizes)
            .outerjoin(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.id.in_(ids))
            .order_by(deliveries.c.id.desc())
        )
        return [
            (delivery_id, message + (payload if is_listed(type_, payload) else 0))
            for delivery_id, type_, message, payload in self._session.connection.execute(statement)
        ]

    def records(
        self,
        where: Filter = EVERYTHING,
        *,
        event: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[DeliveryRecord]:
        """Return the newest deliveries that fit, as `find` does."""
        return self.records_of(self.find(where, event=event, limit=limit, before=before).ids)

    def records_of(self, ids: Sequence[str], *, messages: bool = True) -> list[DeliveryRecord]:
        """Return these deliveries, newest first; without their messages where those are not wanted."""
        others = [column for column in deliveries.c if column is not deliveries.c.message]
        message = deliveries.c.message if messages else null().label("message")
        statement = select(*others, message, _TRIED_AT).where(deliveries.c.id.in_(ids))
        statement = statement.order_by(deliveries.c.id.desc())
        rows = self._session.connection.execute(statement).all()
        payloads = payloads_of(self._session, rows, LISTED_PAYLOAD_BYTES)
        return [_delivery_record(row, payloads.get(row.event_id)) for row in rows]

    def record(self, delivery_id: str) -> DeliveryRecord:
        """Return one delivery with its attempts, oldest first; raises NotFound."""
        row = self._session.connection.execute(
            select(deliveries, _TRIED_AT).where(deliveries.c.id == delivery_id)
        ).first()
        if row is None:
            raise NotFound(f"there is no delivery {delivery_id}")
        tried = self._session.connection.execute(
            select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.number)
        )
        payload = payloads_of(self._session, [row], WHOLE_PAYLOAD_BYTES).get(row.event_id)
        return _delivery_record(row, payload, tuple(attempt_record(attempt) for attempt in tried))


def _delivery_record(
    row: Any, payload: bytes | None, tried: tuple[AttemptRecord, ...] = ()
) -> DeliveryRecord:
    state = State(row.state)
    return DeliveryRecord(
        id=row.id,
        event=row.event_id,
        type=row.event_type,
        route=row.route,
        destination=row.destination,
        version=row.version,
        send=row.send,
        position=row.position,
        state=state,
        reason=row.reason or row.degraded,
        attempts=row.attempts,
        tries=row.tries,
        due_at=row.due_at if state is State.PENDING else None,
        tried_at=row.tried_at,
        needs=tuple(row.needs.split(",")) if row.needs else (),
        created_at=row.created_at,
        delivered_at=row.delivered_at,
        degraded=row.degraded,
        message=row.message,
        payload=payload,
        attempt_list=tried,
    )
