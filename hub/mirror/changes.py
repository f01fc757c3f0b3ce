"""Changes of a mirror's rows, as an event or an answer of Clerk's API brings them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


@dataclass(frozen=True, order=True)
class Version:
    """The age of an object's columns: the greatest wins. Times are milliseconds.

    `seen_at` is the event's own time, or Clerk's when the request that read the object began; `event_id` is
    empty for such a reading.
    """

    updated_at: int
    seen_at: int
    event_id: str


NO_VERSION = Version(0, 0, "")
"""The version of a row that no event has brought columns."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object's change: a version with its values, a deletion, or both.

    `values` are by the table's columns, without the mirror's own but `raw`: times as milliseconds, JSON as it
    was parsed; a column that is not in it stays as it is. `rows` has all rows of each set, by its table.
    """

    table: str
    id: str
    version: Version | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    rows: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    deleted_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class OwnChange:
    """A change of the row of a table of the user's own that an object has.

    `table` may name its schema before a dot. `object` is the object's kind, as its event types begin. The row
    that `key` fits gets `values`, or is inserted with both; a deletion sets them where there is one, or
    `removes` it. All are JSON, times ISO 8601 or milliseconds.
    """

    table: str
    object: str
    id: str
    version: Version
    is_deletion: bool
    removes: bool = False
    key: Mapping[str, Any]
    values: Mapping[str, Any]


class Effect(StrEnum):
    """The effect of a change on the row of its object."""

    INSERTED = "inserted"
    UPDATED = "updated"
    KEPT = "kept the newer one"
    DELETED = "deleted"


def merged(changes: Iterable[Change]) -> list[Change]:
    """Return changes in the order of their ids: of an object the newest columns, the earliest deletion."""
    joined: dict[str, Change] = {}
    for change in changes:
        joined[change.id] = _joined(joined.get(change.id, change), change)
    return [joined[row_id] for row_id in sorted(joined)]


def _joined(one: Change, other: Change) -> Change:
    newest = max(one, other, key=version_of)
    deletions = [change.deleted_at for change in (one, other) if change.deleted_at is not None]
    return replace(newest, deleted_at=min(deletions, default=None))


def version_of(change: Change) -> Version:
    """Return the version of a change; that of a deletion alone is before all others."""
    return change.version or NO_VERSION
