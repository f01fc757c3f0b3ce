"""The store in numbers, and how the database itself is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.model.delivery import State

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
        """Deliveries in a state, of one destination or of all."""
        return sum(
            count
            for (name, its_state), count in self.deliveries.items()
            if its_state == state and destination in (None, name)
        )


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Rows that should not be there: how many, in words that go on from the number, and one's id."""

    what: str
    count: int
    example: str


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """What all events together are owed, counted when they came, and the deliveries that are there."""

    owed: int
    states: Mapping[State, int]
    faults: tuple[Fault, ...]


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is free on the volume that the database lies on, and what it takes up itself, in bytes."""

    free: int
    total: int
    used: int

    @property
    def is_scarce(self) -> bool:
        """Whether the volume fills: under half a GiB is free, or of a small one under a tenth."""
        return self.free < min(self.total // 10, 512 * 1024 * 1024)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a database says of itself, without `troubles` where it is in order.

    `connections` are those in use and those allowed. `clock_ahead_seconds` is its clock against this
    machine's; None where there is only one. `room` is None where its volume cannot be seen.
    """

    name: str
    troubles: tuple[str, ...] = ()
    connections: tuple[int, int] | None = None
    clock_ahead_seconds: float | None = None
    room: Room | None = None
