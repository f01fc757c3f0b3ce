"""Clerk's lists as ranges of time, each complete: a mirror's rows of the same range ought to be the same.

A range never cuts a group of equal times, so that neither side has an object in it that the other has in the
next.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from hub.sync.lists import Look, Page, looks


@dataclass(frozen=True, kw_only=True)
class Range:
    """All objects that were made in (after, until], milliseconds; None is no bound."""

    after: int | None
    until: int | None
    objects: dict[str, Look] = field(default_factory=dict)


def ranges(lists: Iterable[Iterable[Page]], limit: int) -> Iterator[Range]:
    """Yield ranges that follow each other, of about so many objects each; the last one has no end.

    `lists` have the pages of lists that share no object.
    """
    merged = heapq.merge(*(_in_order(pages) for pages in lists), key=_created_at)
    after: int | None = None
    objects: dict[str, Look] = {}
    for created_at, group in groupby(merged, key=_created_at):
        objects |= {look.id: look for look in group}
        if len(objects) >= limit:
            yield Range(after=after, until=created_at, objects=objects)
            after, objects = created_at, {}
    yield Range(after=after, until=None, objects=objects)


def _in_order(pages: Iterable[Page]) -> Iterator[Look]:
    """Yield the objects of a list once each, those of equal times together.

    The last group of a page is whole with the next one only.
    """
    done: int | None = None
    waiting: dict[str, Look] = {}
    for page in pages:
        for look in looks(page):
            if done is None or _created_at(look) > done:
                waiting[look.id] = look
        if page.objects and not page.place.is_end:
            end = int(page.objects[-1]["created_at"]) - 1
            done = end if done is None else max(done, end)
            whole = [look for look in waiting.values() if _created_at(look) <= done]
            yield from sorted(whole, key=_created_at)
            waiting = {id_: look for id_, look in waiting.items() if _created_at(look) > done}
    yield from sorted(waiting.values(), key=_created_at)


def _created_at(look: Look) -> int:
    assert look.value is not None
    return int(look.value["created_at"])
