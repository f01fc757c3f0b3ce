"""The search of a list: few candidates are all looked at; of many, the newest, so far as a page may cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Select, func, select

from hub.model.event import first_id
from hub.model.filter import Matches, Period
from hub.store.session import Session

MANY = 5_000
"""So few candidates are all looked at for a list; of more, the newest first."""

STEPS = (500, 4_500, 15_000)
"""So many of the newest candidates are looked at, one step after the other, until a page is full."""

Conditions = Sequence[ColumnElement[bool]]


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Ids from `first` on and before `end`; None is no bound."""

    first: str | None = None
    end: str | None = None

    def of(self, column: ColumnElement[str]) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions on a column."""
        if self.first is not None:
            yield column >= self.first
        if self.end is not None:
            yield column < self.end


def has_row(rows: Select[Any]) -> ColumnElement[bool]:
    """Return the condition that a row beside another exists, looked up for each row that is asked for it."""
    # A value, not EXISTS: of that PostgreSQL would make a join, with all rows that might be such.
    return rows.limit(1).scalar_subquery().is_not(None)


class Candidates(Protocol):
    """A callback: it selects the ids of candidates, newest first, that meet further conditions."""

    def __call__(self, bounds: Bounds, further: Conditions, limit: int, offset: int = 0, /) -> Select[Any]:
        """Return the statement."""


def bounds_of(prefix: str, period: Period, before: str | None) -> Bounds:
    """Return the bounds of ids made within a period, and before one that a page ended with."""
    ends = [before] if before else []
    ends += [first_id(prefix, period.until)] if period.until else []
    return Bounds(
        first=first_id(prefix, period.since) if period.since else None, end=min(ends) if ends else None
    )


def is_few(session: Session, candidates: Select[Any]) -> bool:
    """Return True where there are so few candidates that all of them can be looked at."""
    some = candidates.limit(MANY).subquery()
    return bool(session.connection.execute(select(func.count()).select_from(some)).scalar_one() < MANY)


def few(
    session: Session,
    column: ColumnElement[str],
    candidates: Iterable[Select[Any]],
    conditions: Conditions,
    limit: int,
) -> Matches | None:
    """Return the newest that are among the first candidates that are few; None where all are many."""
    for ids in candidates:
        if is_few(session, ids):
            # No key: a planner would rather walk all rows by it than sort these.
            statement = select(column).where(column.in_(ids.limit(MANY)), *conditions)
            statement = statement.order_by(column.concat("").desc()).limit(limit)
            return Matches(ids=session.connection.execute(statement).scalars().all())
    return None


def walk(
    session: Session, candidates: Candidates, conditions: Conditions, bounds: Bounds, limit: int
) -> Matches:
    """Return the newest candidates that meet the conditions, as far as they are among the newest of all."""
    if not conditions:
        statement = candidates(bounds, (), limit)
        return Matches(ids=session.connection.execute(statement).scalars().all())
    ids: list[str] = []
    for size in STEPS:
        end = session.connection.execute(candidates(bounds, (), 1, size - 1)).scalar()
        step = candidates(replace(bounds, first=end or bounds.first), conditions, limit - len(ids))
        ids += session.connection.execute(step).scalars()
        if end is None or len(ids) >= limit:
            return Matches(ids=ids)
        bounds = replace(bounds, end=end)
    return Matches(ids=ids, resume=bounds.end)
