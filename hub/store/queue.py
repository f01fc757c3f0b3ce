"""What the worker does to the deliveries table, which is the queue: claim, start, settle.

Every change of a claimed delivery is fenced by its claim token: a worker that comes late finds no row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from hub.models import FINISHED, Claim, DestinationState, Event, Send, Settlement, State
from hub.store.statements import AnyOf, Insert, Query, Update
from hub.store.tables import as_microseconds, attempts, deliveries, destinations, events
from hub.store.view import View, is_in

_CLAIM_COLUMNS = (
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
_CLAIMS = select(*_CLAIM_COLUMNS).join(events, events.c.id == deliveries.c.event_id)


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
_DUE = Query(
    _CLAIMS.join(_CHOSEN, _CHOSEN.c.id == deliveries.c.id)
    .where(is_in(State.PENDING))
    .order_by(_CHOSEN.c.turn, deliveries.c.due_at)
    .limit(bindparam("count", type_=Integer)),
    locks={"skip_locked": True, "of": deliveries},
)
_CLAIMED = Query(_CLAIMS.where(AnyOf(deliveries.c.id, "ids")).order_by(deliveries.c.due_at))
_IN_FLIGHT = Query(
    select(deliveries.c.destination, func.count())
    .where(is_in(State.SENDING))
    .group_by(deliveries.c.destination)
)
_STATE_COLUMNS = tuple(each.name for each in fields(DestinationState))
_STATES = Query(
    select(*(destinations.c[name] for name in _STATE_COLUMNS))
    .where(AnyOf(destinations.c.name, "names"))
    .order_by(destinations.c.name),
    locks={},
)
_OWNED = Query(
    select(deliveries.c.id, deliveries.c.token, deliveries.c.attempts)
    .where(AnyOf(deliveries.c.id, "ids"), is_in(State.SENDING))
    .order_by(deliveries.c.id),
    locks={},
)


@dataclass(frozen=True, kw_only=True)
class Held:
    """Destinations and claims that are locked, and what is known of them.

    `owned` are the ids of the claims that nothing happened to since: another worker may have taken one over,
    or this one started it and never heard that it was committed. `in_flight` counts what all workers
    together send, by destination; `due_later` is when the next falls due that is not due yet.
    """

    states: dict[str, DestinationState]
    owned: set[str]
    in_flight: dict[str, int]
    due_later: dict[str, datetime]


class Queue(View):
    """The part of a transaction that works the queue off."""

    # -- what is due --------------------------------------------------------------------------

    def next_due(self, names: Collection[str]) -> dict[str, datetime]:
        """When the next pending delivery of each destination falls due; those with none are left out."""
        (rows,) = self._line.ask(_next_due(names)(after=0) if names else None)
        return _moments(rows)

    def hold(
        self, destinations: Collection[str], claims: Collection[Claim] = (), later: Collection[str] = ()
    ) -> Held:
        """Lock destinations, so that two workers take turns, and then claims; and see how they stand.

        `later` are the destinations of which something is to be claimed next.
        """
        states, owned, in_flight, due_later = self._line.ask(
            _STATES(names=list(destinations)) if destinations else None,
            _OWNED(ids=[claim.id for claim in claims]) if claims else None,
            _IN_FLIGHT() if later else None,
            _next_due(later)(after=as_microseconds(self.now)) if later else None,
        )
        known = {(claim.id, claim.token, claim.attempts) for claim in claims}
        return Held(
            states=_states(states, destinations),
            owned={row[0] for row in owned if row in known},
            in_flight=dict(in_flight),
            due_later=_moments(due_later),
        )

    def destination_states(self, names: Collection[str]) -> dict[str, DestinationState]:
        """The states of the named destinations, locked, so that two workers take turns."""
        return self.hold(names).states

    def save_destination_states(self, states: Collection[DestinationState]) -> None:
        """Keep changed states; what was never there is added."""
        rows = [asdict(state) for state in sorted(states, key=lambda state: state.name)]
        self._line.write(Insert(table=destinations, rows=rows, key=("name",), replaces=True))

    # -- claim, start, settle -----------------------------------------------------------------

    def claim(
        self,
        destination: str,
        count: int,
        *,
        first_count: int = 0,
        token: str,
        lease: timedelta,
        compose: Callable[[Claim], Claim] | None = None,
    ) -> list[Claim]:
        """Take up to `count` due deliveries of a destination under a lease.

        Of those not tried since they became owed `first_count` are taken, if so many are due; the rest is
        the longest due of all.

        `compose` may give them their message. With it, those that have one are only locked, for `start` in
        the same transaction to take.
        """
        now = as_microseconds(self.now)
        (found,) = self._line.ask(
            _DUE(destination=destination, now=now, count=count, first_count=first_count)
        )
        claims = [replace(_claim(row), token=token) for row in found]
        claims = [compose(claim) for claim in claims] if compose else claims
        taken = {"state": State.SENDING.value, "token": token, "lease_until": self.now + lease}
        rows = [{"id": claim.id, **taken} for claim in claims if compose is None or claim.message is None]
        self._line.write(Update(table=deliveries, rows=rows))
        return claims

    def put_off(self, destination: str, wait: timedelta, reason: str) -> None:
        """Let the delivery of a destination that is due first wait, and the others go before it."""
        first = self._locking(
            select(deliveries.c.id)
            .where(
                is_in(State.PENDING),
                deliveries.c.destination == destination,
                deliveries.c.due_at <= self.now,
            )
            .order_by(deliveries.c.due_at)
            .limit(1),
            skips=True,
        )
        rows = [
            {"id": delivery_id, "due_at": self.now + wait, "reason": reason}
            for delivery_id in self._connection.execute(first).scalars()
        ]
        self._line.write(Update(table=deliveries, rows=rows))

    def start(self, claims: Sequence[Claim], lease: Mapping[str, timedelta]) -> list[Claim]:
        """Record the attempts of rendered claims before they are sent, and renew their leases.

        They must be `owned`, or claimed in this transaction. Returns them with their counts raised by
        one. `lease` is by destination.
        """
        started = [replace(claim, attempts=claim.attempts + 1, tries=claim.tries + 1) for claim in claims]
        self._line.write(
            Update(table=deliveries, rows=[self._started(each, lease[each.destination]) for each in started]),
            Insert(table=attempts, rows=[self._opened(each) for each in started]),
        )
        return started

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write what became of deliveries that are `owned`, and of their open attempts."""
        closed = [_closed(settlement) for settlement in settlements if settlement.outcome]
        self._line.write(
            Update(
                table=deliveries,
                rows=[self._settled(each) for each in settlements],
                keeps=("due_at", "message"),
            ),
            Update(table=attempts, rows=closed, keys=2),
        )

    def _claims(self, ids: Sequence[str]) -> list[Claim]:
        (rows,) = self._line.ask(_CLAIMED(ids=list(ids)))
        return [_claim(row) for row in rows]

    def _started(self, claim: Claim, lease: timedelta) -> dict[str, Any]:
        return {
            "id": claim.id,
            "state": State.SENDING.value,
            "token": claim.token,
            "lease_until": self.now + lease,
            "attempts": claim.attempts,
            "tries": claim.tries,
            "message": claim.message,
            "degraded": claim.degraded,
        }

    def _opened(self, claim: Claim) -> dict[str, Any]:
        return {
            "delivery_id": claim.id,
            "number": claim.attempts,
            "destination": claim.destination,
            "at": self.now,
        }

    def _settled(self, settlement: Settlement) -> dict[str, Any]:
        claim, state = settlement.claim, settlement.state
        return {
            "id": claim.id,
            "state": state.value,
            "reason": settlement.reason,
            "due_at": settlement.due_at,
            "tries": settlement.tries,
            "accepted": list(settlement.accepted) or None,
            # An attempt kept it before it was sent.
            "message": None if settlement.outcome else claim.message,
            "delivered_at": self.now if state is State.DELIVERED else None,
            "finished_at": self.now if state in FINISHED else None,
            "token": None,
            "lease_until": None,
        }


def _closed(settlement: Settlement) -> dict[str, Any]:
    return {
        "delivery_id": settlement.claim.id,
        "number": settlement.claim.attempts,
        "seconds": settlement.seconds,
        "outcome": settlement.outcome.value if settlement.outcome else None,
        "status": settlement.status,
        "detail": settlement.detail,
    }


def _next_due(names: Collection[str]) -> Query:
    return _next_due_of(tuple(sorted(names)))


@lru_cache(maxsize=32)
def _next_due_of(names: tuple[str, ...]) -> Query:
    """One look into the index of due deliveries for each destination."""
    after = bindparam("after", type_=BigInteger)
    return Query(
        union_all(
            *(
                select(
                    literal(name),
                    select(func.min(deliveries.c.due_at))
                    .where(
                        is_in(State.PENDING), deliveries.c.destination == name, deliveries.c.due_at > after
                    )
                    .scalar_subquery(),
                )
                for name in names
            )
        )
    )


def _moments(rows: Sequence[Sequence[Any]]) -> dict[str, datetime]:
    return {name: moment for name, moment in rows if moment is not None}


def _states(rows: Sequence[Sequence[Any]], names: Collection[str]) -> dict[str, DestinationState]:
    states = [DestinationState(**dict(zip(_STATE_COLUMNS, row, strict=True))) for row in rows]
    known = {state.name: state for state in states}
    return {name: known.get(name, DestinationState(name=name)) for name in names}


def _claim(row: Sequence[Any]) -> Claim:
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
