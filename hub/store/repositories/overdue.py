"""Deliveries past a time that was set for them: their lease, or how long they may wait."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, case, func, literal, or_, select, update

from hub.humanize import in_days, period
from hub.model.age import too_old
from hub.model.delivery import LONGEST_LEASE, Claim, State
from hub.model.destination import DestinationConfig
from hub.model.event import Event
from hub.model.moments import STEP, longest_of_schedule, longest_wait
from hub.model.routing import Send
from hub.store.session import Repository
from hub.store.tables import attempts, deliveries, destinations, events, is_in

_ANSWERED = "answered "
_LAST_TRY = case(
    (
        deliveries.c.reason.startswith(_ANSWERED),
        literal("; the last answer was ") + func.substr(deliveries.c.reason, len(_ANSWERED) + 1),
    ),
    (deliveries.c.reason.is_not(None), literal("; at its last try: ") + deliveries.c.reason),
    else_="",
)
"""The end of a reason: of what came back last, where anything did."""


@dataclass(frozen=True, kw_only=True)
class TooOld:
    """A delivery that died while it waited: its event is too old."""

    event: Event
    destination: str
    reason: str


class Overdue(Repository):
    """Deliveries that maintenance ends or gives back, a batch at a time; rows that somebody locked wait."""

    def lapsed_claims(
        self, known: Collection[str] | None = None, *, others_after: timedelta = timedelta(), limit: int = 500
    ) -> list[Claim]:
        """Return claims whose lease ran out, locked, in the order of their ids: their process died.

        A lease that ends later than any can was written by a clock that was ahead, and counts as run out.

        Those of destinations that are not `known` here only so long after, for a worker that knows them to
        come first; None knows all.
        """
        now = self._session.now
        has_lapsed = or_(deliveries.c.lease_until < now, deliveries.c.lease_until > now + LONGEST_LEASE)
        ran_out = [is_in(State.SENDING), has_lapsed]
        if known is not None:
            is_left = deliveries.c.lease_until < now - others_after
            ran_out.append(or_(deliveries.c.destination.in_(known), is_left))
        ids = select(deliveries.c.id).where(*ran_out).order_by(deliveries.c.id).limit(limit)
        locked = self._session.connection.execute(self._session.locking(ids, skips=True)).scalars().all()
        if not locked:
            return []
        # Send block and message are not needed, and may hold what nobody can read.
        columns = (column for column in deliveries.c if column.name not in ("send", "message"))
        rows = self._session.connection.execute(
            select(*columns, events.c.source, events.c.message_id, events.c.payload, events.c.received_at)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.id.in_(locked))
            .order_by(deliveries.c.id)
        )
        return [_lapsed_claim(row) for row in rows]

    def expire(
        self, destination: str, *, after: timedelta, event_type: str | None = None, limit: int = 500
    ) -> tuple[int, bool]:
        """Let die what has waited too long for a destination; return how many, and True once that was all.

        With `event_type` only what is owed for such events. Nothing does while the destination is paused or
        not configured by its row, which workers write; a resume begins the count anew.
        """
        before = self._session.now - after
        state = select(destinations.c.paused_at, destinations.c.configured, destinations.c.available_since)
        row = self._session.connection.execute(state.where(destinations.c.name == destination)).first()
        is_served = row is None or (row.configured and row.paused_at is None)
        if row is not None and not (is_served and (row.available_since or before) <= before):
            return 0, True
        waited = [is_in(State.PENDING), deliveries.c.destination == destination]
        waited += [deliveries.c.event_type == event_type] if event_type else []
        ids = select(deliveries.c.id).where(*waited, deliveries.c.owed_since < before)
        ids = ids.order_by(deliveries.c.due_at).limit(limit)
        locked = self._session.connection.execute(self._session.locking(ids, skips=True)).scalars().all()
        if locked:
            reason = literal(f"given up after {in_days(period(after.total_seconds()))}") + _LAST_TRY
            dead = update(deliveries).where(deliveries.c.id.in_(locked))
            self._session.connection.execute(dead.values(state=State.DEAD, reason=reason))
        return len(locked), len(locked) < limit

    def age(self, *, limit: int = 500) -> list[TooOld]:
        """Let die what waits and is too old; return at most `limit`. Index: ix_deliveries_ageing."""
        now = self._session.now
        ids = select(deliveries.c.id).where(is_in(State.PENDING), deliveries.c.valid_until <= now)
        ids = ids.order_by(deliveries.c.valid_until).limit(limit)
        locked = self._session.connection.execute(self._session.locking(ids, skips=True)).scalars().all()
        rows = self._session.connection.execute(
            select(
                deliveries.c.id,
                deliveries.c.destination,
                deliveries.c.valid_until,
                *(events.c[name] for name in ("source", "message_id", "payload", "received_at")),
                deliveries.c.event_id,
                deliveries.c.event_type,
            )
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.id.in_(locked))
            .order_by(deliveries.c.id)
        ).all()
        died = [
            TooOld(event=_event(row), destination=row.destination, reason=reason)
            for row in rows
            if (reason := too_old(_event(row), row.valid_until, now))
        ]
        for row, dead in zip(rows, died, strict=True):
            its_row = update(deliveries).where(deliveries.c.id == row.id)
            values = {"state": State.DEAD, "reason": dead.reason, "needs": None, "finished_at": now}
            self._session.connection.execute(its_row.values(values))
        return died

    def bring_forward(self, config: DestinationConfig, *, limit: int = 500) -> int:
        """Make due what a clock that was ahead had put off; return how many, at most `limit`.

        It is due later than anything puts it off, or by an attempt or an event that are still to come.
        """
        now = self._session.now
        latest_attempt = select(attempts.c.at).where(
            attempts.c.delivery_id == deliveries.c.id, attempts.c.number == deliveries.c.attempts
        )
        is_put_off = or_(
            deliveries.c.due_at > now + longest_wait(config),
            and_(deliveries.c.due_at > now, deliveries.c.owed_since > now + STEP),
            and_(
                deliveries.c.due_at > now + longest_of_schedule(config),
                latest_attempt.scalar_subquery() > now + STEP,
            ),
        )
        pending = (is_in(State.PENDING), deliveries.c.destination == config.name)
        ids = select(deliveries.c.id).where(*pending, is_put_off)
        ids = ids.order_by(deliveries.c.due_at).limit(limit)
        locked = self._session.connection.execute(self._session.locking(ids, skips=True)).scalars().all()
        if locked:
            due = update(deliveries).where(deliveries.c.id.in_(locked))
            self._session.connection.execute(due.values(due_at=now))
        return len(locked)


def _event(row: Any) -> Event:
    """The event in a row of deliveries and their events."""
    return Event(
        id=row.event_id,
        source=row.source,
        message_id=row.message_id,
        type=row.event_type,
        payload=row.payload or b"{}",
        received_at=row.received_at,
    )


def _lapsed_claim(row: Any) -> Claim:
    """The claim in a row of deliveries and their events."""
    return Claim(
        id=row.id,
        token=row.token,
        event=_event(row),
        route=row.route,
        destination=row.destination,
        send=Send(to=row.destination),
        attempts=row.attempts,
        tries=row.tries,
        message=None,
        rendering=row.rendering,
        degraded=row.degraded,
        accepted=tuple(row.accepted or ()),
    )
