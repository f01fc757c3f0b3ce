"""What the worker does to the deliveries table, which is the queue: claim, start, settle.

Every change of a claimed delivery is fenced by its claim token: a worker that comes late finds no row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, or_, select, update

from hub.model.delivery import FINISHED, Claim, Settlement, State
from hub.model.destination import DestinationState
from hub.store.engine.changes import Insert, Update
from hub.store.engine.session import Session
from hub.store.repositories.waiting import CLAIMED, DUE, OWNED, STATES, WAITING, Waiting, claim_of, states_of
from hub.store.tables import as_microseconds, attempts, deliveries, is_in


@dataclass(frozen=True, kw_only=True)
class Held:
    """Destinations and claims that are locked, and what waits.

    `owned` are the ids of the claims that nothing happened to since: another worker may have taken one over,
    or this one started it and never heard that it was committed. `waiting` may know of more that is due than
    `states` are locked for, where it fell due meanwhile.
    """

    states: dict[str, DestinationState]
    owned: set[str]
    waiting: dict[str, Waiting]


@dataclass(frozen=True)
class Wanted:
    """Up to `count` due deliveries of a destination, to be claimed under a lease.

    Of those not tried since they became owed `first_count` are taken, if so many are due; the rest is
    the longest due of all.
    """

    destination: str
    count: int
    _: KW_ONLY
    first_count: int = 0
    token: str
    lease: timedelta


_GIVE_UP = (
    update(deliveries)
    .where(
        is_in(State.PENDING),
        deliveries.c.destination == bindparam("destination_"),
        deliveries.c.owed_since < bindparam("before_", type_=deliveries.c.owed_since.type),
    )
    .values(state=State.DEAD.value, reason="gave up: it waited longer than give_up_after")
)


class Queue:
    """The queue: what is due, claimed and settled."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(
        self,
        names: Collection[str] = (),
        claims: Collection[Claim] = (),
        *,
        due_of: Collection[str] = (),
    ) -> Held:
        """Lock destinations, so that two workers take turns, and then claims; and see what waits.

        Of `due_of` those are locked that something is due for; all must be marked, configured or not.
        """
        now = {} if self._session.is_remote else {"now": as_microseconds(self._session.now)}
        asks = names or due_of
        states, owned, waiting = self._session.ask(
            STATES(names=list(names), due_of=list(due_of), **now) if asks else None,
            OWNED(ids=[claim.id for claim in claims]) if claims else None,
            # Another statement than the one that locks: it sees what was committed before that had its locks.
            WAITING(names=list(due_of), **now) if due_of else None,
        )
        known = {(claim.id, claim.token, claim.attempts) for claim in claims}
        return Held(
            states={name: DestinationState(name=name) for name in names} | states_of(states),
            owned={row[0] for row in owned if row in known},
            waiting={name: Waiting(*rest) for name, *rest in waiting},
        )

    # -- claim, start, settle -----------------------------------------------------------------

    def claim(self, *wanted: Wanted, compose: Callable[[Claim], Claim] | None = None) -> list[Claim]:
        """Take deliveries that are due.

        `compose` may give them their message. With it, those that have one are only locked, for `start` in
        the same transaction to take.
        """
        now = as_microseconds(self._session.now)
        answers = self._session.ask(
            *(
                DUE(destination=each.destination, now=now, count=each.count, first_count=each.first_count)
                for each in wanted
            )
        )
        claims, rows = [], []
        for each, found in zip(wanted, answers, strict=True):
            taken = {
                "state": State.SENDING.value,
                "token": each.token,
                "lease_until": self._session.now + each.lease,
            }
            for row in found:
                claim = replace(claim_of(row), token=each.token)
                claim = compose(claim) if compose else claim
                claims.append(claim)
                rows += [{"id": claim.id, **taken}] if compose is None or claim.message is None else []
        self._session.write(Update(table=deliveries, rows=rows))
        return claims

    def put_off(self, destination: str, wait: timedelta, reason: str) -> None:
        """Let the delivery of a destination that is due first wait, and the others go before it."""
        first = self._session.locking(
            select(deliveries.c.id)
            .where(
                is_in(State.PENDING),
                deliveries.c.destination == destination,
                deliveries.c.due_at <= self._session.now,
            )
            .order_by(deliveries.c.due_at)
            .limit(1),
            skips=True,
        )
        rows = [
            {"id": delivery_id, "due_at": self._session.now + wait, "reason": reason}
            for delivery_id in self._session.connection.execute(first).scalars()
        ]
        self._session.write(Update(table=deliveries, rows=rows))

    def start(self, claims: Sequence[Claim], lease: Mapping[str, timedelta]) -> list[Claim]:
        """Record the attempts of rendered claims before they are sent, and renew their leases.

        They must be `owned`, or claimed in this transaction. Returns them with their counts raised by
        one. `lease` is by destination.
        """
        started = [replace(claim, attempts=claim.attempts + 1, tries=claim.tries + 1) for claim in claims]
        self._session.write(
            Update(table=deliveries, rows=[self._started(each, lease[each.destination]) for each in started]),
            Insert(table=attempts, rows=[self._opened(each) for each in started]),
        )
        return started

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write what became of deliveries that are `owned`, and of their open attempts."""
        closed = [_closed(settlement) for settlement in settlements if settlement.outcome]
        self._session.write(
            Update(
                table=deliveries,
                rows=[self._settled(each) for each in settlements],
                keeps=("due_at", "message"),
            ),
            Update(table=attempts, rows=closed, keys=2),
        )

    def expired(
        self, known: Collection[str] | None = None, *, others_after: timedelta = timedelta()
    ) -> list[tuple[Claim, bool]]:
        """Claims whose lease ran out, each with whether an attempt was under way: their process died.

        Those of destinations that are not `known` here only so long after, for a worker that knows them to
        come first; None knows all.
        """
        ids_statement = select(deliveries.c.id).where(
            is_in(State.SENDING), deliveries.c.lease_until < self._session.now
        )
        if known is not None:
            is_left = deliveries.c.lease_until < self._session.now - others_after
            ids_statement = ids_statement.where(or_(deliveries.c.destination.in_(known), is_left))
        if self._session.is_remote:
            ids_statement = ids_statement.with_for_update(skip_locked=True)
        ids = self._session.connection.execute(ids_statement).scalars().all()
        if not ids:
            return []
        open_attempts = set(
            self._session.connection.execute(
                select(attempts.c.delivery_id).where(
                    attempts.c.delivery_id.in_(ids), attempts.c.outcome.is_(None)
                )
            ).scalars()
        )
        return [(claim, claim.id in open_attempts) for claim in self._claims(ids)]

    def expire(self, destination: str, *, after: timedelta, event_type: str | None = None) -> int:
        """Let die what has waited too long for an available destination; returns how many.

        With `event_type` only what is owed for such events.

        Nothing does while the destination is paused, and a resume begins the count anew.
        """
        state = self.lock([destination]).states[destination]
        before = self._session.now - after
        if state.paused_at is not None or (state.available_since or before) > before:
            return 0
        statement = _GIVE_UP if event_type is None else _GIVE_UP.where(deliveries.c.event_type == event_type)
        return self._session.connection.execute(
            statement, {"destination_": destination, "before_": before}
        ).rowcount

    def _claims(self, ids: Sequence[str]) -> list[Claim]:
        (rows,) = self._session.ask(CLAIMED(ids=list(ids)))
        return [claim_of(row) for row in rows]

    def _started(self, claim: Claim, lease: timedelta) -> dict[str, Any]:
        return {
            "id": claim.id,
            "state": State.SENDING.value,
            "token": claim.token,
            "lease_until": self._session.now + lease,
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
            "at": self._session.now,
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
            "delivered_at": self._session.now if state is State.DELIVERED else None,
            "finished_at": self._session.now if state in FINISHED else None,
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
