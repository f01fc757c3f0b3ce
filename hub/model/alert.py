"""Alerts: findings that `problems:` is notified of, with the memory of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AlertKind(StrEnum):
    """A kind of alert. Deliveries died because their destination fails, or were refused one by one.

    What is turned away are requests of a source.
    """

    DIED = "died"
    REFUSED = "refused"
    PAUSED = "paused"
    FAILING = "failing"
    MIGRATION = "migration"
    RELOAD = "reload"
    DISK = "disk"
    TURNED_AWAY = "turned_away"
    UNKNOWN_PATH = "unknown_path"
    SILENT = "silent"
    DEGRADED = "degraded"


DEAD_LETTER_KINDS = (AlertKind.DIED, AlertKind.REFUSED)
"""Kinds of alerts about dead letters."""

AlertKey = tuple[AlertKind, str]


@dataclass(frozen=True, kw_only=True)
class Alert:
    """The memory of one alert: its beginning, and the last notification of it.

    `subject` is the destination or source; empty for the hub itself. `since` is None once it is over.
    `count` are deliveries that died since it began. `is_notified` means that its end is to be notified, too.
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
    def key(self) -> AlertKey:
        return self.kind, self.subject


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """Deliveries to one destination that died just now; `reason` is the last one's."""

    destination: str
    count: int
    reason: str
