"""The search for the deliveries that a filter takes, or for the events of such."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from hub.model.delivery import FINISHED, State
from hub.model.filter import Filter, Matches
from hub.store.repositories.kinds import Kinds, kinds_of_deliveries, newest
from hub.store.repositories.search import MANY, Bounds, Conditions, Size, few, is_few, walk
from hub.store.repositories.terms import TermSearch
from hub.store.session import Session
from hub.store.tables import deliveries, events, is_in, is_stuck


class DeliverySearch:
    """The conditions of a filter on deliveries themselves, and the indexes by which few are met."""

    def __init__(self, session: Session, where: Filter) -> None:
        self._session = session
        self._where = where
        self._kinds = kinds_of_deliveries(session, where)
        self._terms = TermSearch(session, where.words)
        self._of_rows = dict(_conditions(where))
        self._checks_of_rows = dict(_checks(where))

    @property
    def checks(self) -> Conditions:
        """The conditions on a row that is looked up by something else.

        They are no key of an index: a planner that knows nothing of the rows would take that of the many.
        """
        return [*self._checks_of_rows.values(), *self._kinds.checks]

    def narrowed(self, column: ColumnElement[str]) -> Iterator[Select[Any]]:
        """Yield a column of those that meet a condition that has an index, one statement for each."""
        where = self._where
        if where.state and where.destination and where.state not in FINISHED:
            yield select(column).where(is_in(where.state), deliveries.c.destination == where.destination)
        for condition in self._of_rows.values():
            yield select(column).where(condition)
        if self._kinds.chosen is not None:
            yield select(column).where(*self._kinds.conditions)

    def find(self, event: str | None, kinds_of_events: Kinds, bounds: Bounds, size: Size) -> Matches:
        """Return the first deliveries that fit: of one event, or of all of these kinds."""
        of_events = self._of_events(event, kinds_of_events)
        conditions = [*self.checks, *of_events]
        candidates = self._all_narrowed(event, kinds_of_events)
        of_few = few(self._session, deliveries.c.id, candidates, conditions, bounds, size)
        return of_few or self._walk(of_events, bounds, size)

    def _all_narrowed(self, event: str | None, kinds_of_events: Kinds) -> Iterator[Select[Any]]:
        if event is not None:
            yield select(deliveries.c.id).where(deliveries.c.event_id == event)
        yield from self.narrowed(deliveries.c.id)
        if kinds_of_events.chosen is not None:
            of_kinds = select(events.c.id).where(*kinds_of_events.conditions)
            if is_few(self._session, of_kinds):
                yield select(deliveries.c.id).where(deliveries.c.event_id.in_(of_kinds.limit(MANY)))
        for of_word in self._terms.events():
            if is_few(self._session, of_word):
                yield select(deliveries.c.id).where(deliveries.c.event_id.in_(of_word.limit(MANY)))

    def _of_events(self, event: str | None, kinds_of_events: Kinds) -> Conditions:
        """Return the conditions on a row that are about its event."""
        conditions = [*self._terms.conditions_on_deliveries()]
        if event is not None:
            conditions.append(deliveries.c.event_id == event)
        if self._where.type:
            types = {type_ for _, type_ in kinds_of_events.chosen or ()}
            conditions.append(deliveries.c.event_type.in_(types))
        if self._where.source:
            source = select(events.c.source).where(events.c.id == deliveries.c.event_id)
            conditions.append(source.scalar_subquery() == self._where.source)
        return conditions

    def _walk(self, of_events: Conditions, bounds: Bounds, size: Size) -> Matches:
        """Walk the first by the index that has the fewest, if there is one in the order of their ids."""
        state = self._where.state
        for name, condition in self._of_rows.items():
            if name == "degraded" or state in (State.DEAD, State.HELD):
                by_index = is_stuck(state) if name == "state" and state else condition
                others = [check for other, check in self._checks_of_rows.items() if other != name]
                conditions = [*others, *self._kinds.checks, *of_events]
                return walk(self._session, newest(deliveries.c.id, by_index), conditions, bounds, size)
        checks = [*self._checks_of_rows.values()] if self._kinds.has_index else [*self.checks]
        return walk(self._session, self._kinds.candidates, [*checks, *of_events], bounds, size)


def _conditions(where: Filter) -> Iterator[tuple[str, ColumnElement[bool]]]:
    if where.degraded:
        yield "degraded", deliveries.c.degraded.is_not(None)
    if where.state:
        yield "state", is_in(where.state)


def _checks(where: Filter) -> Iterator[tuple[str, ColumnElement[bool]]]:
    if where.degraded:
        yield "degraded", deliveries.c.degraded.concat("").is_not(None)
    if where.state:
        yield "state", deliveries.c.state.concat("") == where.state.value
