"""What fan-out writes: events, and the deliveries they are owed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.models import UNMATCHED, Event, Routing, State, new_id
from hub.store.tables import deliveries, events
from hub.store.view import View, is_in

_ADD_EVENT_SQLITE, _ADD_EVENT_POSTGRES = (
    insert_into(events).on_conflict_do_nothing(index_elements=["source", "message_id"]).returning(events.c.id)
    for insert_into in (sqlite.insert, postgresql.insert)
)
_ADD_DELIVERIES = insert(deliveries)


class Intake(View):
    """The part of a transaction that takes events in."""

    def add_event(self, event: Event, routing: Routing) -> bool:
        """Keep an event with what the rules said of it; False, changing nothing, where it is known."""
        statement = _ADD_EVENT_POSTGRES if self._skips_locked else _ADD_EVENT_SQLITE
        row = {
            "id": event.id,
            "source": event.source,
            "message_id": event.message_id,
            "type": event.type,
            "payload": event.payload,
            "received_at": event.received_at,
            "verdicts": [vars(verdict) for verdict in routing.verdicts],
        }
        return self._connection.execute(statement, row).first() is not None

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
        """Keep what today's rules say of an event that is already kept."""
        verdicts = [vars(verdict) for verdict in routing.verdicts]
        self._connection.execute(update(events).where(events.c.id == event_id).values(verdicts=verdicts))

    def restore_payload(self, event: Event) -> None:
        """Take a known event's payload from its sender's new request: its secrets may have been blanked."""
        self._connection.execute(
            update(events).where(events.c.id == event.id).values(payload=event.payload, blanked=False)
        )

    def add_deliveries(self, event: Event, routing: Routing) -> int:
        """Owe the event to everything its routing names, due now; returns how many."""
        rows = []
        for matched in routing.matched:
            positions: Counter[str] = Counter()
            for send in matched.sends:
                rows.append(self._owed(event, matched.route, positions[send.to], send.to, send.fields))
                positions[send.to] += 1
        if rows:
            self._connection.execute(_ADD_DELIVERIES, rows)
        return len(rows)

    def revive_dead(self, event_id: str) -> int:
        """Make the dead deliveries of an event pending with a new schedule; returns how many."""
        revived = self._connection.execute(
            update(deliveries)
            .where(deliveries.c.event_id == event_id, is_in(State.DEAD))
            .values(state=State.PENDING, reason=None, due_at=self.now, owed_since=self.now, tries=0)
        )
        return revived.rowcount

    def _owed(self, event: Event, route: str, position: int, destination: str, fields: Any) -> dict[str, Any]:
        return {
            "id": new_id("dlv", self.now),
            "event_id": event.id,
            "event_type": event.type,
            "route": route,
            "position": position,
            "destination": destination,
            "send": dict(fields),
            "state": State.PENDING,
            "due_at": self.now,
            "owed_since": self.now,
            "attempts": 0,
            "tries": 0,
            "created_at": self.now,
        }
