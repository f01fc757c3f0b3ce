"""The last that is known of a mirror: its tables' rows, when they were filled and compared, what differs."""

from __future__ import annotations

from dataclasses import dataclass
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
