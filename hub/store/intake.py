"""What fan-out writes: events, and the deliveries they are owed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from hub.models import UNMATCHED, Event, Routing, Send, State, new_id
from hub.store import statements
from hub.store.tables import deliveries, events
from hub.store.view import View, is_in


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A new event with what the rules said of it."""

    event: Event
    routing: Routing


class Intake(View):
    """The part of a transaction that takes events in.

    Rows are inserted many at once and past SQLAlchemy's own machinery: with all that arrives together in
    one statement, threads that verify other requests hold it up once and not for each row.
    """

    def take_in(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Keep events, each with every delivery it is owed; False, changing nothing, for those known."""
        added = self._insert_events(arrivals)
        rows = [
            row
            for arrival in arrivals
            if arrival.event.id in added
            for row in self._owed(arrival.event, arrival.routing)
        ]
        statements.insert(self._connection, deliveries, rows)
        return [arrival.event.id in added for arrival in arrivals]

    def add_event(self, event: Event, routing: Routing) -> bool:
        """Keep an event with what the rules said of it; False, changing nothing, where it is known."""
        return bool(self._insert_events([Arrival(event=event, routing=routing)]))

    def known_event(self, event: Event) -> tuple[Event, bool]:
        """The event kept under the same message id, locked, and whether its payload is still there.

        The payload is the new request's: the sender vouches for it under the same id.
        """
        statement = select(events.c.id, events.c.received_at, events.c.payload.is_not(None)).where(
            events.c.source == event.source, events.c.message_id == event.message_id
        )
        if self._skips_locked:
            statement = statement.with_for_update()
        row = self._connection.execute(statement).one()
        return replace(event, id=row[0], received_at=row[1]), bool(row[2])

    def is_routed(self, event_id: str) -> bool:
        """Whether any route ever took this event; the `unmatched` block does not count.

        Deliveries are pruned, and a replay overwrites the verdicts: both are asked.
        """
        owed = select(deliveries.c.id).where(
            deliveries.c.event_id == event_id, deliveries.c.route != UNMATCHED
        )
        verdicts, is_owed = self._connection.execute(
            select(events.c.verdicts, owed.exists()).where(events.c.id == event_id)
        ).one()
        return is_owed or any(verdict["matched"] for verdict in verdicts)

    def set_verdicts(self, event_id: str, routing: Routing) -> None:
        """Keep what today's rules say of an event that is already kept, to be owed that as well."""
        verdicts = [vars(verdict) for verdict in routing.verdicts]
        owed = events.c.owed + routing.owed
        self._connection.execute(
            update(events).where(events.c.id == event_id).values(verdicts=verdicts, owed=owed)
        )

    def restore_payload(self, event: Event) -> None:
        """Take a known event's payload from its sender's new request: its secrets may have been blanked."""
        self._connection.execute(
            update(events).where(events.c.id == event.id).values(payload=event.payload, blanked=False)
        )

    def add_deliveries(self, event: Event, routing: Routing) -> int:
        """Owe the event to everything its routing names, due now; returns how many."""
        rows = self._owed(event, routing)
        statements.insert(self._connection, deliveries, rows)
        return len(rows)

    def revive_dead(self, event_id: str) -> int:
        """Make the dead deliveries of an event pending with a new schedule; returns how many."""
        revived = self._connection.execute(
            update(deliveries)
            .where(deliveries.c.event_id == event_id, is_in(State.DEAD))
            .values(state=State.PENDING, reason=None, due_at=self.now, owed_since=self.now, tries=0)
        )
        return revived.rowcount

    def _insert_events(self, arrivals: Sequence[Arrival]) -> set[str]:
        """The ids of those that were not known.

        In the order of what makes them unique, so that two processes do not wait for each other.
        """
        rows = {arrival.event.id: _event_row(arrival) for arrival in arrivals}
        ordered = sorted(rows.values(), key=lambda row: (row["source"], row["message_id"]))
        if statements.insert(self._connection, events, ordered, unless_known=True) == len(rows):
            return set(rows)
        kept = select(events.c.id).where(events.c.id.in_(list(rows)))
        return set(self._connection.execute(kept).scalars())

    def _owed(self, event: Event, routing: Routing) -> list[dict[str, Any]]:
        """The rows of all that the routing names."""
        rows = []
        for matched in routing.matched:
            positions: Counter[str] = Counter()
            for send in matched.sends:
                rows.append(_delivery_row(event, matched.route, positions[send.to], send, self.now))
                positions[send.to] += 1
        return rows


def _event_row(arrival: Arrival) -> dict[str, Any]:
    event = arrival.event
    return {
        "id": event.id,
        "source": event.source,
        "message_id": event.message_id,
        "type": event.type,
        "payload": event.payload,
        "received_at": event.received_at,
        "verdicts": [vars(verdict) for verdict in arrival.routing.verdicts],
        "owed": arrival.routing.owed,
    }


def _delivery_row(event: Event, route: str, position: int, send: Send, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id("dlv", now),
        "event_id": event.id,
        "event_type": event.type,
        "route": route,
        "position": position,
        "destination": send.to,
        "send": dict(send.fields),
        "state": State.PENDING.value,
        "due_at": now,
        "owed_since": now,
        "attempts": 0,
        "tries": 0,
        "created_at": now,
    }
