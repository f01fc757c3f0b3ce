"""Drift, mended: what Clerk has is written, and deleted what Clerk has said is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hub.errors import HubError, Reject
from hub.mirror.changes import Change, Effect
from hub.sync.api import BackendApi
from hub.sync.lists import Look, one
from hub.sync.mirroring import Mirroring
from hub.sync.verify import Comparison, Differing

MOST_OBJECTS = 5_000
"""More are for a backfill, which writes them page by page: one at a time they take hours, and memory."""


@dataclass(frozen=True, kw_only=True)
class MaxDeletes:
    """The most rows of a table that a repair deletes: a share of its rows, at least one, or a number."""

    percent: float | None = 1.0
    count: int = 0

    def of(self, rows: int) -> int:
        """Return how many of so many rows may go."""
        return self.count if self.percent is None else max(int(rows * self.percent / 100), 1)

    def __str__(self) -> str:
        return f"{self.count}" if self.percent is None else f"{self.percent:g}%"


@dataclass(kw_only=True)
class Repaired:
    """The outcome of a repair: objects written and deleted, and those that the database would not take.

    `too_many` is how many rows would have gone, where that is more than may.
    """

    written: int = 0
    deleted: int = 0
    too_many: int = 0
    mended: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)


def repair(
    api: BackendApi,
    mirroring: Mirroring,
    comparison: Comparison,
    max_deletes: MaxDeletes,
    on_progress: Callable[[int], None] = lambda done: None,
) -> Repaired:
    """Mend what a comparison found, one object at a time: after a kill the rest is found another time."""
    repaired, table = Repaired(), comparison.table
    extra = [object_ for object_ in comparison.differing if object_.look.value is None]
    present = [object_ for object_ in comparison.differing if object_.look.value is not None]
    if len(present) > MOST_OBJECTS:
        raise HubError(
            f"{len(present):,} objects of {table} are missing or stale; first run hub sync backfill --only "
            f"{table}, which writes them page by page"
        )
    deleted_here = _deleted_here(mirroring, table, [object_.id for object_ in present])
    if len(extra) > max_deletes.of(comparison.rows):
        repaired.too_many, extra = len(extra), []
    for number, object_ in enumerate([*present, *extra], 1):
        try:
            if object_.look.value is None:
                delete(mirroring, table, object_.id, object_.look)
                repaired.deleted += 1
            else:
                repaired.written += _write(api, mirroring, table, object_, object_.id in deleted_here)
            repaired.mended.add(object_.id)
        except Reject as error:
            repaired.refused[object_.id] = str(error)
        on_progress(number)
    return repaired


def _deleted_here(mirroring: Mirroring, table: str, ids: Sequence[str]) -> set[str]:
    """Return those of the objects that count as deleted in the mirror, with a row or without."""
    if not ids:
        return set()
    rows = mirroring.call(mirroring.mirror.find, table, ids)
    marked = {id_ for id_, row in rows.items() if row["deleted_at"] is not None}
    return marked | set(mirroring.call(mirroring.mirror.tombstones, table, ids))


def _write(
    api: BackendApi, mirroring: Mirroring, table: str, object_: Differing, is_deleted_here: bool
) -> bool:
    """Write an object, its deletion taken back once Clerk has shown that very one to be alive.

    False where nothing was written, because a newer event was, or because Clerk has it no more.
    """
    look: Look | None = object_.look
    assert look is not None
    change = mirroring.change(table, look.value or {}, look.began_at_ms)
    if not is_deleted_here:
        (effect,) = mirroring.call(mirroring.mirror.apply_page, [change], state={})
        return effect is not Effect.KEPT
    look = one(api, table, {**change.values, "id": object_.id})
    if look is None or look.value is None:
        return False
    revive(mirroring, table, look)
    return True


def delete(mirroring: Mirroring, table: str, id_: str, look: Look) -> None:
    """Mark a row as deleted, with what hangs on it, as of when Clerk said that the object is gone."""
    change = Change(table=table, id=id_, deleted_at=look.answered_at_ms)
    mirroring.call(mirroring.mirror.apply, change, instance_id=None)


def revive(mirroring: Mirroring, table: str, look: Look) -> Effect:
    """Write an object that Clerk has shown to be alive, and take back its deletion."""
    assert look.value is not None
    return mirroring.call(mirroring.mirror.revive, mirroring.change(table, look.value, look.began_at_ms))
