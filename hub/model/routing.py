"""Routes and sends, and the outcome of matching an event against them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

UNMATCHED = "unmatched"
"""The route's name in deliveries of the `unmatched` block; no route may be called so."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The decision of a route whose `events` fit an event.

    `condition` is the first that failed, as the user wrote it; `value` what it saw, or the error.
    """

    route: str
    matched: bool
    condition: str | None = None
    value: str | None = None


@dataclass(frozen=True, kw_only=True)
class Matched:
    """A route that takes an event, or the `unmatched` block, with its sends."""

    route: str
    sends: tuple[Send, ...]


@dataclass(frozen=True, kw_only=True)
class Routing:
    """The outcome for one event: the routes that take it, and the verdict of every route that fits."""

    matched: tuple[Matched, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def routes(self) -> tuple[str, ...]:
        """The names of the routes that matched; `unmatched` is none."""
        return tuple(matched.route for matched in self.matched if matched.route != UNMATCHED)

    @property
    def owed(self) -> int:
        """The number of deliveries that it makes."""
        return sum(len(matched.sends) for matched in self.matched)


@dataclass(frozen=True, kw_only=True)
class Send:
    """A send block: a destination's name and the fields it takes beside `to`, unrendered.

    `line` is where it stands in routes.yaml; 0 where it comes from elsewhere.
    """

    to: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A rule: events, conditions on them, and the sends of each event that meets them."""

    name: str
    events: tuple[str, ...]
    sources: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    sends: tuple[Send, ...] = ()
    stop: bool = False
    enabled: bool = True
    allow: tuple[str, ...] = ()
    line: int = 0


def event_matches(pattern: str, event_type: str) -> bool:
    """Return True where an event type fits a pattern: itself, or one whose `*` stand for any characters."""
    return pattern == event_type or ("*" in pattern and bool(_glob(pattern).fullmatch(event_type)))


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
