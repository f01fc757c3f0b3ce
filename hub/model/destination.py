"""Destinations: those that the user configured, and the state of each in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

_UNITS = {1.0: "s", 60.0: "m", 3600.0: "h"}


class OnUnknown(StrEnum):
    """A destination's choice after an unknown outcome."""

    RESEND = "resend"
    HOLD = "hold"


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """At most `count` messages in `seconds`, evenly paced, `burst` of them at once after a rest."""

    count: int
    seconds: float
    burst: int = 1

    def __str__(self) -> str:
        """Return it as users write it: `50/s`."""
        return f"{self.count}/{_UNITS.get(self.seconds, f'{self.seconds:g} s')}"


@dataclass(frozen=True, kw_only=True)
class DestinationConfig:
    """A named place to send to.

    `options` is the type's own block, validated; None while `missing` names the variables that are not
    set or no good: such a destination is not configured, and what it is owed waits. `fault` says what is
    wrong with them, without a value. `written` is the own block with `${NAME}` in it, for those who show it.
    """

    name: str
    type: str
    options: BaseModel | None = field(repr=False)
    missing: tuple[str, ...] = ()
    fault: str = ""
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)
    enabled: bool = True
    retry_seconds: tuple[float, ...]
    timeout_seconds: float
    give_up_after_seconds: float
    concurrency: int
    rate_limit: RateLimit | None = None
    on_unknown: OnUnknown = OnUnknown.RESEND
    timezone: str = "UTC"
    max_age_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class DestinationState:
    """The state of a destination, shared by every worker.

    `failures` counts those of the endpoint in a row: the first came at `failing_since`, the last has
    `last_error` and, where anything came back, `last_answer`, both without one-time secrets. While `probe_at`
    is set its breaker is open: the next probe may go then, after so many since it opened as `probes` says.
    `throttled_until` is the end of the rest that it asked for (429) for the `throttled_count`th time in a
    row, `rate_limited_until` the moment at which the hub's own limit lets the next message go.
    `give_up_after` counts from `available_since` if that is later.
    """

    name: str
    configured: bool = True
    available_since: datetime | None = None
    paused_at: datetime | None = None
    paused_reason: str | None = None
    failures: int = 0
    probe_at: datetime | None = None
    probes: int = 0
    throttled_until: datetime | None = None
    throttled_count: int = 0
    rate_limited_until: datetime | None = None
    failing_since: datetime | None = None
    last_error: str | None = None
    last_answer: str | None = None
