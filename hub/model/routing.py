"""Routes and sends, and the outcome of matching an event against them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

UNMATCHED, PROBLEMS = "unmatched", "problems"
"""The routes' names in deliveries of the blocks of these names."""

KEPT_NAMES = {UNMATCHED: "events that no route matched", PROBLEMS: "what the hub itself has to say"}
"""The names that no route may have, each with what it is kept for."""

_RELAYED = {"email.created": "data.to_email_address", "sms.created": "data.to_phone_number"}
"""Types of messages that Clerk may leave to the application, and the field that names whom they are for."""


class SendVerdict(NamedTuple):
    """The decision of a send block that makes no delivery: the condition that failed, and the value it saw.

    `position` is that of the block among its route's to that destination. With `unset` it is not decided.
    """

    to: str
    position: int
    condition: str
    value: str
    unset: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The decision of a route whose `events` fit an event.

    `condition` is the first that failed, as the user wrote it; `value` what it saw, or the error. With
    `unset` it is not decided: the condition needs variables of those names, which were not set. `owed` are
    the deliveries that it makes; `unowed` says why it makes fewer than it has sends: `crm is switched off`.
    `sends` are those whose own conditions do not hold.
    """

    route: str
    matched: bool
    condition: str | None = None
    value: str | None = None
    unset: tuple[str, ...] = ()
    owed: int = 0
    unowed: str | None = None
    sends: tuple[SendVerdict, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RoutedSend:
    """A send that an event is owed, and the route that asks for it, or `unmatched`."""

    route: str
    send: Send


@dataclass(frozen=True, kw_only=True)
class Routing:
    """The outcome for one event.

    `routes` names those that take it, `sends` makes a delivery each, and `verdicts` has all routes that fit.
    `version` is that of the user's files, which decided; None where no rules did.
    """

    routes: tuple[str, ...] = ()
    sends: tuple[RoutedSend, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    version: str | None = None


@dataclass(frozen=True, kw_only=True)
class Send:
    """A send block: a destination's name and the fields it takes beside `to`, unrendered.

    `${NAME}` stays in their texts; `unset` are those that are not set here, `undecided` those of its
    conditions, by condition. `max_age_seconds` is the shortest of its own, its route's and its destination's.
    `position` counts its route's blocks to the same destination; `line` is where it stands in routes.yaml, 0
    where it comes from elsewhere. It is owed events of the `mirrored` types alone; None: of any.
    """

    to: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    position: int = field(default=0, compare=False)
    when: tuple[str, ...] = ()
    undecided: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    max_age_seconds: float | None = None
    unset: tuple[str, ...] = field(default=(), compare=False)
    mirrored: frozenset[str] | None = field(default=None, compare=False)
    line: int = field(default=0, compare=False)


def positioned(sends: Sequence[Send]) -> tuple[Send, ...]:
    """Return the send blocks of a route, each with its position among those to the same destination."""
    return tuple(
        replace(send, position=sum(earlier.to == send.to for earlier in sends[:index]))
        for index, send in enumerate(sends)
    )


@dataclass(frozen=True, kw_only=True)
class Route:
    """A rule: events, conditions on them, and the sends of each event that meets them.

    `${NAME}` stays in the conditions; `unset` has, by condition, those that are not set here.
    """

    name: str
    events: tuple[str, ...]
    sources: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    unset: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sends: tuple[Send, ...] = ()
    stop: bool = False
    enabled: bool = True
    allow: tuple[str, ...] = ()
    line: int = 0


def event_matches(pattern: str, event_type: str) -> bool:
    """Return True where an event type fits a pattern: itself, or one whose `*` stand for any characters."""
    return pattern == event_type or ("*" in pattern and bool(_glob(pattern).fullmatch(event_type)))


def is_relayed(event_type: str, routes: Iterable[Route]) -> bool:
    """Return True where a route sends Clerk's own mail or text messages on to those whom they are for."""
    recipient = _RELAYED.get(event_type)
    return recipient is not None and any(
        recipient in str(send.fields.get("recipient"))
        for route in routes
        if route.enabled and any(event_matches(pattern, event_type) for pattern in route.events)
        for send in route.sends
    )


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)
