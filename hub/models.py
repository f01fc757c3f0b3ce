"""The nouns of the hub: frozen values that every other module passes around.

Nothing here reads a file, a clock or a database.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import BaseModel

Message = dict[str, Any]
"""What one delivery sends: a JSON object whose keys are its destination type's own."""

RAW = "raw"
"""The key of a message that is the event itself, byte for byte, and therefore not kept twice."""

UNMATCHED = "unmatched"
"""Stands as the route's name in deliveries of the `unmatched` block; no route may be called so."""

HUB_SOURCE = "hub"
"""The source of the hub's own events; no source in routes.yaml may be called so."""

MESSAGE_LIMIT_BYTES = 256 * 1024
"""A rendered message larger than this is a render failure."""


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    HELD = "held"
    CANCELLED = "cancelled"


FINISHED = (State.DELIVERED, State.CANCELLED)
"""States in which nothing is owed any more; a dead or held delivery still waits for an operator."""


class Outcome(StrEnum):
    """What came of one attempt; `unknown` means that the message may have been accepted."""

    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


class OnUnknown(StrEnum):
    """What a destination wants done after an unknown outcome."""

    RESEND = "resend"
    HOLD = "hold"


class Severity(StrEnum):
    """An error stops a start or fails `hub check`; a warning fails only `hub check --strict`."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """One thing wrong with the user's files. Line and column count from 1."""

    file: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.severity}[{self.code}]: {self.message}"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(prefix: str, now: datetime) -> str:
    """An id like `evt_0192f1a2b3c4d5e6f7a8b9c0d1e2`: sorts by time, in milliseconds and then 4096ths of one.

    52 random bits follow. What the hub is sent one after the other comes at its place, however fast it is.
    """
    return f"{first_id(prefix, now)}{now.microsecond % 1000 * 4096 // 1000:03x}{random.getrandbits(52):013x}"


def first_id(prefix: str, moment: datetime) -> str:
    """What sorts before every id of that moment and later ones."""
    return f"{prefix}_{max((moment - _EPOCH) // timedelta(milliseconds=1), 0):012x}"


# -- what arrives ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Event:
    """One verified request from a source. `payload` is its body, byte for byte: a JSON object."""

    id: str
    source: str
    message_id: str
    type: str
    payload: bytes
    received_at: datetime

    @cached_property
    def body(self) -> dict[str, Any]:
        """The payload, parsed."""
        body = json.loads(self.payload)
        return body if isinstance(body, dict) else {}

    @property
    def data(self) -> Any:
        """What the event is about; an empty mapping where the payload has none."""
        return self.body.get("data") or {}

    @property
    def timestamp(self) -> datetime:
        """When it happened, as its sender says (milliseconds; below 1e11 seconds); else when it came."""
        value = self.body.get("timestamp")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2.5e14:
            return self.received_at
        return datetime.fromtimestamp(value if value < 1e11 else value / 1000, UTC)

    @property
    def instance_id(self) -> str:
        """The Clerk instance it came from, or nothing."""
        value = self.body.get("instance_id")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why a route whose `events` fit an event took it or not.

    `condition` is the first that failed, as the user wrote it; `value` what it saw, or the error.
    """

    route: str
    matched: bool
    condition: str | None = None
    value: str | None = None


@dataclass(frozen=True, kw_only=True)
class Matched:
    """A route that takes an event, or the `unmatched` block, with what it sends."""

    route: str
    sends: tuple[Send, ...]


@dataclass(frozen=True, kw_only=True)
class Routing:
    """What the rules say of one event: whom it is owed to, and why the other routes do not want it."""

    matched: tuple[Matched, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def routes(self) -> tuple[str, ...]:
        """The names of the routes that matched; `unmatched` is none."""
        return tuple(m.route for m in self.matched if m.route != UNMATCHED)

    @property
    def owed(self) -> int:
        """How many deliveries it makes."""
        return sum(len(matched.sends) for matched in self.matched)


# -- what the configuration is made of ------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """A named sender. `secrets` is empty while `missing` names the variables that are not set."""

    name: str
    type: str
    path: str
    secrets: tuple[str, ...] = field(repr=False)
    missing: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extra_events: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """At most `count` messages in `seconds`, evenly paced, `burst` of them at once after a rest."""

    count: int
    seconds: float
    burst: int = 1

    @property
    def interval_seconds(self) -> float:
        return self.seconds / self.count


@dataclass(frozen=True, kw_only=True)
class DestinationConfig:
    """A named place to send to.

    `options` is the type's own block, validated; None while `missing` names the variables that are not
    set: such a destination is not configured, and what it is owed waits.
    """

    name: str
    type: str
    options: BaseModel | None = field(repr=False)
    missing: tuple[str, ...] = ()
    enabled: bool = True
    retry_seconds: tuple[float, ...]
    timeout_seconds: float
    give_up_after_seconds: float
    concurrency: int
    rate_limit: RateLimit | None = None
    on_unknown: OnUnknown = OnUnknown.RESEND


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
    """A rule: which events, under what conditions, and what to send where."""

    name: str
    events: tuple[str, ...]
    sources: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    sends: tuple[Send, ...] = ()
    stop: bool = False
    enabled: bool = True
    allow: tuple[str, ...] = ()
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything the user's files say, checked in itself.

    `version` changes with any byte of routes.yaml or a template. `templates` maps each file's path below
    the templates folder (`slack/waitlist.j2`) to its text.
    """

    version: str
    sources: Mapping[str, SourceConfig]
    destinations: Mapping[str, DestinationConfig]
    routes: tuple[Route, ...]
    unmatched: tuple[Send, ...] = ()
    problems: tuple[Send, ...] = ()
    quiet_after_seconds: float | None = None
    templates: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()

    def sends_of(self, route: str) -> tuple[Send, ...]:
        """Today's send blocks of a route by its name; empty where it is gone."""
        if route == UNMATCHED:
            return self.unmatched
        return next((r.sends for r in self.routes if r.name == route), ())


# -- what the user's tests say --------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A message that a case expects, and what must be true of it; what is None or empty is not asked for.

    `contains` and `matches` (regular expressions) hold anywhere in the message, `equals` is the whole of its
    text or body, `json` a part of its JSON. `line` and `column` say where it stands in routes.test.yaml.
    """

    to: str
    route: str | None = None
    contains: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    equals: str | None = None
    json: Any = None
    subject: str | None = None
    recipient: tuple[str, ...] = ()
    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Case:
    """An event, and every message that the routes must make of it."""

    name: str
    event: Event = field(repr=False)
    expect: tuple[Expectation, ...]
    line: int
    column: int


# -- what is owed ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A delivery that this worker may work on until its lease runs out.

    `token` fences its result: a worker that comes late with an old token changes nothing. `attempts`
    counts all that were made, `tries` those since the schedule last began anew. `message` is None until
    the first attempt rendered it. `accepted` are recipients that need no further mail.
    """

    id: str
    token: str
    event: Event
    route: str
    destination: str
    send: Send
    attempts: int
    tries: int
    message: Message | None
    degraded: str | None
    accepted: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What a destination needs to know to make one try of one delivery.

    `delivery_id` stays the same over all tries. `timeout_seconds` is wall clock for everything, name
    look-up and the last body byte included. `accepted` are recipients that have the message already.
    """

    delivery_id: str
    event_id: str
    event_type: str
    payload: bytes = field(repr=False)
    number: int
    at: datetime
    timeout_seconds: float
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A destination's word that it has the message.

    `detail` is one line for people; `status` the protocol's code; `accepted` who has it, for mail.
    """

    detail: str
    status: int | None = None
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """What becomes of a delivery after an attempt, or without one (`outcome` None).

    `tries` and `accepted` replace what was kept; `due_at` counts where the state is pending.
    """

    claim: Claim
    state: State
    reason: str | None
    due_at: datetime | None = None
    tries: int
    accepted: tuple[str, ...] = ()
    outcome: Outcome | None = None
    status: int | None = None
    detail: str = ""
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class DestinationState:
    """What the store knows of a destination, shared by every worker.

    `failures` counts retryable ones in a row; while `probe_at` is set its breaker is open and one probe
    may go then. `hold_until` is a rest that it asked for, `paced_until` when `rate_limit` lets the next
    message go. `give_up_after` counts from `available_since` where that is later.
    """

    name: str
    configured: bool = True
    available_since: datetime | None = None
    paused_at: datetime | None = None
    paused_reason: str | None = None
    failures: int = 0
    probe_at: datetime | None = None
    probe_seconds: float = 0.0
    hold_until: datetime | None = None
    paced_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A message, and why it is not the one the user asked for where it is `degraded`."""

    message: Message
    degraded: str | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The built-in words for an event: a headline and its telling fields, as (label, value) pairs.

    All of it is untrusted text, unescaped.
    """

    headline: str
    fields: tuple[tuple[str, str], ...] = ()
