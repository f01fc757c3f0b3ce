"""What fan-out writes: events, and the deliveries they are owed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update

from hub.errors import Conflict, NotFound
from hub.model.delivery import State
from hub.model.event import Event, new_id
from hub.model.routing import UNMATCHED, Routing
from hub.store.engine.changes import Insert, InsertWith
from hub.store.engine.session import Session
from hub.store.tables import deliveries, events, is_in

_NOTICE_LIMIT_BYTES = 4000


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A new event with what the rules said of it."""

    event: Event
    routing: Routing


def at_once(arrivals: Sequence[Arrival], notifies: tuple[str, str] | None) -> InsertWith:
    """What `Intake.take_in` does, as one statement of PostgreSQL that answers with the ids of the new.

    `notifies` is a channel that hears of it where any is new, and what it hears.
    """
    made_at = datetime.now(UTC)
    return InsertWith(
        new=_new_events(arrivals),
        others=Insert(
            table=deliveries,
            rows=[row for arrival in arrivals for row in _owed(arrival.event, arrival.routing, made_at)],
        ),
        belongs="event_id",
        at=_DUE_AT_ONCE,
        notifies=notifies,
    )


def named(arrival: Arrival) -> str:
    """The destinations with commas between, each as often as it is owed something.

    Nothing where a send block has fields, so that rendering comes first, or where they are more than a
    NOTIFY takes.
    """
    sends = [send for matched in arrival.routing.matched for send in matched.sends]
    names = ",".join(send.to for send in sends)
    return names if len(names) <= _NOTICE_LIMIT_BYTES and not any(send.fields for send in sends) else ""


class Events:
    """Events and what they are owed.

    Rows are inserted many at once and past SQLAlchemy's own machinery: with all that arrives together in
    one statement, threads that verify other requests hold it up once and not for each row.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def take_in(self, arrivals: Sequence[Arrival]) -> list[bool]:
        """Keep events, each with every delivery it is owed; False, changing nothing, for those known."""
        added = self._insert_events(arrivals)
        self._insert_deliveries([each for each in arrivals if each.event.id in added])
        return [each.event.id in added for each in arrivals]

    def add(self, event: Event, routing: Routing) -> bool:
        """Keep an event with what the rules said of it; False, changing nothing, where it is known."""
        return bool(self._insert_events([Arrival(event=event, routing=routing)]))

    def known(self, event: Event) -> tuple[Event, bool]:
        """The event kept under the same message id, locked, and whether its payload is still there.

        The payload is the new request's: the sender vouches for it under the same id.
        """
        statement = select(events.c.id, events.c.received_at, events.c.payload.is_not(None)).where(
            events.c.source == event.source, events.c.message_id == event.message_id
        )
        if self._session.is_remote:
            statement = statement.with_for_update()
        row = self._session.connection.execute(statement).one()
        return replace(event, id=row[0], received_at=row[1]), bool(row[2])

    def is_routed(self, event_id: str) -> bool:
        """Whether any route ever took this event; the `unmatched` block does not count.

        Deliveries are pruned, and a replay overwrites the verdicts: both are asked.
        """
        owed = select(deliveries.c.id).where(
            deliveries.c.event_id == event_id, deliveries.c.route != UNMATCHED
        )
        verdicts, is_owed = self._session.connection.execute(
            select(events.c.verdicts, owed.exists()).where(events.c.id == event_id)
        ).one()
        return is_owed or any(verdict["matched"] for verdict in verdicts)

    def set_verdicts(self, event_id: str, routing: Routing) -> None:
        """Keep what today's rules say of an event that is already kept, to be owed that as well."""
        verdicts = [vars(verdict) for verdict in routing.verdicts]
        owed = events.c.owed + routing.owed
        self._session.connection.execute(
            update(events).where(events.c.id == event_id).values(verdicts=verdicts, owed=owed)
        )

    def restore_payload(self, event: Event) -> None:
        """Take a known event's payload from its sender's new request: its secrets may have been blanked."""
        self._session.connection.execute(
            update(events).where(events.c.id == event.id).values(payload=event.payload, blanked=False)
        )

    def add_deliveries(self, event: Event, routing: Routing) -> int:
        """Owe the event to everything its routing names, due now; returns how many."""
        return self._insert_deliveries([Arrival(event=event, routing=routing)])

    def revive_dead(self, event_id: str) -> int:
        """Make the dead deliveries of an event pending with a new schedule; returns how many."""
        revived = self._session.connection.execute(
            update(deliveries)
            .where(deliveries.c.event_id == event_id, is_in(State.DEAD))
            .values(
                state=State.PENDING,
                reason=None,
                due_at=self._session.now,
                owed_since=self._session.now,
                tries=0,
            )
        )
        return revived.rowcount

    def to_replay(self, event_id: str) -> Event:
        """A kept event; raises NotFound, or Conflict where its payload is no longer what it was."""
        row = self._session.connection.execute(
            select(
                events.c.source,
                events.c.message_id,
                events.c.type,
                events.c.payload,
                events.c.received_at,
                events.c.blanked,
            ).where(events.c.id == event_id)
        ).first()
        if row is None:
            raise NotFound(f"there is no event {event_id}")
        if row.payload is None:
            raise Conflict("its payload was pruned (HUB_RETENTION); nothing is left to send")
        if row.blanked:
            raise Conflict(
                "its one-time secrets were removed once it was delivered; only its source can make it anew"
            )
        return Event(
            id=event_id,
            source=row.source,
            message_id=row.message_id,
            type=row.type,
            payload=row.payload,
            received_at=row.received_at,
        )

    def _insert_events(self, arrivals: Sequence[Arrival]) -> set[str]:
        """The ids of those that were not known."""
        answers = self._session.ask(*_new_events(arrivals).parts())
        return {row[0] for answer in answers for row in answer}

    def _insert_deliveries(self, arrivals: Sequence[Arrival]) -> int:
        now = dict.fromkeys(_DUE_AT_ONCE, self._session.now)
        rows = [row | now for each in arrivals for row in _owed(each.event, each.routing, self._session.now)]
        self._session.write(Insert(table=deliveries, rows=rows))
        return len(rows)


def _new_events(arrivals: Sequence[Arrival]) -> Insert:
    """In the order of what makes them unique, so that two processes do not wait for each other."""
    rows = [_event_row(arrival) for arrival in arrivals]
    rows.sort(key=lambda row: (row["source"], row["message_id"]))
    return Insert(table=events, rows=rows, key=("source", "message_id"), returns="id")


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


_DUE_AT_ONCE = ("due_at", "owed_since", "created_at")


def _owed(event: Event, routing: Routing, made_at: datetime) -> Iterator[dict[str, Any]]:
    """The rows of all that the routing names, but for the columns that have the database's time."""
    for matched in routing.matched:
        positions: Counter[str] = Counter()
        for send in matched.sends:
            yield {
                "id": new_id("dlv", made_at),
                "event_id": event.id,
                "event_type": event.type,
                "route": matched.route,
                "position": positions[send.to],
                "destination": send.to,
                "send": dict(send.fields),
                "state": State.PENDING.value,
                "attempts": 0,
                "tries": 0,
            }
            positions[send.to] += 1
