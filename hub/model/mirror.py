"""The last that is known of a mirror: its tables' rows, when they were filled and compared, what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class DriftKind(StrEnum):
    """A difference between Clerk and a mirror.

    The mirror has no row of an object that Clerk has, or one with other columns, or one that Clerk has not.
    """

    MISSING = "missing"
    STALE = "stale"
    EXTRA = "extra"


@dataclass(frozen=True, kw_only=True)
class MirrorTable:
    """One table of a mirror, as of its last backfill or comparison.

    `rows` are those that are not deleted, `newest_at` is when one was last written. The three counts are None
    where the table was never compared.
    """

    name: str
    rows: int | None = None
    newest_at: datetime | None = None
    backfilled_at: datetime | None = None
    verified_at: datetime | None = None
    missing: int | None = None
    stale: int | None = None
    extra: int | None = None

    @property
    def drift(self) -> int:
        """The rows that differ from Clerk, 0 where nobody compared."""
        return (self.missing or 0) + (self.stale or 0) + (self.extra or 0)


@dataclass(frozen=True, kw_only=True)
class GapsSummary:
    """The last search for changes of which no event came: when, how many seconds back, and its counts."""

    at: datetime
    window_seconds: float
    never_heard_of: int
    missed: int
    may_still_come: int

    @property
    def lost(self) -> int:
        """The changes that nothing tells any more."""
        return self.never_heard_of + self.missed


@dataclass(frozen=True, kw_only=True)
class CompareFailure:
    """The last comparison of a mirror, which could not be made: when, and why in words."""

    at: datetime
    reason: str


MOST_COUNTED = 10_000
"""So many deliveries at most are counted of those that wait for the same parts."""


@dataclass(frozen=True, kw_only=True)
class PartWait:
    """Deliveries that wait for parts of their destination, such as tables.

    `reason` is that of the newest, and says what is to be done; `since` is when the oldest became owed.
    `count` is None where there are more than `MOST_COUNTED`.
    """

    parts: tuple[str, ...]
    reason: str
    since: datetime
    count: int | None


@dataclass(frozen=True, kw_only=True)
class MirrorFacts:
    """The mirrors, by their destinations, as of when each was last filled or compared.

    `failures` are comparisons that could not be made; `gaps` is the last search for events that never came.
    `waits` are deliveries that wait for tables.
    """

    tables: Mapping[str, tuple[MirrorTable, ...]] = field(default_factory=dict)
    failures: Mapping[str, CompareFailure] = field(default_factory=dict)
    gaps: GapsSummary | None = None
    waits: Mapping[str, tuple[PartWait, ...]] = field(default_factory=dict)


NO_MIRRORS = MirrorFacts()
"""The facts where there is no mirror, or nobody looked."""
