"""The state of a source: when its last genuine request came, and what was refused since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

NO_SOURCE, UNKNOWN_PATH = "", "unknown_path"
"""Name and code by which signed requests are counted that come to a path which no source has."""


@dataclass(frozen=True, kw_only=True)
class Refusals:
    """Requests with complete headers that were refused, none accepted between them.

    `counts` is by code. `clock_ahead_seconds` is how far this machine's clock is ahead of the sender's, the
    median of the latest that a signature vouches for; None where there is none.
    """

    since: datetime
    last_at: datetime
    counts: Mapping[str, int]
    clock_ahead_seconds: float | None = None

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    @property
    def code(self) -> str:
        """The code of most of them."""
        return max(self.counts, key=lambda code: (self.counts[code], code))


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """The state of a source, shared by all processes; `refused` are the refusals since `accepted_at`."""

    name: str
    accepted_at: datetime | None = None
    refused: Refusals | None = None


@dataclass(frozen=True, kw_only=True)
class SourceCounts:
    """The requests to a source that one process saw lately.

    `seen` is the source's state as far as they tell it, `counts` all that was refused, by code.
    """

    seen: SourceState
    counts: Mapping[str, int] = field(default_factory=dict)


def merge(state: SourceState, seen: SourceState) -> SourceState:
    """Return a source's state with what was seen of it beside: an acceptance ends what began before it."""
    accepted_at = max(filter(None, (state.accepted_at, seen.accepted_at)), default=None)
    current = [
        refused
        for refused in (state.refused, seen.refused)
        if refused is not None and (accepted_at is None or refused.since > accepted_at)
    ]
    return replace(state, accepted_at=accepted_at, refused=reduce(_joined, current) if current else None)


def _joined(one: Refusals, other: Refusals) -> Refusals:
    latest, before = (one, other) if one.last_at > other.last_at else (other, one)
    is_known = latest.clock_ahead_seconds is not None
    return Refusals(
        since=min(one.since, other.since),
        last_at=latest.last_at,
        counts=Counter(one.counts) + Counter(other.counts),
        clock_ahead_seconds=(latest if is_known else before).clock_ahead_seconds,
    )
