"""Ways through a list that changes while it is read: no object that is there all the time is skipped.

Users come by a cursor. Every other list has only an offset: what is deleted before it pulls objects over the
seam of two pages, and objects of equal times come in another order with every request. So each page begins
one row before the last group of equal times, and where its first row is not older than that group, the
offset steps back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

LIMIT = 500
"""Objects of a page, the most that Clerk gives."""


class Row(NamedTuple):
    """An object of a list, as far as paging looks at it; times are milliseconds."""

    created_at: int
    id: str


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place between two pages, which can be kept as JSON.

    `last` is the time of the last row before it. A list with a cursor goes on behind the object `cursor`, or
    with what was made after `after`, where that is gone. `is_inside` a group of equal times that fills a
    page. `is_end` is behind the whole list.
    """

    offset: int = 0
    cursor: str = ""
    after: int | None = None
    last: int | None = None
    is_inside: bool = False
    is_end: bool = False


class Step(NamedTuple):
    """The place to go to after an answer; `counts` is False where it is asked for again from elsewhere."""

    place: Place
    counts: bool


def parameters(place: Place, limit: int, *, has_cursor: bool) -> Mapping[str, str]:
    """Return the parameters of the page at a place, oldest first."""
    sent: dict[str, Any] = {"limit": limit, "order_by": "+created_at"}
    if not has_cursor:
        sent["offset"] = place.offset
    elif place.cursor:
        sent["starting_after"] = place.cursor
    elif place.after is not None:
        sent["created_at_after"] = place.after
    return {name: str(value) for name, value in sent.items()}


def step_back(place: Place, rows: Sequence[Row], limit: int) -> Step:
    """Return the step after a page of a list that has only an offset."""
    if place.offset and not rows:
        return Step(_back(place, limit), counts=False)
    if place.offset and place.last is not None:
        is_seam_whole = (
            rows[0].created_at <= place.last if place.is_inside else rows[0].created_at < place.last
        )
        if not is_seam_whole:
            return Step(_back(place, max(limit // 4, 1)), counts=False)
    if len(rows) < limit:
        return Step(Place(is_end=True), counts=True)
    last = rows[-1].created_at
    group = next(index for index, row in enumerate(rows) if row.created_at == last)
    if group >= 2:
        return Step(Place(offset=place.offset + group - 1, last=last), counts=True)
    # No page holds all of the group: half of each is read twice, in the hope that its order stays.
    return Step(Place(offset=place.offset + max(limit // 2, 1), last=last, is_inside=True), counts=True)


def by_cursor(place: Place, rows: Sequence[Row], limit: int) -> Step:
    """Return the step after a page of a list that has a cursor.

    An empty page behind a cursor is no end, if its object is gone: see `without_cursor`.
    """
    if place.cursor and rows and place.last is not None and rows[0].created_at < place.last:
        return Step(without_cursor(place), counts=False)
    if len(rows) < limit:
        return Step(Place(is_end=True), counts=True)
    return Step(Place(cursor=rows[-1].id, last=rows[-1].created_at), counts=True)


def without_cursor(place: Place) -> Place:
    """Return the place from which a list goes on whose cursor is gone: a little before that object."""
    return Place(after=(place.last or 0) - 1, last=place.last)


def _back(place: Place, count: int) -> Place:
    offset = max(place.offset - count, 0)
    return replace(place, offset=offset, last=place.last if offset else None)
