"""Events as records, and the list of those that a filter finds, newest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Select, case, func, or_, select

from hub.errors import NotFound
from hub.model.delivery import State
from hub.model.event import HUB_SOURCE, first_id
from hub.model.filter import EVERYTHING, Filter, Matches, Neighbours
from hub.model.records import EventRecord
from hub.model.routing import UNMATCHED
from hub.model.stats import Taken
from hub.store.repositories.delivery_search import DeliverySearch
from hub.store.repositories.events import verdicts_of
from hub.store.repositories.kinds import every_kind_of_events, kinds_of_events
from hub.store.repositories.payloads import LISTED_PAYLOAD_BYTES
from hub.store.repositories.search import Conditions, Size, bounds_of, few, has_row, walk
from hub.store.repositories.terms import TermSearch
from hub.store.session import Repository
from hub.store.tables import deliveries, events

TAKEN_OF = 1_000
"""So many events are asked for the routes that took them."""

_EVENT_COLUMNS = (
    events.c.id,
    events.c.source,
    events.c.message_id,
    events.c.type,
    events.c.version,
    events.c.received_at,
    events.c.verdicts,
)


@dataclass(frozen=True, kw_only=True)
class _Owed:
    """The conditions on the deliveries of an event, and the events that few deliveries meet them of."""

    candidates: Iterable[Select[Any]] = ()
    conditions: Conditions = ()


class EventList(Repository):
    """Events as pages, API and commands show them."""

    def find(
        self,
        where: Filter = EVERYTHING,
        *,
        limit: int = 50,
        counted: int = 0,
        before: str | None = None,
        after: str | None = None,
    ) -> Matches:
        """Return the ids of the newest events that fit, and up to `counted` where that costs little.

        `before` is the id after which a page begins. With `after` they are those that came next after it.
        """
        kinds = kinds_of_events(self._session, where)
        if kinds.chosen == []:
            return Matches(ids=())
        bounds, size = bounds_of("evt", where.period, before, after), Size(limit=limit, counted=counted)
        search = TermSearch(self._session, where.words)
        owed = self._owed(where)
        candidates = chain(search.events(), owed.candidates)
        conditions = [*owed.conditions, *search.conditions_on_events(), *kinds.checks]
        of_few = few(self._session, events.c.id, candidates, conditions, bounds, size)
        if of_few is not None:
            return of_few
        of_word = search.candidates()
        if of_word is not None:
            conditions = [
                *owed.conditions,
                *search.conditions_on_events(without=of_word[0]),
                *kinds.checks,
            ]
            return walk(self._session, of_word[1], conditions, bounds, size)
        if kinds.has_index:
            conditions = [*owed.conditions, *search.conditions_on_events()]
        return walk(self._session, kinds.candidates, conditions, bounds, size)

    def neighbours(self, event_id: str, where: Filter = EVERYTHING) -> Neighbours:
        """Return the events beside one among those that fit, as far as a page would look for them."""
        newer = self.find(where, limit=1, after=event_id).ids
        older = self.find(where, limit=1, before=event_id).ids
        return Neighbours(newer=next(iter(newer), None), older=next(iter(older), None))

    def _owed(self, where: Filter) -> _Owed:
        if not where.is_of_deliveries:
            return _Owed()
        search = DeliverySearch(self._session, where)
        its = select(deliveries.c.id).where(deliveries.c.event_id == events.c.id, *search.checks)
        return _Owed(candidates=search.narrowed(deliveries.c.event_id), conditions=[has_row(its)])

    def pruned(self, id_: str) -> str | None:
        """Return the id of the event that has it, or whose sender's message has it, where that was pruned."""
        sources = [source for source, _ in every_kind_of_events(self._session).chosen or ()]
        is_it = or_(events.c.id == id_, events.c.source.in_(sources) & (events.c.message_id == id_))
        statement = select(events.c.id).where(is_it, events.c.payload.is_(None)).limit(1)
        return self._session.connection.execute(statement).scalar()

    def has_source(self, name: str) -> bool:
        """Return True where any event came from a source of that name."""
        statement = select(events.c.id).where(events.c.source == name).limit(1)
        return self._session.connection.execute(statement).first() is not None

    def sizes_of(self, ids: Sequence[str]) -> list[tuple[str, int]]:
        """Return these ids, newest first, each with the bytes of its payload."""
        size = func.coalesce(func.length(events.c.payload), 0)
        statement = select(events.c.id, size).where(events.c.id.in_(ids)).order_by(events.c.id.desc())
        return [(event_id, count) for event_id, count in self._session.connection.execute(statement)]

    def records(
        self, where: Filter = EVERYTHING, *, limit: int = 50, before: str | None = None
    ) -> list[EventRecord]:
        """Return the newest events that fit, as `find` does."""
        return self.records_of(self.find(where, limit=limit, before=before).ids)

    def records_of(self, ids: Sequence[str], *, largest: int = LISTED_PAYLOAD_BYTES) -> list[EventRecord]:
        """Return these events, newest first, without payloads of more bytes than `largest`."""
        payload = case((func.length(events.c.payload) <= largest, events.c.payload)).label("payload")
        statement = select(*_EVENT_COLUMNS, payload).where(events.c.id.in_(ids)).order_by(events.c.id.desc())
        rows = self._session.connection.execute(statement).all()
        states = self._states_of(ids)
        return [_event_record(row, states.get(row.id, {})) for row in rows]

    def record(self, event_id: str) -> EventRecord:
        """Return one event; raises NotFound."""
        statement = select(*_EVENT_COLUMNS, events.c.payload).where(events.c.id == event_id)
        row = self._session.connection.execute(statement).first()
        if row is None:
            raise NotFound(f"there is no event {event_id}")
        return _event_record(row, self._states_of([event_id]).get(event_id, {}))

    def taken(self, since: datetime) -> Taken:
        """Count the senders' events since a moment that each route took, among the newest of them."""
        newest = select(events.c.verdicts).where(
            events.c.id >= first_id("evt", since), events.c.source != HUB_SOURCE
        )
        newest = newest.order_by(events.c.id.desc()).limit(TAKEN_OF + 1)
        rows = self._session.connection.execute(newest).scalars().all()
        counts: Counter[str] = Counter()
        for verdicts in rows[:TAKEN_OF]:
            routes = {verdict["route"] for verdict in verdicts if verdict["matched"]} - {UNMATCHED}
            counts.update(routes or {UNMATCHED})
        return Taken(counts=counts, events=min(len(rows), TAKEN_OF), is_whole=len(rows) <= TAKEN_OF)

    def _states_of(self, event_ids: Sequence[str]) -> dict[str, dict[State, int]]:
        counted: dict[str, dict[State, int]] = {}
        statement = (
            select(deliveries.c.event_id, deliveries.c.state, func.count())
            .where(deliveries.c.event_id.in_(event_ids))
            .group_by(deliveries.c.event_id, deliveries.c.state)
        )
        for event_id, state, count in self._session.connection.execute(statement):
            counted.setdefault(event_id, {})[State(state)] = count
        return counted


def _event_record(row: Any, states: dict[State, int]) -> EventRecord:
    return EventRecord(
        id=row.id,
        source=row.source,
        message_id=row.message_id,
        type=row.type,
        version=row.version,
        received_at=row.received_at,
        verdicts=verdicts_of(row.verdicts),
        payload=row.payload,
        states=states,
    )
