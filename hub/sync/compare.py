"""An object of Clerk's and the rows that a mirror has of it, held against each other; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from hub.mirror.changes import Change
from hub.mirror.tables import tables
from hub.model.mirror import DriftKind

SETTLED_MS = 5 * 60 * 1000
"""What was changed so short a time ago may still be on its way to the hub."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One row that differs from Clerk.

    `columns` are those that do, of a stale row; `owner` is the object that a row of a set belongs to.
    """

    table: str
    id: str
    kind: DriftKind
    columns: tuple[str, ...] = ()
    owner: str = ""


def differences(change: Change, row: Row | None, members: Mapping[str, Sequence[Row]]) -> Iterator[Drift]:
    """Yield the differences between an object of Clerk's and its row, with those of its sets.

    `change` is what the object would write; a row that is deleted counts as none, and one that is newer than
    the object does not differ.
    """
    assert change.version is not None
    if row is None or row["deleted_at"] is not None:
        yield Drift(table=change.table, id=change.id, kind=DriftKind.MISSING)
        return
    if row["_updated_at"] is not None and row["_updated_at"] > change.version.updated_at:
        return
    columns = _differing(change.table, change.values, row)
    if columns:
        yield Drift(table=change.table, id=change.id, kind=DriftKind.STALE, columns=columns)
    for name, expected in change.rows.items():
        yield from _of_set(name, change.id, expected, members.get(name, ()))


def strays(members: Mapping[str, Sequence[Row]]) -> Iterator[Drift]:
    """Yield the rows of the sets of an object that neither side has."""
    for name, rows in members.items():
        for row in rows:
            yield Drift(table=name, id=row["id"], kind=DriftKind.EXTRA, owner=row["user_id"])


def is_settled(updated_at_ms: int, now_ms: int) -> bool:
    """Return True where an object was last changed long enough ago, by Clerk's clock."""
    return updated_at_ms < now_ms - SETTLED_MS


def _of_set(name: str, owner: str, expected: Sequence[Row], actual: Collection[Row]) -> Iterator[Drift]:
    there = {row["id"]: row for row in actual}
    for values in expected:
        row = there.pop(values["id"], None)
        columns = _differing(name, values, row) if row is not None else ()
        if row is None:
            yield Drift(table=name, id=values["id"], kind=DriftKind.MISSING, owner=owner)
        elif columns:
            yield Drift(table=name, id=values["id"], kind=DriftKind.STALE, columns=columns, owner=owner)
    for id_ in there:
        yield Drift(table=name, id=id_, kind=DriftKind.EXTRA, owner=owner)


def _differing(table: str, values: Row, row: Row) -> tuple[str, ...]:
    return tuple(name for name in _compared(table) if name in values and values[name] != row[name])


@cache
def _compared(table: str) -> tuple[str, ...]:
    """Return the typed columns of a table that stay as they are until the object is edited."""
    own = [column for column in tables()[table].columns if column.path or column.name == "primary_email"]
    return tuple(column.name for column in own if not column.moves)
