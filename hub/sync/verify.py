"""A mirror held against Clerk, row by row; what differs is looked at twice before it counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hub.errors import ClerkError, Unmirrorable
from hub.mirror.changes import Change
from hub.mirror.tables import tables
from hub.model.event import object_key
from hub.model.mirror import DriftKind
from hub.sync.api import BackendApi
from hub.sync.compare import Drift, Row, differences, is_settled, strays
from hub.sync.lists import Look, absent, lists_of, looks, one, pages
from hub.sync.mirroring import Mirroring
from hub.sync.paging import LIMIT
from hub.sync.ranges import ranges

SECOND_LOOK_SECONDS = 10.0
"""The time from the first look to the second, in which events that are on their way arrive."""

ONE_BY_ONE = 50
"""Up to so many candidates are asked for alone; of more of them the list is read again."""

_AT_ONCE = 100

Owed = Callable[[Collection[str]], Collection[str]]
"""Returns those keys of objects (`user/user_1`) of which a delivery to the mirror is owed."""


@dataclass(frozen=True, kw_only=True)
class Differing:
    """One object of which rows differ, as Clerk showed it the second time."""

    id: str
    drift: tuple[Drift, ...]
    look: Look


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One table, compared: how many objects Clerk has, how many rows were there, and what differs.

    `absent` is Clerk's answer where the instance has no such objects, and nothing was compared.
    """

    table: str
    objects: int
    rows: int
    differing: tuple[Differing, ...] = ()
    absent: str = ""

    @property
    def drift(self) -> tuple[Drift, ...]:
        """The rows that differ, those of its sets among them."""
        return tuple(drift for object_ in self.differing for drift in object_.drift)


@dataclass(kw_only=True)
class _FirstLook:
    objects: int = 0
    rows: int = 0
    candidates: dict[str, Row] = field(default_factory=dict)


class Verifier:
    """Compares the tables of a mirror with Clerk. `wait` sleeps, and may raise what is to end everything.

    So many of a table's objects that differ are kept `whole`, to be written: all of them may be too much.
    """

    def __init__(
        self,
        api: BackendApi,
        mirroring: Mirroring,
        owed: Owed,
        *,
        wait: Callable[[float], object] = time.sleep,
        on_progress: Callable[[str, int], None] = lambda table, objects: None,
        whole: int = 0,
        limit: int = LIMIT,
    ) -> None:
        self._api = api
        self._mirroring = mirroring
        self._owed = owed
        self._wait = wait
        self._on_progress = on_progress
        self._most_whole = whole
        self._whole = 0
        self._limit = limit

    def compare(self, table: str) -> Comparison:
        """Return what of a table differs from Clerk. Raises HubError where either side does not answer."""
        self._whole = self._most_whole
        try:
            first = self._first_look(table)
        except ClerkError as error:
            return Comparison(table=table, objects=0, rows=0, absent=absent(error))
        differing: tuple[Differing, ...] = ()
        if first.candidates:
            self._wait(SECOND_LOOK_SECONDS)
            differing = tuple(self._second_look(table, first.candidates))
        return Comparison(table=table, objects=first.objects, rows=first.rows, differing=differing)

    def _first_look(self, table: str) -> _FirstLook:
        first, mirror = _FirstLook(), self._mirroring.mirror
        lists = [pages(self._api, clerk_list, limit=self._limit) for clerk_list in lists_of(table)]
        for part in ranges(lists, self._limit):
            live = self._mirroring.call(mirror.live, table, part.after, part.until)
            rows = self._mirroring.call(mirror.find, table, part.objects)
            members = self._members(table, part.objects)
            for id_, look in part.objects.items():
                change, row = self._change(table, look), rows.get(id_)
                if change is not None and any(differences(change, row, members(id_))):
                    first.candidates[id_] = _ids({**(row or {}), **change.values})
            first.candidates |= {row["id"]: row for row in live if row["id"] not in part.objects}
            first.objects += len(part.objects)
            first.rows += len(live)
            self._on_progress(table, first.objects)
        for name in tables()[table].sets:
            for owner in self._mirroring.call(mirror.strays, name, table):
                first.candidates.setdefault(owner, {"id": owner})
        return first

    def _second_look(self, table: str, candidates: dict[str, Row]) -> Iterator[Differing]:
        """Yield what still differs; many candidates are looked for in the whole list again, page by page."""
        for seen in self._listed_again(table, candidates) if len(candidates) > ONE_BY_ONE else ():
            yield from self._differing(table, {id_: candidates.pop(id_) for id_ in seen}, seen)
        for ids in _batches(list(candidates)):
            rows = {id_: candidates[id_] for id_ in ids}
            yield from self._differing(
                table, rows, {id_: one(self._api, table, row) for id_, row in rows.items()}
            )

    def _differing(
        self, table: str, candidates: Mapping[str, Row], seen: Mapping[str, Look | None]
    ) -> Iterator[Differing]:
        keys = {id_: set(keys_of(table, row)) for id_, row in candidates.items()}
        # Before the rows are read: what is delivered in between is in them then.
        owed = set(self._owed(set().union(*keys.values())))
        rows = self._mirroring.call(self._mirroring.mirror.find, table, list(seen))
        members = self._members(table, seen)
        for id_, look in seen.items():
            if look is None or not owed.isdisjoint(keys[id_]):
                continue
            drift = self._judge(table, rows.get(id_), look, members(id_))
            if drift:
                yield Differing(id=id_, drift=drift, look=self._kept(look))

    def _judge(
        self, table: str, row: Row | None, look: Look, members: Mapping[str, Sequence[Row]]
    ) -> tuple[Drift, ...]:
        """Return what differs for sure: what was changed lately may still be on its way."""
        if look.value is None:
            if row is None or row["deleted_at"] is not None:
                return tuple(strays(members))
            is_sure = is_settled(row["_updated_at"] or 0, look.answered_at_ms)
            return (Drift(table=table, id=row["id"], kind=DriftKind.EXTRA),) if is_sure else ()
        change = self._change(table, look)
        if change is None or change.version is None:
            return ()
        is_sure = is_settled(change.version.updated_at, look.answered_at_ms)
        return tuple(differences(change, row, members)) if is_sure else ()

    def _kept(self, look: Look) -> Look:
        """Return what is kept of an object: all of it, or, once there are many, its id."""
        if look.value is None:
            return look
        self._whole -= 1
        return look if self._whole >= 0 else replace(look, value={"id": look.id})

    def _listed_again(self, table: str, candidates: Collection[str]) -> Iterator[dict[str, Look]]:
        """Yield those of the candidates that the lists still have, page by page; once each."""
        for clerk_list in lists_of(table):
            for page in pages(self._api, clerk_list, limit=self._limit):
                seen = {look.id: look for look in looks(page) if look.id in candidates}
                if seen:
                    yield seen

    def _change(self, table: str, look: Look) -> Change | None:
        """Return what an object would write; None for one that no table can have."""
        assert look.value is not None
        try:
            return self._mirroring.change(table, look.value, look.began_at_ms)
        except Unmirrorable:
            return None

    def _members(self, table: str, owners: Iterable[str]) -> Callable[[str], Mapping[str, Sequence[Row]]]:
        """Return a function from the id of one of these objects to its rows in each set."""
        ids, mirror = list(owners), self._mirroring.mirror
        sets: dict[str, dict[str, list[dict[str, Any]]]] = {
            name: self._mirroring.call(mirror.set_rows, name, ids) for name in tables()[table].sets
        }
        return lambda id_: {name: rows.get(id_, []) for name, rows in sets.items()}


def keys_of(table: str, row: Row) -> Iterator[str]:
    """Yield the keys of those objects whose events change a row: its own, and what it hangs on."""
    yield object_key(lists_of(table)[0].group, str(row["id"]))
    for parent in tables()[table].parents:
        if row.get(parent.column):
            yield object_key(lists_of(parent.table)[0].group, str(row[parent.column]))


def _ids(row: Row) -> Row:
    """Return the ids by which an object can be asked for: of many objects no more is kept."""
    return {name: row[name] for name in ("id", "organization_id", "user_id") if row.get(name)}


def _batches(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
