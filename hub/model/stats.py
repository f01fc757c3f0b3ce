"""The store in numbers, and a database's own account of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.model.delivery import Outcome, State

DELIVERY_SECONDS_BOUNDS = (0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 86400.0)
"""The buckets of `hub_delivery_seconds`, in seconds; pruned deliveries are counted in the same ones."""

WORKER_SILENT_AFTER = timedelta(seconds=60)
"""A worker that gave no sign of life for so long counts as not running."""


@dataclass(frozen=True, kw_only=True)
class Stats:
    """The store in numbers. `deliveries` counts by destination and state; `oldest_due` is by destination."""

    events: int
    events_last_day: int
    last_event_at: datetime | None
    deliveries: Mapping[tuple[str, State], int]
    oldest_due: Mapping[str, datetime]
    worker_seen_at: datetime | None
    now: datetime

    def count(self, state: State, destination: str | None = None) -> int:
        """Return how many deliveries are in a state, of one destination or of all."""
        return sum(
            count
            for (name, its_state), count in self.deliveries.items()
            if its_state == state and destination in (None, name)
        )


@dataclass(frozen=True, kw_only=True)
class Degradation:
    """Messages to one destination that went out in another form; `reason` is the last one's."""

    destination: str
    count: int
    since: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class StuckCause:
    """Deliveries of one reason; `answer` is the start of what came back with the newest, else empty."""

    count: int
    reason: str
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class Stuck:
    """The newest deliveries to a destination that are dead, or held: the first of them was `since` then.

    Most frequent cause first. `since` is None where none was ever tried.
    """

    since: datetime | None = None
    causes: tuple[StuckCause, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FailureCause:
    """Attempts at one destination that ended in the same way, and the messages that they were of.

    `detail` is without one-time secrets; `latest` is the id of the newest of the deliveries.
    """

    outcome: Outcome
    status: int | None
    detail: str
    attempts: int
    messages: int
    first_at: datetime
    last_at: datetime
    latest: str


@dataclass(frozen=True, kw_only=True)
class Day:
    """The last 24 hours of one destination by half hours, the oldest first: 48 numbers each.

    `sent` counts messages by when they arrived, `failed` and `unknown` attempts by when they began.
    """

    sent: tuple[int, ...] = (0,) * 48
    failed: tuple[int, ...] = (0,) * 48
    unknown: tuple[int, ...] = (0,) * 48


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The newest events of a time, and those of them that each route took; `unmatched` those that none did.

    `is_whole` is False where more came than are looked at.
    """

    counts: Mapping[str, int]
    events: int
    is_whole: bool


@dataclass(frozen=True, kw_only=True)
class Discrepancy:
    """Rows that should not be there: their number, a description that goes on from it, and the id of one."""

    description: str
    count: int
    example: str


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """All events' deliveries as they were counted when they became owed, and those that are there."""

    owed: int
    states: Mapping[State, int]
    discrepancies: tuple[Discrepancy, ...]


@dataclass(frozen=True, kw_only=True)
class DiskSpace:
    """The volume that the database lies on, and the part of it that the database takes, in bytes.

    `file` is the name of the database's file, without its folder; `daily` are the bytes that a day like the
    last one adds to it, 0 where nobody counted.
    """

    free: int
    total: int
    used: int
    file: str = ""
    daily: int = 0

    @property
    def is_low(self) -> bool:
        """True where under half a GiB is free, or of a small volume under a tenth."""
        return self.free < min(self.total // 10, 512 * 1024 * 1024)


@dataclass(frozen=True, kw_only=True)
class DatabaseStatus:
    """A database's own account of itself, without `problems` where it is in order.

    `newer_revision` is that of a newer hub, which has migrated it. `is_pooled`: a pooler stands before it.
    `connections` are those in use and those allowed. `clock_ahead_seconds` is its clock against this
    machine's; None where there is only one. `disk` is None where its volume cannot be seen.
    """

    name: str = ""
    problems: tuple[str, ...] = ()
    newer_revision: str | None = None
    is_pooled: bool = False
    connections: tuple[int, int] | None = None
    clock_ahead_seconds: float | None = None
    disk: DiskSpace | None = None
