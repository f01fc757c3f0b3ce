"""What operators see of the store: events, deliveries and attempts as they were kept, and all in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hub.models import Message, Outcome, State, Verdict

OLDEST_BEAT = timedelta(seconds=60)
"""A worker that gave no sign of life for so long counts as not running."""


@dataclass(frozen=True, kw_only=True)
class EventRecord:
    """A kept event. `payload` is None once it was pruned; `states` counts its deliveries by state."""

    id: str
    source: str
    message_id: str
    type: str
    received_at: datetime
    verdicts: tuple[Verdict, ...]
    payload: bytes | None = field(default=None, repr=False)
    states: Mapping[State, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """One try that was made. `outcome` and `seconds` are None while it is under way."""

    number: int
    at: datetime
    seconds: float | None
    outcome: Outcome | None
    status: int | None
    detail: str | None


@dataclass(frozen=True, kw_only=True)
class DeliveryRecord:
    """A kept delivery. `payload` is its event's where its message may hold secrets of that, else None."""

    id: str
    event: str
    type: str
    route: str
    destination: str
    state: State
    reason: str | None
    attempts: int
    due_at: datetime | None
    created_at: datetime
    delivered_at: datetime | None
    degraded: str | None
    message: Message | None
    payload: bytes | None = field(default=None, repr=False)
    attempt_list: tuple[AttemptRecord, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stats:
    """The store in numbers. `deliveries` counts by destination and state; `oldest_due` is by destination."""

    events: int
    events_last_day: int
    last_event_at: datetime | None
    deliveries: Mapping[tuple[str, State], int]
    oldest_due: Mapping[str, datetime]
    worker_beat_at: datetime | None
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


class TroubleKind(StrEnum):
    """What `problems:` tells of. Deliveries died because their destination fails, or each for itself."""

    DIED = "died"
    REFUSED = "refused"
    PAUSED = "paused"
    FAILING = "failing"
    RELOAD = "reload"
    DISK = "disk"
    QUIET = "quiet"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that somebody should know, and what was told of it so far.

    `subject` is the destination or source; empty for the hub itself. `since` is None once it is over.
    `count` are deliveries that died since it began. `is_told` means that its end is to be told, too.
    """

    kind: TroubleKind
    subject: str = ""
    since: datetime | None = None
    reason: str | None = None
    count: int = 0
    told_at: datetime | None = None
    told_count: int = 0
    is_told: bool = False

    @property
    def key(self) -> tuple[TroubleKind, str]:
        return self.kind, self.subject


@dataclass(frozen=True, kw_only=True)
class Deaths:
    """Deliveries to one destination that died just now; `reason` is the last one's."""

    destination: str
    count: int
    reason: str


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
