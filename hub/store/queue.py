"""What the worker does to the deliveries table, which is the queue: claim, start, settle, return.

Every change of a claimed delivery is fenced by its claim token: a worker that comes late finds no row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, insert, literal, or_, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.models import FINISHED, Claim, DestinationState, Event, Send, Settlement, State
from hub.store.tables import attempts, deliveries, destinations, events, workers
from hub.store.view import View, is_in


class Queue(View):
    """The part of a transaction that works the queue off."""

    # -- what is due --------------------------------------------------------------------------

    def next_due(self, names: Collection[str]) -> dict[str, datetime]:
        """When the next pending delivery of each destination falls due; those with none are left out."""
        if not names:
            return {}
        pending = is_in(State.PENDING)
        each = [
            select(
                literal(name).label("name"),
                select(func.min(deliveries.c.due_at))
                .where(pending, deliveries.c.destination == name)
                .scalar_subquery()
                .label("due_at"),
            )
            for name in sorted(names)
        ]
        return {name: due_at for name, due_at in self._connection.execute(union_all(*each)) if due_at}

    def in_flight(self) -> dict[str, int]:
        """How many deliveries of each destination are being sent, by all workers together."""
        counted = (
            select(deliveries.c.destination, func.count())
            .where(is_in(State.SENDING))
            .group_by(deliveries.c.destination)
        )
        return dict(self._connection.execute(counted).tuples().all())

    def destination_states(self, names: Collection[str]) -> dict[str, DestinationState]:
        """The states of the named destinations, locked, so that two workers take turns."""
        statement = select(destinations).where(destinations.c.name.in_(names)).order_by(destinations.c.name)
        if self._skips_locked:
            statement = statement.with_for_update()
        known = {row.name: DestinationState(**row._mapping) for row in self._connection.execute(statement)}
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
        due = (
            select(deliveries.c.id)
            .where(
                is_in(State.PENDING),
                deliveries.c.destination == destination,
                deliveries.c.due_at <= self.now,
            )
            .order_by(deliveries.c.due_at)
            .limit(count)
        )
        if self._skips_locked:
            due = due.with_for_update(skip_locked=True)
        # A list of ids, not a subquery: planners may run a LIMIT with SKIP LOCKED more than once.
        ids = self._connection.execute(due).scalars().all()
        if not ids:
            return []
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id.in_(ids))
            .values(state=State.SENDING, token=token, lease_until=self.now + lease)
        )
        return self._claims(deliveries.c.id.in_(ids))

    def _claims(self, condition: Any) -> list[Claim]:
        rows = self._connection.execute(
            select(deliveries, events.c.source, events.c.message_id, events.c.payload, events.c.received_at)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(condition)
            .order_by(deliveries.c.due_at)
        )
        return [_claim(row) for row in rows]

    def start(self, claims: Sequence[Claim], lease: Mapping[str, timedelta]) -> list[Claim]:
        """Record an attempt of each rendered claim before it is sent, and renew its lease.

        Returns those that are still this worker's, with their counts raised by one: send no others.
        `lease` is by destination.
        """
        owned = self.still_owned(claims)
        started = [
            replace(claim, attempts=claim.attempts + 1, tries=claim.tries + 1)
            for claim in claims
            if claim.id in owned
        ]
        if not started:
            return []
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == bindparam("id_"))
            .values(
                lease_until=bindparam("lease_until_"),
                attempts=bindparam("attempts_"),
                tries=bindparam("tries_"),
                message=bindparam("message_"),
                degraded=bindparam("degraded_"),
            ),
            [
                {
                    "id_": claim.id,
                    "lease_until_": self.now + lease[claim.destination],
                    "attempts_": claim.attempts,
                    "tries_": claim.tries,
                    "message_": claim.message,
                    "degraded_": claim.degraded,
                }
                for claim in started
            ],
        )
        self._connection.execute(
            insert(attempts),
            [
                {
                    "delivery_id": claim.id,
                    "number": claim.attempts,
                    "destination": claim.destination,
                    "at": self.now,
                }
                for claim in started
            ],
        )
        return started

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """Write what became of deliveries that are `still_owned`, and of their open attempts."""
        if not settlements:
            return
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == bindparam("id_"))
            .values(
                state=bindparam("state_"),
                reason=bindparam("reason_"),
                due_at=func.coalesce(
                    bindparam("due_at_", type_=deliveries.c.due_at.type), deliveries.c.due_at
                ),
                tries=bindparam("tries_"),
                accepted=bindparam("accepted_"),
                message=func.coalesce(
                    deliveries.c.message, bindparam("message_", type_=deliveries.c.message.type)
                ),
                delivered_at=bindparam("delivered_at_"),
                finished_at=bindparam("finished_at_"),
                token=None,
                lease_until=None,
            ),
            [self._settled(settlement) for settlement in settlements],
        )
        closed = [self._closed(settlement) for settlement in settlements if settlement.outcome]
        if closed:
            self._connection.execute(
                update(attempts)
                .where(
                    attempts.c.delivery_id == bindparam("id_"),
                    attempts.c.number == bindparam("number_"),
                )
                .values(
                    seconds=bindparam("seconds_"),
                    outcome=bindparam("outcome_"),
                    status=bindparam("status_"),
                    detail=bindparam("detail_"),
                ),
                closed,
            )

    def expired(self) -> list[tuple[Claim, bool]]:
        """Claims whose lease ran out, each with whether an attempt was under way: their process died."""
        ids_statement = select(deliveries.c.id).where(
            is_in(State.SENDING), deliveries.c.lease_until < self.now
        )
        if self._skips_locked:
            ids_statement = ids_statement.with_for_update(skip_locked=True)
        ids = self._connection.execute(ids_statement).scalars().all()
        if not ids:
            return []
        open_attempts = set(
            self._connection.execute(
                select(attempts.c.delivery_id).where(
                    attempts.c.delivery_id.in_(ids), attempts.c.outcome.is_(None)
                )
            ).scalars()
        )
        return [(claim, claim.id in open_attempts) for claim in self._claims(deliveries.c.id.in_(ids))]

    def give_up(self, destination: str, *, after: timedelta) -> int:
        """Let die what has waited too long for an available destination; returns how many."""
        available = select(destinations.c.available_since).where(destinations.c.name == destination)
        since = self._connection.execute(available).scalar()
        before = self.now - after
        if since is not None and since > before:
            return 0
        dead = self._connection.execute(
            update(deliveries)
            .where(
                is_in(State.PENDING),
                deliveries.c.destination == destination,
                deliveries.c.owed_since < before,
            )
            .values(state=State.DEAD, reason="gave up: it waited longer than give_up_after")
        )
        return dead.rowcount

    # -- the worker itself --------------------------------------------------------------------

    def mark_configured(self, configured: Mapping[str, bool]) -> None:
        """Note which destinations can be sent to: for others `give_up_after` stands still."""
        states = self.destination_states(tuple(configured))
        known = set(self._connection.execute(select(destinations.c.name)).scalars())
        changed = []
        for name, is_configured in configured.items():
            state = states[name]
            if name in known and state.configured == is_configured:
                continue
            since = self.now if is_configured and name in known else state.available_since
            values = {**asdict(state), "configured": is_configured, "available_since": since}
            changed.append(DestinationState(**values))
        self.save_destination_states(changed)

    def beat(self, worker: str, *, forget_after: timedelta) -> None:
        """A worker's sign of life; workers that were silent for long are forgotten."""
        self._connection.execute(delete(workers).where(workers.c.beat_at < self.now - forget_after))
        insert_into = postgresql.insert if self._skips_locked else sqlite.insert
        self._connection.execute(
            insert_into(workers)
            .values(id=worker, beat_at=self.now)
            .on_conflict_do_update(index_elements=["id"], set_={"beat_at": self.now})
        )

    def leave(self, worker: str) -> None:
        """A worker stops in good order."""
        self._connection.execute(delete(workers).where(workers.c.id == worker))

    def still_owned(self, claims: Sequence[Claim]) -> set[str]:
        """The ids of those claims that no other worker has taken over since, locked."""
        tokens: dict[str, list[str]] = {}
        for claim in claims:
            tokens.setdefault(claim.token, []).append(claim.id)
        if not tokens:
            return set()
        statement = (
            select(deliveries.c.id)
            .where(
                or_(
                    *(
                        and_(deliveries.c.token == token, deliveries.c.id.in_(ids))
                        for token, ids in tokens.items()
                    )
                ),
                is_in(State.SENDING),
            )
            .order_by(deliveries.c.id)
        )
        if self._skips_locked:
            statement = statement.with_for_update()
        return set(self._connection.execute(statement).scalars())

    def _settled(self, settlement: Settlement) -> dict[str, Any]:
        claim, state = settlement.claim, settlement.state
        return {
            "id_": claim.id,
            "state_": state,
            "reason_": settlement.reason,
            "due_at_": settlement.due_at,
            "tries_": settlement.tries,
            "accepted_": list(settlement.accepted) or None,
            "message_": claim.message,
            "delivered_at_": self.now if state is State.DELIVERED else None,
            "finished_at_": self.now if state in FINISHED else None,
        }

    def _closed(self, settlement: Settlement) -> dict[str, Any]:
        return {
            "id_": settlement.claim.id,
            "number_": settlement.claim.attempts,
            "seconds_": settlement.seconds,
            "outcome_": settlement.outcome,
            "status_": settlement.status,
            "detail_": settlement.detail,
        }


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
