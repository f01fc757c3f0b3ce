"""A finding about the hub's health, as page, doctor, readiness, metrics and alerts show it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from hub.humanize import counted

HUB = "hub"
"""The subject of a finding that is about no destination or source."""


class FindingCode(StrEnum):
    """The kind of a finding, for machines."""

    CONFIGURATION = "configuration"
    RELOAD_REFUSED = "reload_refused"
    WATCH_STUCK = "watch_stuck"
    PROXY = "proxy"
    NOT_CONFIGURED = "not_configured"
    REFUSED = "refused"
    UNKNOWN_PATH = "unknown_path"
    SILENT = "silent"
    DATABASE = "database"
    DISK = "disk"
    CLOCK = "clock"
    PASSWORD = "password"  # noqa: S105
    UNTRUSTED_PROXY = "untrusted_proxy"
    NO_WORKER = "no_worker"
    PAUSED = "paused"
    FAILING = "failing"
    REMOVED = "removed"
    SWITCHED_OFF = "switched_off"
    ABANDONED = "abandoned"
    DEAD = "dead"
    HELD = "held"
    DEGRADED = "degraded"
    MIGRATION = "migration"
    DRIFT = "drift"
    GAPS = "gaps"
    ACCOUNTS = "accounts"


class FindingSeverity(StrEnum):
    """The urgency of a finding: bad needs somebody now, watch a decision; a note is worth knowing."""

    BAD = "bad"
    WATCH = "watch"
    NOTE = "note"


WAITING_CODES = (
    FindingCode.PAUSED,
    FindingCode.FAILING,
    FindingCode.NOT_CONFIGURED,
    FindingCode.MIGRATION,
    FindingCode.REMOVED,
    FindingCode.SWITCHED_OFF,
    FindingCode.NO_WORKER,
)
"""Findings whose `count` are the deliveries that wait because of it."""

_LOSSLESS = (FindingCode.FAILING, FindingCode.MIGRATION)

_COMMANDS = {
    FindingCode.FAILING: "hub deliveries --destination {name}",
    FindingCode.PAUSED: "hub resume {name}",
    FindingCode.REMOVED: "hub deliveries --destination {name} --state pending",
    FindingCode.SWITCHED_OFF: "hub deliveries --destination {name} --state pending",
    FindingCode.DEAD: "hub retry --state dead --destination {name}",
    FindingCode.HELD: "hub deliveries --state held --destination {name}",
    FindingCode.DEGRADED: "hub deliveries --degraded --destination {name}",
    FindingCode.DRIFT: "hub sync verify --to {name}",
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding in words: a headline that can stand alone, and parts of a sentence that begin small.

    `subject` is the name of a destination or source, else `hub`. `count` are the deliveries or problems that
    it is about; None where it is about none, or they were not counted. `cure` is the next thing to do,
    `next_try` the moment at which the hub tries again by itself.
    """

    code: FindingCode
    severity: FindingSeverity
    subject: str = HUB
    headline: str
    reason: str | None = None
    since: datetime | None = None
    count: int | None = None
    cure: str = ""
    next_try: datetime | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that the API answers."""
        return {name: value for name, value in vars(self).items() if name != "next_try"}

    @property
    def command(self) -> str:
        """The command that shows or cures it in a shell; empty where there is none."""
        command = _COMMANDS.get(self.code)
        return command.format(name=self.subject) if command and self.subject != HUB else ""

    @property
    def waiting(self) -> str:
        """The number of deliveries that wait because of it, in words; empty where none do."""
        if self.code not in WAITING_CODES or not self.count:
            return ""
        is_lossless = self.code in _LOSSLESS or self.severity is FindingSeverity.NOTE
        return counted(self.count, "waits", "wait") + (", nothing is lost" if is_lossless else "")
