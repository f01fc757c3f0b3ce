"""Reports for pages, API and commands. Lists are newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    case,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from hub import catalog
from hub.catalog.redaction import Redaction
from hub.errors import NotFound
from hub.model.delivery import FINISHED, Outcome, State
from hub.model.event import first_id
from hub.model.records import AttemptRecord, DeliveryRecord, EventRecord
from hub.model.stats import Stats
from hub.store.repositories.events import verdicts_of
from hub.store.repositories.workers import Workers
from hub.store.session import Repository
from hub.store.tables import attempts, deliveries, events, is_in
from hub.strings import one_line

_EVENT_COLUMNS = (
    events.c.id,
    events.c.source,
    events.c.message_id,
    events.c.type,
    events.c.version,
    events.c.received_at,
    events.c.verdicts,
)

LISTED_PAYLOAD_BYTES = 16 * 1024
"""A list says whom an event is about for payloads up to this size; one event alone has all of its own."""

WHOLE_PAYLOAD_BYTES = 2**31 - 1
"""More bytes than any payload has."""

ERRORS_LOOKED_AT, ERROR_LIMIT = 50, 200
"""So many deliveries of a destination are asked for their last error, which is cut to so many characters."""

MANY = 5_000
"""So few deliveries of a state are all looked at for a list; of more, the newest first."""

# State by state, so that each count is read from that state's own index.
_BY_STATE = union_all(
    *(
        select(deliveries.c.destination, literal(state.value), func.count())
        .where(is_in(state))
        .group_by(deliveries.c.destination)
        for state in State
    )
)
_OLDEST_DUE = (
    select(deliveries.c.destination, func.min(deliveries.c.due_at))
    .where(is_in(State.PENDING), deliveries.c.due_at <= bindparam("now", type_=deliveries.c.due_at.type))
    .group_by(deliveries.c.destination)
)


class Reports(Repository):
    """Events and deliveries as records, and the store in numbers."""

    # -- events -------------------------------------------------------------------------------

    def events(
        self,
        *,
        type_: str | None = None,
        since: datetime | None = None,
        limit: int = 50,
        before: str | None = None,
        largest: int = LISTED_PAYLOAD_BYTES,
    ) -> list[EventRecord]:
        """Return events, newest first, without payloads of more bytes than `largest`.

        `before` is the id after which a page begins.
        """
        payload = case((func.length(events.c.payload) <= largest, events.c.payload)).label("payload")
        statement = _events(select(*_EVENT_COLUMNS, payload), type_, since)
        rows = self._session.connection.execute(_page(statement, events.c.id, limit, before)).all()
        states = self._states_of([row.id for row in rows])
        return [_event_record(row, states.get(row.id, {})) for row in rows]

    def event_sizes(
        self, *, type_: str | None, since: datetime | None, limit: int, before: str | None
    ) -> list[tuple[str, int]]:
        """Return the ids of the same events, each with the bytes of its payload."""
        size = func.coalesce(func.length(events.c.payload), 0)
        statement = _events(select(events.c.id, size), type_, since)
        rows = self._session.connection.execute(_page(statement, events.c.id, limit, before))
        return [(event_id, count) for event_id, count in rows]

    def event(self, event_id: str) -> EventRecord:
        """Return one event; raises NotFound."""
        statement = select(*_EVENT_COLUMNS, events.c.payload).where(events.c.id == event_id)
        row = self._session.connection.execute(statement).first()
        if row is None:
            raise NotFound(f"there is no event {event_id}")
        return _event_record(row, self._states_of([event_id]).get(event_id, {}))

    def _states_of(self, event_ids: Sequence[str]) -> dict[str, dict[State, int]]:
        counted: dict[str, dict[State, int]] = {}
        statement = (
            select(deliveries.c.event_id, deliveries.c.state, func.count())
            .where(deliveries.c.event_id.in_(event_ids))
            .group_by(deliveries.c.event_id, deliveries.c.state)
        )
        for event_id, state, count in self._session.connection.execute(statement):
            counted.setdefault(event_id, {})[State(state)] = count
        return counted

    # -- deliveries ---------------------------------------------------------------------------

    def deliveries(
        self,
        *,
        state: State | None = None,
        destination: str | None = None,
        event: str | None = None,
        degraded: bool = False,
        limit: int = 50,
        before: str | None = None,
    ) -> list[DeliveryRecord]:
        """Return deliveries, newest first; `before` is the id after which a page begins.

        With `degraded` only those that went out, or are to, in another form than their send block has.
        """
        chosen = self._chosen(state, destination, event, degraded, limit, before)
        return self._deliveries(chosen, deliveries.c.message)

    def delivery_sizes(
        self,
        *,
        state: State | None,
        destination: str | None,
        event: str | None,
        degraded: bool = False,
        limit: int,
        before: str | None,
    ) -> list[tuple[str, int]]:
        """Return the ids of the same deliveries, each with the bytes that reading it takes."""
        sizes = (func.coalesce(func.length(column), 0) for column in (deliveries.c.message, events.c.payload))
        statement = (
            select(deliveries.c.id, deliveries.c.event_type, *sizes)
            .outerjoin(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.id.in_(self._chosen(state, destination, event, degraded, limit, before)))
            .order_by(deliveries.c.id.desc())
        )
        return [
            (delivery_id, message + (payload if _is_listed(type_, payload) else 0))
            for delivery_id, type_, message, payload in self._session.connection.execute(statement)
        ]

    def deliveries_of(self, ids: Sequence[str], *, messages: bool = True) -> list[DeliveryRecord]:
        """Return these deliveries, newest first; without their messages where those are not wanted."""
        return self._deliveries(ids, deliveries.c.message if messages else null().label("message"))

    def _chosen(
        self,
        state: State | None,
        destination: str | None,
        event: str | None,
        degraded: bool,
        limit: int,
        before: str | None,
    ) -> Select[Any]:
        sort_key: ColumnElement[str] = deliveries.c.id
        conditions = []
        if state:
            conditions.append(is_in(state))
        if destination:
            conditions.append(deliveries.c.destination == destination)
        if degraded:
            # An index has these alone, in the order of the list.
            conditions.append(deliveries.c.degraded.is_not(None))
        elif state and not self._is_many(conditions if state not in FINISHED else conditions[:1]):
            # No longer a key: a planner would rather walk all deliveries by it than sort the few of a state.
            sort_key = deliveries.c.id.concat("")
        if event:
            conditions.append(deliveries.c.event_id == event)
        return _page(select(deliveries.c.id).where(*conditions), sort_key, limit, before)

    def _deliveries(self, chosen: Select[Any] | Sequence[str], message: Any) -> list[DeliveryRecord]:
        others = [column for column in deliveries.c if column is not deliveries.c.message]
        statement = select(*others, message).where(deliveries.c.id.in_(chosen))
        statement = statement.order_by(deliveries.c.id.desc())
        rows = self._session.connection.execute(statement).all()
        payloads = self._payloads(rows, LISTED_PAYLOAD_BYTES)
        return [_delivery_record(row, payloads.get(row.event_id)) for row in rows]

    def _is_many(self, conditions: Sequence[ColumnElement[bool]]) -> bool:
        """True where so many deliveries fit that the newest of them are soon met among all others."""
        some = select(literal(1)).select_from(deliveries).where(*conditions).limit(MANY).subquery()
        return self._session.connection.execute(select(func.count()).select_from(some)).scalar_one() == MANY

    def _payloads(self, rows: Sequence[Any], largest: int) -> dict[str, bytes]:
        """Return the payloads of the events of some deliveries, by event.

        Those with more bytes than `largest` are left out, but for types of which something is never shown.
        """
        ids = {row.event_id for row in rows}
        hiding = {row.event_id for row in rows if catalog.hides(row.event_type)}
        is_read = or_(func.length(events.c.payload) <= largest, events.c.id.in_(hiding))
        payloads = select(events.c.id, events.c.payload).where(events.c.id.in_(ids), is_read)
        return dict(self._session.connection.execute(payloads).all()) if ids else {}

    def delivery(self, delivery_id: str) -> DeliveryRecord:
        """Return one delivery with its attempts, oldest first; raises NotFound."""
        row = self._session.connection.execute(
            select(deliveries).where(deliveries.c.id == delivery_id)
        ).first()
        if row is None:
            raise NotFound(f"there is no delivery {delivery_id}")
        tried = self._session.connection.execute(
            select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.number)
        )
        payload = self._payloads([row], WHOLE_PAYLOAD_BYTES).get(row.event_id)
        return _delivery_record(row, payload, tuple(_attempt_record(attempt) for attempt in tried))

    # -- the whole ----------------------------------------------------------------------------

    def stats(self) -> Stats:
        """Return the store in numbers, as of now."""
        newest = select(events.c.received_at).order_by(events.c.id.desc()).limit(1)
        recent = select(func.count()).where(
            events.c.id >= first_id("evt", self._session.now - timedelta(days=1))
        )
        return Stats(
            events=self._session.connection.execute(select(func.count()).select_from(events)).scalar_one(),
            events_last_day=self._session.connection.execute(recent).scalar_one(),
            last_event_at=self._session.connection.execute(newest).scalar(),
            deliveries={
                (name, State(state)): count
                for name, state, count in self._session.connection.execute(_BY_STATE)
            },
            oldest_due=dict(self._session.connection.execute(_OLDEST_DUE, {"now": self._session.now}).all()),
            worker_seen_at=Workers(self._session).last_seen_at(),
            now=self._session.now,
        )

    def count(self, state: State, destination: str) -> int:
        """Return how many deliveries to a destination are in a state."""
        statement = select(func.count()).where(is_in(state), deliveries.c.destination == destination)
        return int(self._session.connection.execute(statement).scalar_one())

    def delivered_since(self, destination: str, moment: datetime) -> int:
        """Return how many deliveries to a destination have arrived since a moment."""
        statement = select(func.count()).where(
            is_in(State.DELIVERED),
            deliveries.c.finished_at >= moment,
            deliveries.c.destination == destination,
        )
        return int(self._session.connection.execute(statement).scalar_one())

    def in_flight(self) -> dict[str, int]:
        """Return how many deliveries are being sent, by destination."""
        statement = select(deliveries.c.destination, func.count()).where(is_in(State.SENDING))
        rows = self._session.connection.execute(statement.group_by(deliveries.c.destination))
        return dict(rows.all())

    def last_error(self, destination: str) -> str | None:
        """Return the last error among the deliveries that wait longest for their next attempt.

        On one line and without one-time secrets; None where none of them failed.
        """
        return self._of_last_failure(destination, attempts.c.detail)

    def last_answer(self, destination: str) -> str | None:
        """Return the start of the answer that came with the last error; None where none came."""
        return self._of_last_failure(destination, attempts.c.answer)

    def _of_last_failure(self, destination: str, column: Any) -> str | None:
        waiting = (
            select(deliveries.c.id)
            .where(
                is_in(State.PENDING),
                deliveries.c.destination == destination,
                deliveries.c.due_at.is_not(None),
            )
            .order_by(deliveries.c.due_at.desc())
            .limit(ERRORS_LOOKED_AT)
            .subquery()
        )
        failed = (
            select(column.label("text"), deliveries.c.event_type, deliveries.c.event_id)
            .join(deliveries, deliveries.c.id == attempts.c.delivery_id)
            .where(attempts.c.delivery_id.in_(select(waiting.c.id)), attempts.c.detail.is_not(None))
            .order_by(attempts.c.at.desc())
            .limit(1)
        )
        row = self._session.connection.execute(failed).first()
        if row is None or not row.text:
            return None
        payload = self._payloads([row], 0).get(row.event_id)
        return one_line(Redaction(named={}).of_event(row.event_type, payload).text(row.text), ERROR_LIMIT)

    def pending_destinations(self) -> list[str]:
        """Return the destinations that anything is pending for, with one look into an index for each."""
        names: list[str] = []
        name: str | None = ""
        while name is not None:
            following = select(func.min(deliveries.c.destination)).where(
                is_in(State.PENDING), deliveries.c.destination > name
            )
            name = self._session.connection.execute(following).scalar()
            names += [name] if name is not None else []
        return names


def _is_listed(type_: str, payload_bytes: int) -> bool:
    """Return True where a list reads a payload: it has the words for its event, or what to mask."""
    return payload_bytes <= LISTED_PAYLOAD_BYTES or catalog.hides(type_)


def _events(statement: Select[Any], type_: str | None, since: datetime | None) -> Select[Any]:
    if type_:
        statement = statement.where(events.c.type == type_)
    if since:
        statement = statement.where(events.c.id >= first_id("evt", since))
    return statement


def _page(statement: Select[Any], column: Any, limit: int, before: str | None) -> Select[Any]:
    if before:
        statement = statement.where(column < before)
    return statement.order_by(column.desc()).limit(limit)


def _event_record(row: Any, states: dict[State, int]) -> EventRecord:
    return EventRecord(
        id=row.id,
        source=row.source,
        message_id=row.message_id,
        type=row.type,
        version=row.version,
        received_at=row.received_at,
        verdicts=verdicts_of(row.verdicts),
        payload=row.payload,
        states=states,
    )


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
        unset=tuple(row.unset.split(",")) if row.unset else (),
        created_at=row.created_at,
        delivered_at=row.delivered_at,
        degraded=row.degraded,
        message=row.message,
        payload=payload,
        attempt_list=tried,
    )


def _attempt_record(row: Any) -> AttemptRecord:
    return AttemptRecord(
        number=row.number,
        at=row.at,
        seconds=row.seconds,
        outcome=Outcome(row.outcome) if row.outcome else None,
        status=row.status,
        detail=row.detail,
        answer=row.answer,
    )
