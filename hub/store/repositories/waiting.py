"""What the worker asks about the queue: what is due, what may be claimed, and who owns what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    union_all,
)

from hub.model.delivery import Claim, State
from hub.model.destination import DestinationState
from hub.model.event import Event
from hub.model.routing import Send
from hub.store.engine.queries import AnyOf, Now, Query
from hub.store.tables import deliveries, destinations, events, is_in

COUNTED = 100
"""So many at most are counted of what is due to a destination, and claimed of it in one turn: `concurrency`
may be no more.
"""

CLAIM_COLUMNS = (
    events.c.id,
    events.c.source,
    events.c.message_id,
    events.c.type,
    events.c.payload,
    events.c.received_at,
    deliveries.c.id,
    deliveries.c.token,
    deliveries.c.route,
    deliveries.c.destination,
    deliveries.c.send,
    deliveries.c.attempts,
    deliveries.c.tries,
    deliveries.c.message,
    deliveries.c.degraded,
    deliveries.c.accepted,
)
_CLAIMS = select(*CLAIM_COLUMNS).join(events, events.c.id == deliveries.c.event_id)


def _longest_due(turn: int, count: str, *which: ColumnElement[bool]) -> Select[Any]:
    """Found by a partial index, which SQLite uses only where a part of a UNION is a subquery."""
    due = (
        select(deliveries.c.id, literal_column(str(turn)).label("turn"))
        .where(
            is_in(State.PENDING),
            *which,
            deliveries.c.destination == bindparam("destination"),
            deliveries.c.due_at <= bindparam("now", type_=BigInteger),
        )
        .order_by(deliveries.c.due_at)
        .limit(bindparam(count, type_=Integer))
        .subquery()
    )
    return select(due)


_EITHER = union_all(
    _longest_due(0, "first_count", deliveries.c.tries == literal_column("0")), _longest_due(1, "count")
).subquery()
_CHOSEN = select(_EITHER.c.id, func.min(_EITHER.c.turn).label("turn")).group_by(_EITHER.c.id).subquery()
# Locked outside of what chooses: where a LIMIT with SKIP LOCKED is a part of a statement, a planner may run
# it twice.
DUE = Query(
    _CLAIMS.join(_CHOSEN, _CHOSEN.c.id == deliveries.c.id)
    # Still pending once it is locked; written so that no planner reads the index of all that is pending here,
    # which it takes for empty where nothing was pending when it last counted.
    .where(deliveries.c.state.concat(literal_column("''")) == State.PENDING.value)
    .order_by(_CHOSEN.c.turn, deliveries.c.due_at)
    .limit(bindparam("count", type_=Integer)),
    locks={"skip_locked": True, "of": deliveries},
)
"""What may be claimed of a destination, locked: `first_count` of those never tried, then the longest due."""

CLAIMED = Query(_CLAIMS.where(AnyOf(deliveries.c.id, "ids")).order_by(deliveries.c.due_at))
"""The same of deliveries that are known by their ids."""


def _pending_of(*columns: Any) -> Select[Any]:
    """What is pending of a destination, within a statement that selects destinations."""
    return (
        select(*columns)
        .where(is_in(State.PENDING), deliveries.c.destination == destinations.c.name)
        .correlate(destinations)
    )


_NEXT_DUE = func.min(deliveries.c.due_at)
_STATE_COLUMNS = tuple(each.name for each in fields(DestinationState))
STATES = Query(
    select(*(destinations.c[name] for name in _STATE_COLUMNS))
    .where(
        AnyOf(destinations.c.name, "names")
        | and_(
            AnyOf(destinations.c.name, "due_of"),
            # The index knows the least; for one that is due a planner may search the table.
            _pending_of(_NEXT_DUE).scalar_subquery() <= Now(),
        )
    )
    .order_by(destinations.c.name),
    locks={},
)
"""Destinations, locked: all of `names`, and those of `due_of` that something is due for."""

LOCKED = Query(
    select(destinations.c.name)
    .where(
        AnyOf(destinations.c.name, "names"),
        _pending_of(deliveries.c.id).where(deliveries.c.due_at <= Now()).exists(),
    )
    .order_by(destinations.c.name),
    locks={},
)
"""Destinations that something is due for, locked: where nothing is, a transaction has nothing to write."""

OWNED = Query(
    select(deliveries.c.id, deliveries.c.token, deliveries.c.attempts)
    .where(AnyOf(deliveries.c.id, "ids"), is_in(State.SENDING))
    .order_by(deliveries.c.id),
    locks={},
)
"""Who owns deliveries that are being sent, locked."""

WAITING = Query(
    select(
        destinations.c.name,
        select(func.count())
        .select_from(
            _pending_of(deliveries.c.due_at)
            .where(deliveries.c.due_at <= Now())
            .order_by(deliveries.c.due_at)
            .limit(literal_column(str(COUNTED)))
            .subquery()
        )
        .correlate(destinations)
        .scalar_subquery(),
        _pending_of(_NEXT_DUE).where(deliveries.c.due_at > Now()).scalar_subquery(),
        select(func.count())
        .where(is_in(State.SENDING), deliveries.c.destination == destinations.c.name)
        .correlate(destinations)
        .scalar_subquery(),
    ).where(AnyOf(destinations.c.name, "names"))
)
"""The name of each destination, and the fields of its `Waiting`."""


@dataclass(frozen=True)
class Waiting:
    """How many deliveries of a destination are due, up to `COUNTED`; when the next of those that are not
    falls due; and how many all workers together send.
    """

    due: int
    next_at: datetime | None
    in_flight: int


def states_of(rows: Sequence[Sequence[Any]]) -> dict[str, DestinationState]:
    states = [DestinationState(**dict(zip(_STATE_COLUMNS, row, strict=True))) for row in rows]
    return {state.name: state for state in states}


def claim_of(row: Sequence[Any]) -> Claim:
    event_id, source, message_id, event_type, payload, received_at, *its_own = row
    delivery_id, token, route, destination, send, attempts_made, tries, message, degraded, accepted = its_own
    return Claim(
        id=delivery_id,
        token=token,
        event=Event(
            id=event_id,
            source=source,
            message_id=message_id,
            type=event_type,
            payload=payload or b"{}",
            received_at=received_at,
        ),
        route=route,
        destination=destination,
        send=Send(to=destination, fields=send),
        attempts=attempts_made,
        tries=tries,
        message=message,
        degraded=degraded,
        accepted=tuple(accepted or ()),
    )
