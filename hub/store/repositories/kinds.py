"""Kinds of rows: two columns that few pairs of values stand in, each pair's newest by one index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, union_all

from hub.model.filter import Filter
from hub.store.repositories.search import Bounds, Candidates, Conditions
from hub.store.session import Session
from hub.store.tables import deliveries, events

MOST_KINDS = 30
"""Of so many kinds at most each is looked up in the index; of more, all rows are walked."""

Kind = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """The kinds of rows that a filter takes: a source and a type of events, a route and a destination.

    `first`, `second` and `id` are the columns of the index. `chosen` is None where all rows fit.
    """

    id: ColumnElement[str]
    first: ColumnElement[str]
    second: ColumnElement[str]
    chosen: Sequence[Kind] | None

    @property
    def conditions(self) -> Conditions:
        """The condition on a row, if there is any."""
        if not self.chosen:
            return () if self.chosen is None else [false()]
        seconds: dict[str, list[str]] = {}
        for first, second in self.chosen:
            seconds.setdefault(first, []).append(second)
        return [or_(*(and_(self.first == first, _is_one(self.second, seconds[first])) for first in seconds))]

    @property
    def checks(self) -> Conditions:
        """The same for rows that are looked up by something else."""
        first, second = self.first.concat(""), self.second.concat("")
        return replace(self, first=first, second=second).conditions

    @property
    def has_index(self) -> bool:
        """True where the newest rows of these kinds are read from their index."""
        return self.chosen is not None and 0 < len(self.chosen) <= MOST_KINDS

    @property
    def candidates(self) -> Candidates:
        """The rows of these kinds; all rows where these are too many kinds for the index."""
        return self._newest_of_each if self.has_index else newest(self.id)

    def _newest_of_each(
        self, bounds: Bounds, further: Conditions, limit: int, offset: int = 0, /
    ) -> Select[Any]:
        of_each = (
            newest(self.id, self.first == first, self.second == second)(bounds, further, limit + offset)
            for first, second in self.chosen or ()
        )
        ids = union_all(*(select(rows.subquery()) for rows in of_each)).subquery().c[self.id.key or ""]
        return select(ids).order_by(bounds.order(ids)).limit(limit).offset(offset)


def newest(column: ColumnElement[str], *conditions: ColumnElement[bool]) -> Candidates:
    """Return the rows that meet some conditions as candidates, by their ids."""

    def candidates(bounds: Bounds, further: Conditions, limit: int, offset: int = 0, /) -> Select[Any]:
        statement = select(column).where(*conditions, *bounds.of(column), *further)
        return statement.order_by(bounds.order(column)).limit(limit).offset(offset)

    return candidates


def kinds_of_events(session: Session, where: Filter) -> Kinds:
    """Return the sources and types of events that fit."""
    if not where.is_of_events:
        return Kinds(id=events.c.id, first=events.c.source, second=events.c.type, chosen=None)
    exact = None if where.type is None or "*" in where.type else where.type
    kinds = every_kind_of_events(session, where.source, exact)
    return replace(kinds, chosen=[kind for kind in kinds.chosen or () if where.takes(*kind)])


def kinds_of_deliveries(session: Session, where: Filter) -> Kinds:
    """Return the routes and destinations of deliveries that fit."""
    if where.route is None and where.destination is None:
        return Kinds(
            id=deliveries.c.id, first=deliveries.c.route, second=deliveries.c.destination, chosen=None
        )
    return every_kind_of_deliveries(session, where.route, where.destination)


def every_kind_of_events(session: Session, source: str | None = None, type_: str | None = None) -> Kinds:
    """Return all sources and types that events have; a value that is given is not looked up."""
    columns = events.c.source, events.c.type
    chosen = _existing(session, columns[0], source, columns[1], type_)
    return Kinds(id=events.c.id, first=columns[0], second=columns[1], chosen=chosen)


def every_kind_of_deliveries(
    session: Session, route: str | None = None, destination: str | None = None
) -> Kinds:
    """Return all routes and destinations that deliveries have; a value that is given is not looked up."""
    columns = deliveries.c.route, deliveries.c.destination
    chosen = _existing(session, columns[0], route, columns[1], destination)
    return Kinds(id=deliveries.c.id, first=columns[0], second=columns[1], chosen=chosen)


def _existing(
    session: Session,
    first: ColumnElement[str],
    first_value: str | None,
    second: ColumnElement[str],
    second_value: str | None,
) -> list[Kind]:
    """Return the kinds that rows may have; a value that is given is not looked up."""
    firsts = distinct(session, first) if first_value is None else [first_value]
    if second_value is not None:
        return [(value, second_value) for value in firsts]
    return [(value, other) for value in firsts for other in distinct(session, second, first == value)]


def distinct(session: Session, column: ColumnElement[str], *conditions: ColumnElement[bool]) -> list[str]:
    """Return the values of a column, with one look into an index for each."""
    values = select(func.min(column).label("value")).where(*conditions).cte("distinct_values", recursive=True)
    following = select(func.min(column)).where(column > values.c.value, *conditions).scalar_subquery()
    values = values.union_all(select(following).where(values.c.value.is_not(None)))
    statement = select(values.c.value).where(values.c.value.is_not(None))
    return list(session.connection.execute(statement).scalars())


def _is_one(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    return column == values[0] if len(values) == 1 else column.in_(values)
