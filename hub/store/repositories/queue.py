"""The deliveries table as the queue: what is due is claimed, and what became of it is settled.

A claim is the start of an attempt. Every change of a claimed delivery is fenced by its claim token: a worker
that comes late finds that it owns it no longer.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update

from hub.model.delivery import FINISHED, Claim, Settlement, State
from hub.model.destination import DestinationState
from hub.model.event import Event
from hub.model.routing import Send
from hub.store.repositories.destinations import lock_query, states_of
from hub.store.session import (
    Query,
    Repository,
    Result,
    from_microseconds,
    storable,
    to_json,
    to_microseconds,
)
from hub.store.tables import attempts, deliveries, is_in

COUNTED = 100
"""So many at most are counted of what is due to a destination: `concurrency` may be no more."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The deliveries that wait for a destination, counted.

    `due` counts what is due, up to `COUNTED`; `next_at` is when the next of what is not falls due;
    `in_flight` counts what all workers together send.
    """

    due: int
    next_at: datetime | None
    in_flight: int


@dataclass(frozen=True, kw_only=True)
class Locked:
    """Destinations and claims that are locked, and what waits.

    `owned` are the ids of the claims that nothing happened to since: another worker may have taken one over.
    `waiting` may know of more that is due than `states` are locked for, where it fell due meanwhile; a
    destination that has no row is in neither.
    """

    states: dict[str, DestinationState]
    owned: set[str]
    waiting: dict[str, Waiting]


@dataclass(frozen=True, kw_only=True)
class ClaimRequest:
    """Up to `count` due deliveries of a destination, to be claimed under a token of its own and a lease.

    Of those not tried since they became owed `first_count` are taken, if so many are due, and the rest of
    those that were tried; where one kind is too few, of the other. `probe` goes into the claims: the
    destination's breaker is open.
    """

    destination: str
    count: int
    first_count: int = 0
    token: str
    lease: timedelta
    probe: int | None = None


@dataclass(frozen=True)
class PendingClaims:
    """Claims that were asked for; they can be read once the transaction has committed."""

    results: tuple[tuple[ClaimRequest, Result], ...]

    def read(self) -> tuple[list[Claim], list[str]]:
        """Return the claims, and the ids of those deliveries whose row holds what nobody can read."""
        claims, unreadable = [], []
        for request, result in self.results:
            for row in result.rows:
                try:
                    claims.append(_claim(request, *row))
                except (ValueError, TypeError):
                    unreadable.append(row[0])
        return claims, unreadable


class Queue(Repository):
    """Deliveries as workers claim and settle them. Destinations are locked first, then deliveries."""

    def lock(
        self, names: Collection[str] = (), claims: Collection[Claim] = (), *, due_of: Collection[str] = ()
    ) -> Locked:
        """Lock destinations, so that two workers take turns, and then claims; and see what waits.

        This is the one order in which rows are locked: destinations by their names, then deliveries by their
        ids. Of `due_of` those are locked that something is due for.
        """
        asked = {
            "states": lock_query(names, due_of) if names or due_of else None,
            "owned": Query("lock_claims", {"ids": to_json([claim.id for claim in claims])})
            if claims
            else None,
            # Another statement than the one that locks: it sees what was committed before that had its locks.
            "waiting": Query("count_waiting", {"names": to_json(list(due_of))}) if due_of else None,
        }
        queries = {name: query for name, query in asked.items() if query}
        rows = dict(zip(queries, self._session.execute(*queries.values()), strict=True))
        tokens = {(claim.id, claim.token) for claim in claims}
        return Locked(
            states={name: DestinationState(name=name) for name in names} | states_of(rows.get("states", [])),
            owned={
                delivery_id for delivery_id, token in rows.get("owned", []) if (delivery_id, token) in tokens
            },
            waiting={
                name: Waiting(
                    due=due,
                    next_at=None if next_at is None else from_microseconds(next_at),
                    in_flight=in_flight,
                )
                for name, due, next_at, in_flight in rows.get("waiting", [])
            },
        )

    def claim(self, requests: Sequence[ClaimRequest]) -> PendingClaims:
        """Claim deliveries that are due, each as an attempt that begins now.

        It goes with what is executed next, or with the commit: the first byte is sent one round trip sooner.
        """
        now = self._session.now
        queries = [
            Query(
                "claim",
                {
                    "destination": request.destination,
                    "count": request.count,
                    "first_count": request.first_count,
                    "token": request.token,
                    "now": to_microseconds(now),
                    "lease_until": to_microseconds(now + request.lease),
                },
            )
            for request in requests
        ]
        return PendingClaims(tuple(zip(requests, self._session.defer(*queries), strict=True)))

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write what became of deliveries that are `owned`, and of attempts; those that never began go."""
        if not settlements:
            return
        ended = [settlement for settlement in settlements if settlement.outcome]
        unbegun = [settlement for settlement in settlements if not settlement.outcome]
        rows = {
            "settle": [self._settled(settlement) for settlement in settlements],
            "close_attempts": [_closed(settlement) for settlement in ended],
            "remove_attempts": [
                {"delivery_id": settlement.claim.id, "number": settlement.claim.attempts}
                for settlement in unbegun
            ],
        }
        self._session.defer(
            *(
                Query(name, {"rows": to_json(values), "count": len(values)})
                for name, values in rows.items()
                if values
            )
        )

    def put_off(self, delivery_id: str, wait: timedelta, reason: str) -> None:
        """Let a delivery that was claimed, but cannot be read, wait without an attempt."""
        row = self._session.connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id, is_in(State.SENDING))
            .values(
                state=State.PENDING,
                due_at=self._session.now + wait,
                reason=reason,
                attempts=deliveries.c.attempts - 1,
                tries=deliveries.c.tries - 1,
                token=None,
                lease_until=None,
            )
            .returning(deliveries.c.attempts)
        ).first()
        if row is not None:
            its_attempt = (attempts.c.delivery_id == delivery_id, attempts.c.number == row.attempts + 1)
            self._session.connection.execute(delete(attempts).where(*its_attempt))

    def needs(self) -> list[tuple[str, ...]]:
        """Return what deliveries wait for, by one look into an index for each list of names."""
        lists: list[tuple[str, ...]] = []
        names: str | None = ""
        while names is not None:
            following = select(func.min(deliveries.c.needs)).where(deliveries.c.needs > names)
            names = self._session.connection.execute(following).scalar()
            lists += [tuple(names.split(","))] if names is not None else []
        return lists

    def release(self, names: Sequence[str], *, limit: int) -> int:
        """Make due what waited for these very names; return how many, at most `limit`."""
        ids = select(deliveries.c.id).where(deliveries.c.needs == ",".join(names)).order_by(deliveries.c.id)
        locked = self._session.connection.execute(self._session.locking(ids.limit(limit), skips=True))
        released = locked.scalars().all()
        due = update(deliveries).where(deliveries.c.id.in_(released))
        now = self._session.now
        self._session.connection.execute(due.values(needs=None, due_at=now, owed_since=now))
        return len(released)

    def _settled(self, settlement: Settlement) -> dict[str, Any]:
        claim, state = settlement.claim, settlement.state
        now = to_microseconds(self._session.now)
        return {
            "id": claim.id,
            "state": state.value,
            "reason": storable(settlement.reason),
            "due_at": to_microseconds(settlement.due_at) if settlement.due_at else None,
            "needs": ",".join(settlement.needs) or None,
            "attempts": claim.attempts if settlement.outcome else claim.attempts - 1,
            "tries": settlement.tries,
            "accepted": to_json(settlement.accepted) if settlement.accepted else None,
            "message": None if claim.message is None else to_json(claim.message),
            "rendering": claim.rendering,
            "began": settlement.outcome is not None,
            "degraded": storable(claim.degraded),
            "delivered_at": now if state is State.DELIVERED else None,
            "finished_at": now if state in FINISHED or settlement.too_old else None,
        }


def _claim(
    request: ClaimRequest,
    delivery_id: str,
    token: str,
    route: str,
    version: str | None,
    send: str,
    attempts_made: int,
    tries: int,
    message: str | None,
    rendering: int,
    degraded: str | None,
    accepted: str | None,
    valid_until: int | None,
    *event: Any,
) -> Claim:
    """The claim in a row; raises ValueError or TypeError where its JSON is none."""
    event_id, source, message_id, event_type, payload, received_at = event
    return Claim(
        id=delivery_id,
        token=token,
        event=Event(
            id=event_id,
            source=source,
            message_id=message_id,
            type=event_type,
            payload=payload or b"{}",
            received_at=from_microseconds(received_at),
        ),
        route=route,
        destination=request.destination,
        version=version,
        send=Send(to=request.destination, fields={} if send == "{}" else json.loads(send)),
        attempts=attempts_made,
        tries=tries,
        message=None if message is None else json.loads(message),
        rendering=rendering,
        degraded=degraded,
        accepted=() if accepted is None else tuple(json.loads(accepted)),
        probe=request.probe,
        valid_until=None if valid_until is None else from_microseconds(valid_until),
    )


def _closed(settlement: Settlement) -> dict[str, Any]:
    return {
        "delivery_id": settlement.claim.id,
        "number": settlement.claim.attempts,
        "seconds": settlement.seconds,
        "outcome": settlement.outcome and settlement.outcome.value,
        "status": settlement.status,
        "detail": storable(settlement.detail),
        "answer": storable(settlement.answer or None),
    }
