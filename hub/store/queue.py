"""What the worker does to the deliveries table, which is the queue: claim, start, settle.

Every change of a claimed delivery is fenced by its claim token: a worker that comes late finds no row. The
statements are built once, here: building one costs as much as running it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Executable,
    Select,
    bindparam,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from hub.models import FINISHED, Claim, DestinationState, Event, Send, Settlement, State
from hub.store.tables import attempts, deliveries, destinations, events
from hub.store.view import View, is_in

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)

_IN_FLIGHT = (
    select(deliveries.c.destination, func.count())
    .where(is_in(State.SENDING))
    .group_by(deliveries.c.destination)
)
_STATES = (
    select(destinations)
    .where(destinations.c.name.in_(bindparam("names", expanding=True)))
    .order_by(destinations.c.name)
)
_DUE = (
    select(deliveries.c.id)
    .where(
        is_in(State.PENDING),
        deliveries.c.destination == bindparam("destination"),
        deliveries.c.due_at <= bindparam("now"),
    )
    .order_by(deliveries.c.due_at)
    .limit(bindparam("count"))
)
# Ids in a list, not a subquery: a planner may run a LIMIT with SKIP LOCKED more than once.
_TAKE = (
    update(deliveries)
    .where(deliveries.c.id.in_(_IDS))
    .values(state=State.SENDING.value, token=bindparam("token_"), lease_until=bindparam("lease_until_"))
)
_CLAIMS = (
    select(deliveries, events.c.source, events.c.message_id, events.c.payload, events.c.received_at)
    .join(events, events.c.id == deliveries.c.event_id)
    .where(deliveries.c.id.in_(_IDS))
    .order_by(deliveries.c.due_at)
)
_OWNED = (
    select(deliveries.c.id, deliveries.c.token)
    .where(deliveries.c.id.in_(_IDS), is_in(State.SENDING))
    .order_by(deliveries.c.id)
)
_START = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("id_"))
    .values(
        lease_until=bindparam("lease_until_"),
        attempts=bindparam("attempts_"),
        tries=bindparam("tries_"),
        message=bindparam("message_"),
        degraded=bindparam("degraded_"),
    )
)
_OPEN_ATTEMPT = insert(attempts)
_SETTLE = (
    update(deliveries)
    .where(deliveries.c.id == bindparam("id_"))
    .values(
        state=bindparam("state_"),
        reason=bindparam("reason_"),
        due_at=func.coalesce(bindparam("due_at_", type_=deliveries.c.due_at.type), deliveries.c.due_at),
        tries=bindparam("tries_"),
        accepted=bindparam("accepted_"),
        message=func.coalesce(deliveries.c.message, bindparam("message_", type_=deliveries.c.message.type)),
        delivered_at=bindparam("delivered_at_"),
        finished_at=bindparam("finished_at_"),
        token=None,
        lease_until=None,
    )
)
_CLOSE_ATTEMPT = (
    update(attempts)
    .where(attempts.c.delivery_id == bindparam("id_"), attempts.c.number == bindparam("number_"))
    .values(
        seconds=bindparam("seconds_"),
        outcome=bindparam("outcome_"),
        status=bindparam("status_"),
        detail=bindparam("detail_"),
    )
)


class Queue(View):
    """The part of a transaction that works the queue off."""

    # -- what is due --------------------------------------------------------------------------

    def next_due(self, names: Collection[str]) -> dict[str, datetime]:
        """When the next pending delivery of each destination falls due; those with none are left out."""
        if not names:
            return {}
        rows = self._connection.execute(_next_due(tuple(sorted(names))))
        return {name: due_at for name, due_at in rows if due_at is not None}

    def in_flight(self) -> dict[str, int]:
        """How many deliveries of each destination are being sent, by all workers together."""
        return dict(self._connection.execute(_IN_FLIGHT).all())

    def destination_states(self, names: Collection[str]) -> dict[str, DestinationState]:
        """The states of the named destinations, locked, so that two workers take turns."""
        rows = self._connection.execute(self._locking(_STATES), {"names": list(names)})
        known = {row.name: DestinationState(**row._mapping) for row in rows}
        return {name: known.get(name, DestinationState(name=name)) for name in names}

    def save_destination_states(self, states: Collection[DestinationState]) -> None:
        """Keep changed states; what was never there is added."""
        for state in sorted(states, key=lambda state: state.name):
            values = asdict(state)
            insert_into = postgresql.insert if self._skips_locked else sqlite.insert
            self._connection.execute(
                insert_into(destinations)
                .values(values)
                .on_conflict_do_update(index_elements=["name"], set_=values)
            )

    # -- claim, start, settle -----------------------------------------------------------------

    def claim(self, destination: str, count: int, *, token: str, lease: timedelta) -> list[Claim]:
        """Take up to `count` due deliveries of a destination, the longest due first, under a lease."""
        wanted = {"destination": destination, "now": self.now, "count": count}
        ids = self._connection.execute(self._locking(_DUE, skips=True), wanted).scalars().all()
        if not ids:
            return []
        self._connection.execute(_TAKE, {"ids": ids, "token_": token, "lease_until_": self.now + lease})
        return self._claims(ids)

    def start(self, claims: Sequence[Claim], lease: Mapping[str, timedelta]) -> list[Claim]:
        """Record the attempts of rendered claims before they are sent, and renew their leases.

        They must be `still_owned`, or claimed in this transaction. Returns them with their counts raised by
        one. `lease` is by destination.
        """
        started = [replace(claim, attempts=claim.attempts + 1, tries=claim.tries + 1) for claim in claims]
        if started:
            self._connection.execute(
                _START, [self._started(claim, lease[claim.destination]) for claim in started]
            )
            self._connection.execute(_OPEN_ATTEMPT, [self._opened(claim) for claim in started])
        return started

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write what became of deliveries that are `still_owned`, and of their open attempts."""
        if settlements:
            self._connection.execute(_SETTLE, [self._settled(each) for each in settlements])
        closed = [_closed(settlement) for settlement in settlements if settlement.outcome]
        if closed:
            self._connection.execute(_CLOSE_ATTEMPT, closed)

    def still_owned(self, claims: Sequence[Claim]) -> set[str]:
        """The ids of those claims that no other worker has taken over since, locked."""
        if not claims:
            return set()
        tokens = {claim.id: claim.token for claim in claims}
        rows = self._connection.execute(self._locking(_OWNED), {"ids": list(tokens)})
        return {row.id for row in rows if row.token == tokens[row.id]}

    def _claims(self, ids: Sequence[str]) -> list[Claim]:
        return [_claim(row) for row in self._connection.execute(_CLAIMS, {"ids": ids})]

    def _locking(self, statement: Select[Any], *, skips: bool = False) -> Executable:
        """The statement with its rows locked, where rows are locked one by one."""
        return _locked(statement, skips) if self._skips_locked else statement

    def _started(self, claim: Claim, lease: timedelta) -> dict[str, Any]:
        return {
            "id_": claim.id,
            "lease_until_": self.now + lease,
            "attempts_": claim.attempts,
            "tries_": claim.tries,
            "message_": claim.message,
            "degraded_": claim.degraded,
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
            "id_": claim.id,
            "state_": state.value,
            "reason_": settlement.reason,
            "due_at_": settlement.due_at,
            "tries_": settlement.tries,
            "accepted_": list(settlement.accepted) or None,
            "message_": claim.message,
            "delivered_at_": self.now if state is State.DELIVERED else None,
            "finished_at_": self.now if state in FINISHED else None,
        }


def _closed(settlement: Settlement) -> dict[str, Any]:
    return {
        "id_": settlement.claim.id,
        "number_": settlement.claim.attempts,
        "seconds_": settlement.seconds,
        "outcome_": settlement.outcome,
        "status_": settlement.status,
        "detail_": settlement.detail,
    }


@lru_cache(maxsize=16)
def _next_due(names: tuple[str, ...]) -> Executable:
    """One look into the index of due deliveries for each destination."""
    return union_all(
        *(
            select(
                literal(name),
                select(func.min(deliveries.c.due_at))
                .where(is_in(State.PENDING), deliveries.c.destination == name)
                .scalar_subquery(),
            )
            for name in names
        )
    )


@lru_cache(maxsize=16)
def _locked(statement: Select[Any], skips: bool) -> Select[Any]:
    return statement.with_for_update(skip_locked=skips)


def _claim(row: Any) -> Claim:
    return Claim(
        id=row.id,
        token=row.token,
        event=Event(
            id=row.event_id,
            source=row.source,
            message_id=row.message_id,
            type=row.event_type,
            payload=row.payload or b"{}",
            received_at=row.received_at,
        ),
        route=row.route,
        destination=row.destination,
        send=Send(to=row.destination, fields=row.send),
        attempts=row.attempts,
        tries=row.tries,
        message=row.message,
        degraded=row.degraded,
        accepted=tuple(row.accepted or ()),
    )
