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

LOOKED_AT = sum(STEPS)
"""So many candidates are looked at for one page."""

Conditions = Sequence[ColumnElement[bool]]


@dataclass(frozen=True, kw_only=True)
class Size:
    """The number of ids that are wanted: `limit`, or up to `counted` where more of them cost little."""

    limit: int
    counted: int = 0

    @property
    def cheap(self) -> int:
        """The number where every id that is read is one that fits."""
        return max(self.limit, self.counted)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Ids from `first` on and before `end`; None is no bound. They are read newest first, or oldest first."""

    first: str | None = None
    end: str | None = None
    is_upward: bool = False

    def order(self, column: ColumnElement[str]) -> ColumnElement[str]:
        """Return the order in which ids are read."""
        return column.asc() if self.is_upward else column.desc()

    def until(self, last: str | None) -> Bounds:
        """Return the part of these that ends with an id, which is one of it; all where it is None."""
        if last is None:
            return self
        return replace(self, end=_next(last)) if self.is_upward else replace(self, first=last)

    def behind(self, last: str) -> Bounds:
        """Return the part of these that is read after an id."""
        return replace(self, first=_next(last)) if self.is_upward else replace(self, end=last)

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


def _next(id_: str) -> str:
    """Return the text right behind an id: no id has another's for its beginning."""
    return id_ + "0"


class Candidates(Protocol):
    """A callback: it selects the ids of candidates that meet further conditions, in the bounds' order."""

    def __call__(self, bounds: Bounds, further: Conditions, limit: int, offset: int = 0, /) -> Select[Any]:
        """Return the statement."""


def bounds_of(prefix: str, period: Period, before: str | None, after: str | None = None) -> Bounds:
    """Return the bounds of ids made within a period, before one that a page ended with, or after another.

    Those after one are read upward, from it on.
    """
    ends = [before] if before else []
    ends += [first_id(prefix, period.until)] if period.until else []
    firsts = [_next(after)] if after else []
    firsts += [first_id(prefix, period.since)] if period.since else []
    return Bounds(first=max(firsts, default=None), end=min(ends, default=None), is_upward=after is not None)


def is_few(session: Session, candidates: Select[Any]) -> bool:
    """Return True where there are so few candidates that all of them can be looked at."""
    some = candidates.limit(MANY).subquery()
    return bool(session.connection.execute(select(func.count()).select_from(some)).scalar_one() < MANY)


def few(
    session: Session,
    column: ColumnElement[str],
    candidates: Iterable[Select[Any]],
    conditions: Conditions,
    bounds: Bounds,
    size: Size,
) -> Matches | None:
    """Return the first that are among the first candidates that are few; None where all are many."""
    for ids in candidates:
        if is_few(session, ids):
            # No key: a planner would rather walk all rows by it than sort these.
            statement = select(column).where(column.in_(ids.limit(MANY)), *conditions, *bounds.of(column))
            statement = statement.order_by(bounds.order(column.concat(""))).limit(size.cheap)
            return Matches(ids=session.connection.execute(statement).scalars().all())
    return None


def walk(
    session: Session, candidates: Candidates, conditions: Conditions, bounds: Bounds, size: Size
) -> Matches:
    """Return the first candidates that meet the conditions, as far as they are among the first of all."""
    if not conditions:
        statement = candidates(bounds, (), size.cheap)
        return Matches(ids=session.connection.execute(statement).scalars().all())
    ids: list[str] = []
    for count in STEPS:
        last = session.connection.execute(candidates(bounds, (), 1, count - 1)).scalar()
        step = candidates(bounds.until(last), conditions, size.limit - len(ids))
        ids += session.connection.execute(step).scalars()
        if last is None or len(ids) >= size.limit:
            return Matches(ids=ids, is_counted=last is None and len(ids) < size.limit)
        bounds = bounds.behind(last)
    return Matches(ids=ids, resume=last, is_counted=False)
