"""Events and the deliveries they are owed, as fan-out, resends and replays write them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import select, update

from hub.errors import Conflict, NotFound
from hub.model.age import valid_until
from hub.model.delivery import State
from hub.model.event import HUB_SOURCE, Event, new_id
from hub.model.routing import UNMATCHED, Routing, SendVerdict, Verdict
from hub.store.session import Query, Repository, from_microseconds, to_json, to_microseconds
from hub.store.tables import deliveries, events, is_in


@dataclass(frozen=True, kw_only=True)
class RoutedEvent:
    """A new event with what the rules said of it."""

    event: Event
    routing: Routing


class Events(Repository):
    """Events and what they are owed."""

    def insert(self, routed: Sequence[RoutedEvent]) -> list[bool]:
        """Keep events, each with every delivery it is owed; False, changing nothing, for those known already.

        All of them go in one statement for each table: threads that verify other requests hold it up once and
        not for each row. They go in the order of what makes them unique, so that two processes do not wait
        for each other. Payloads may hold any bytes, which JSON cannot: they go as one, and each row tells
        where its own stands.
        """
        rows, starts_at = [], 0
        for new in routed:
            event, size = new.event, len(new.event.payload)
            rows.append(
                {
                    "id": event.id,
                    "source": event.source,
                    "message_id": event.message_id,
                    "type": event.type,
                    "version": new.routing.version,
                    "object_key": event.object_key,
                    "starts_at": starts_at,
                    "size": size,
                    "received_at": to_microseconds(event.received_at),
                    "verdicts": to_json([vars(verdict) for verdict in new.routing.verdicts]),
                    "owed": len(new.routing.sends),
                }
            )
            starts_at += size
        rows.sort(key=itemgetter("source", "message_id"))
        payloads = b"".join([new.event.payload for new in routed])
        values = {"events": to_json(rows), "payloads": payloads, "deliveries": _deliveries(routed)}
        (inserted,) = self._session.execute(Query("insert_events", values))
        ids = {row[0] for row in inserted}
        return [known.event.id in ids for known in routed]

    def before(self, event: Event, object_key: str) -> Event | None:
        """Return the newest event about an object that its source sent before this one, by the hub's receipt.

        None where none is kept, or only without its payload.
        """
        values = {"object_key": object_key, "source": event.source, "id": event.id}
        (rows,) = self._session.execute(Query("event_before", values))
        for event_id, message_id, type_, payload, received_at in rows:
            return Event(
                id=event_id,
                source=event.source,
                message_id=message_id,
                type=type_,
                payload=payload,
                received_at=from_microseconds(received_at),
            )
        return None

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

    def is_known(self, event_id: str) -> bool:
        """Return True where there is an event of that id."""
        statement = select(events.c.id).where(events.c.id == event_id)
        return self._session.connection.execute(statement).first() is not None

    def is_routed(self, event_id: str) -> bool:
        """Return True where any route ever owed this event to a destination; `unmatched` does not count.

        Deliveries are pruned, and a replay overwrites the verdicts: both are asked.
        """
        owed = select(deliveries.c.id).where(
            deliveries.c.event_id == event_id, deliveries.c.route != UNMATCHED
        )
        verdicts, is_owed = self._session.connection.execute(
            select(events.c.verdicts, owed.exists()).where(events.c.id == event_id)
        ).one()
        return is_owed or any(verdict["owed"] for verdict in verdicts)

    def verdicts(self, event_id: str) -> tuple[Verdict, ...]:
        """Return what the rules said of an event that is kept."""
        kept = self._session.connection.execute(select(events.c.verdicts).where(events.c.id == event_id))
        return verdicts_of(kept.scalar_one())

    def set_verdicts(self, event_id: str, routing: Routing) -> None:
        """Keep what today's rules say of an event that is already kept, to be owed that as well."""
        self._set_verdicts([event_id], routing)

    def owe_anew(self, routed: Sequence[RoutedEvent]) -> None:
        """Keep what today's rules say of events that are already kept, and owe them that as well.

        Those of which they say the same, as of most of one type, are changed together.
        """
        alike: dict[tuple[str, int], list[RoutedEvent]] = {}
        for new in routed:
            verdicts = to_json([vars(verdict) for verdict in new.routing.verdicts])
            alike.setdefault((verdicts, len(new.routing.sends)), []).append(new)
        for same in alike.values():
            self._set_verdicts([new.event.id for new in same], same[0].routing)
        self._session.defer(Query("add_deliveries", {"deliveries": _deliveries(routed)}))

    def _set_verdicts(self, event_ids: Collection[str], routing: Routing) -> None:
        verdicts = [vars(verdict) for verdict in routing.verdicts]
        owed = events.c.owed + len(routing.sends)
        self._session.connection.execute(
            update(events)
            .where(events.c.id.in_(event_ids))
            .values(verdicts=verdicts, owed=owed, version=routing.version)
        )

    def restore_payload(self, event: Event) -> None:
        """Take a known event's payload from its sender's new request: its secrets may have been blanked."""
        self._session.connection.execute(
            update(events).where(events.c.id == event.id).values(payload=event.payload, blanked=False)
        )

    def add_deliveries(self, event: Event, routing: Routing) -> int:
        """Owe the event to everything its routing names, due now; returns how many."""
        deliveries = _deliveries([RoutedEvent(event=event, routing=routing)])
        self._session.defer(Query("add_deliveries", {"deliveries": deliveries}))
        return len(routing.sends)

    def revive_dead(self, event_id: str) -> int:
        """Make the dead deliveries of an event pending with a new schedule; returns how many.

        Those that are too old stay dead.
        """
        revived = self._session.connection.execute(
            update(deliveries)
            .where(deliveries.c.event_id == event_id, is_in(State.DEAD), deliveries.c.finished_at.is_(None))
            .values(
                state=State.PENDING,
                reason=None,
                needs=None,
                due_at=self._session.now,
                owed_since=self._session.now,
                tries=0,
            )
        )
        return revived.rowcount

    def lock_whole(self, event_ids: Collection[str]) -> set[str]:
        """Lock events in the order of their ids; return the ids of those that can still be replayed."""
        is_whole = (events.c.payload.is_not(None), ~events.c.blanked)
        statement = select(events.c.id).where(events.c.id.in_(event_ids), *is_whole).order_by(events.c.id)
        return set(self._session.connection.execute(self._session.locking(statement)).scalars())

    def to_replay(self, event_id: str) -> Event:
        """A kept event; raises NotFound, or Conflict where its payload is no longer what it was."""
        event = self.all_to_replay([event_id]).get(event_id)
        if event is None:
            raise NotFound(f"there is no event {event_id}")
        if isinstance(event, Conflict):
            raise event
        return event

    def all_to_replay(self, event_ids: Collection[str]) -> dict[str, Event | Conflict]:
        """Return those events that are there, by id; the error where a payload is no longer what it was."""
        columns = (events.c.id, events.c.source, events.c.message_id, events.c.type, events.c.received_at)
        statement = select(*columns, events.c.payload, events.c.blanked).where(events.c.id.in_(event_ids))
        return {row.id: _to_replay(row) for row in self._session.connection.execute(statement)}


def _to_replay(row: Any) -> Event | Conflict:
    if row.source == HUB_SOURCE:
        return Conflict("it is the hub's own: no route takes it; `hub send-test` makes another test message")
    if row.payload is None:
        return Conflict("its payload was pruned (HUB_RETENTION); nothing is left to send")
    if row.blanked:
        return Conflict(
            "its one-time secrets were removed once it was delivered; only its source can make it anew"
        )
    return Event(
        id=row.id,
        source=row.source,
        message_id=row.message_id,
        type=row.type,
        payload=row.payload,
        received_at=row.received_at,
    )


def verdicts_of(rows: Sequence[Mapping[str, Any]]) -> tuple[Verdict, ...]:
    """Return verdicts as they were kept."""
    return tuple(
        Verdict(
            **{
                **row,
                "unset": tuple(row["unset"]),
                "sends": tuple(SendVerdict._make((*kept, tuple(unset))) for *kept, unset in row["sends"]),
            }
        )
        for row in rows
    )


def _deliveries(routed: Sequence[RoutedEvent]) -> str:
    made_at = datetime.now(UTC)
    return to_json([row for new in routed for row in _delivery_rows(new, made_at)])


def _delivery_rows(routed: RoutedEvent, made_at: datetime) -> Iterator[dict[str, Any]]:
    for owed in routed.routing.sends:
        route, send = owed.route, owed.send
        until = valid_until(routed.event, send.max_age_seconds) if send.max_age_seconds else None
        yield {
            "id": new_id("dlv", made_at),
            "event_id": routed.event.id,
            "event_type": routed.event.type,
            "route": route,
            "position": send.position,
            "destination": send.to,
            "version": routed.routing.version,
            "send": to_json(dict(send.fields)) if send.fields else "{}",
            "needs": ",".join(send.unset) or None,
            "valid_until": until and to_microseconds(until),
        }
