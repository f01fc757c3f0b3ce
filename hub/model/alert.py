"""What the hub has to say of itself, and what was told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AlertKind(StrEnum):
    """What `problems:` tells of. Deliveries died because their destination fails, or each for itself."""

    DIED = "died"
    REFUSED = "refused"
    PAUSED = "paused"
    FAILING = "failing"
    RELOAD = "reload"
    DISK = "disk"
    QUIET = "quiet"


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something that somebody should know, and what was told of it so far.

    `subject` is the destination or source; empty for the hub itself. `since` is None once it is over.
    `count` are deliveries that died since it began. `is_notified` means that its end is to be told, too.
    """

    kind: AlertKind
    subject: str = ""
    since: datetime | None = None
    reason: str | None = None
    count: int = 0
    notified_at: datetime | None = None
    notified_count: int = 0
    is_notified: bool = False

    @property
    def key(self) -> tuple[AlertKind, str]:
        return self.kind, self.subject


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """Deliveries to one destination that died just now; `reason` is the last one's."""

    destination: str
    count: int
    reason: str
