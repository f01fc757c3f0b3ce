"""Everything that Clerk has, read into a mirror's tables: resumable after a kill at any moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hub.errors import ClerkError
from hub.mirror.changes import Effect
from hub.sync.api import BackendApi
from hub.sync.lists import ClerkList, Page, absent, count, lists_of, pages
from hub.sync.mirroring import Mirroring, Written
from hub.sync.paging import LIMIT, Place

KEPT_MS = 24 * 3600 * 1000
"""A run that was cut off longer ago begins anew: what it read is old by now."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The state of one list that is being read. `total` is None where Clerk does not say."""

    name: str
    read: int
    total: int | None
    seconds: float
    resumed: int = 0

    @property
    def rate(self) -> float:
        """Objects a second, of those that this run read."""
        return (self.read - self.resumed) / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining_seconds(self) -> float | None:
        """The time that the rest takes at this rate; None where it is not known."""
        if self.total is None or self.rate <= 0:
            return None
        return max(self.total - self.read, 0) / self.rate


@dataclass(frozen=True, kw_only=True)
class _State:
    """The state of a list between two pages. `tail` are the ids of its last time; `at` is Clerk's time."""

    place: Place = field(default_factory=Place)
    read: int = 0
    at: int = 0
    tail: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TableResult:
    """One table that was filled: how many objects were read, and what became of them.

    `absent` is Clerk's answer where the instance has no such objects; empty where it has them.
    """

    table: str
    read: int
    effects: dict[Effect, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    absent: str = ""


def backfill(
    api: BackendApi,
    mirroring: Mirroring,
    tables: Sequence[str],
    on_progress: Callable[[Progress], None] = lambda progress: None,
    *,
    limit: int = LIMIT,
) -> list[TableResult]:
    """Read all objects of these tables into them, from where an earlier run was cut off.

    Raises HubError where Clerk or the database gives nothing; what was read is kept, with the place.
    """
    mirroring.claim(api)
    results = [_fill(api, mirroring, table, on_progress, limit) for table in tables]
    for clerk_list in (one for table in tables for one in lists_of(table)):
        mirroring.call(mirroring.mirror.keep_state, _state_name(clerk_list), None)
    return results


def expected(api: BackendApi, table: str) -> int | None:
    """Return how many objects Clerk has for a table; None where it does not say."""
    counts = [count(api, clerk_list) for clerk_list in lists_of(table)]
    return None if None in counts else sum(number or 0 for number in counts)


def _fill(
    api: BackendApi,
    mirroring: Mirroring,
    table: str,
    on_progress: Callable[[Progress], None],
    limit: int,
) -> TableResult:
    written, read = Written(), 0
    try:
        for clerk_list in lists_of(table):
            read += _read(api, mirroring, clerk_list, written, on_progress, limit)
    except ClerkError as error:
        return TableResult(table=table, read=0, absent=absent(error))
    return TableResult(table=table, read=read, effects=written.effects, refused=written.refused)


def _read(
    api: BackendApi,
    mirroring: Mirroring,
    clerk_list: ClerkList,
    written: Written,
    on_progress: Callable[[Progress], None],
    limit: int,
) -> int:
    """Read a list from its kept place to its end, and return how many of its objects were read in all."""
    name, began = _state_name(clerk_list), time.monotonic()
    state = _kept(mirroring.call(mirroring.mirror.state, name), api.now_ms)
    resumed = state.read
    total = None if state.place.is_end else count(api, clerk_list)
    for page in pages(api, clerk_list, state.place, limit):
        state = _after(state, page, api.now_ms)
        objects = [(value, page.answer.began_at_ms) for value in page.objects]
        mirroring.write(clerk_list.table, objects, written, {name: asdict(state)})
        on_progress(
            Progress(
                name=clerk_list.name,
                read=state.read,
                total=page.total or total,
                seconds=time.monotonic() - began,
                resumed=resumed,
            )
        )
    return state.read


def _after(state: _State, page: Page, now_ms: int) -> _State:
    """Return the state behind a page. It begins before the end of the last: what it has again counts once."""
    times = [value["created_at"] for value in page.objects]
    last = state.place.last
    new = [
        value["id"]
        for value, at in zip(page.objects, times, strict=True)
        if last is None or at > last or (at == last and value["id"] not in state.tail)
    ]
    end = times[-1] if times else last
    tail = {value["id"] for value, at in zip(page.objects, times, strict=True) if at == end}
    same = set(state.tail) if end == last else set()
    return _State(place=page.place, read=state.read + len(new), at=now_ms, tail=tuple(sorted(tail | same)))


def _kept(kept: Any, now_ms: int) -> _State:
    """Return the state in which an earlier run was cut off, a new one where there is none, or it is old."""
    if not isinstance(kept, dict) or abs(now_ms - kept["at"]) > KEPT_MS:
        return _State()
    return _State(**{**kept, "place": Place(**kept["place"]), "tail": tuple(kept["tail"])})


def _state_name(clerk_list: ClerkList) -> str:
    return f"backfill/{clerk_list.name}"
