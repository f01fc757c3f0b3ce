"""A delivery on its way: claimed, attempted and settled by a worker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from hub.model.event import Event
from hub.model.routing import Send
from hub.model.thread import Thread

Message = dict[str, Any]
"""The content that one delivery sends: a JSON object whose keys are its destination type's own."""

RAW = "raw"
"""The key of a message that is the event itself, byte for byte, and therefore not kept twice."""

MARKS = "${}"
"""The key of a message whose texts hold marks for variables of the environment, with what each stands for."""

MESSAGE_LIMIT_BYTES = 256 * 1024
"""A rendered message larger than this is a render failure."""


LONGEST_TIMEOUT_SECONDS = 600.0
"""An attempt may take at most so long: `timeout` is no longer."""

LEASE_MARGIN = timedelta(seconds=15)
"""A lease lasts for an attempt's time-out and this: a worker that is silent for longer has died."""

LONGEST_LEASE = timedelta(seconds=LONGEST_TIMEOUT_SECONDS) + LEASE_MARGIN


class State(StrEnum):
    """The state of a delivery."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"
    HELD = "held"
    CANCELLED = "cancelled"


FINISHED = (State.DELIVERED, State.CANCELLED)
"""States in which nothing is owed any more; a dead or held delivery still waits for an operator."""


class Outcome(StrEnum):
    """The end of one attempt; `unknown` means that the message may have been accepted."""

    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A delivery that this worker may attempt until its lease runs out: the attempt is recorded.

    `token` fences its result: a worker that comes late with an old token changes nothing. `attempts` counts
    all that were made, this one included, `tries` those since the schedule last began anew. `message` is None
    until an outcome was kept with it; `rendering` counts from 1 how often it was made. `accepted` are
    recipients that need no further mail, or posts that are there already. `version` of the user's files
    decided it and has its templates; None where any do. `probe` is set where the destination's breaker is
    open and this one attempt is to show that it accepts again: the number of probes before it.
    `valid_until` is set where a `max_age` holds: from then on it is not sent.
    """

    id: str
    token: str
    event: Event
    route: str
    destination: str
    version: str | None = None
    send: Send
    attempts: int
    tries: int
    message: Message | None
    rendering: int = 1
    degraded: str | None
    accepted: tuple[str, ...]
    probe: int | None = None
    valid_until: datetime | None = None


def _unmasked(text: str) -> str:
    return text


@dataclass(frozen=True, kw_only=True)
class SendContext:
    """The facts of one attempt beside its message, for the destination that makes it.

    `event_source` is the name of the event's source in routes.yaml.
    `delivery_id` stays the same over all attempts, and `attempt_number` counts them from 1. `rendering`
    counts from 1, too, and stays while the message's bytes do: with the id it makes an idempotency key.
    `timeout_seconds` is wall clock for everything, name look-up and the last body byte included. `accepted`
    are recipients that have the message already, or what else this delivery need not send again. `thread` is
    the one that it is sent in; None for a message without. `valid_seconds` are left of the event's `max_age`:
    for a place that would keep the message for longer. `mask` takes the hub's secrets out of a text that
    came back: whatever a reason or a receipt quotes of others' words goes through it first.
    """

    delivery_id: str
    event_id: str
    event_type: str
    event_source: str = ""
    payload: bytes = field(repr=False)
    attempt_number: int
    rendering: int = 1
    at: datetime
    timeout_seconds: float
    accepted: tuple[str, ...] = ()
    thread: Thread | None = None
    valid_seconds: float | None = None
    mask: Callable[[str], str] = field(default=_unmasked, repr=False)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A destination's word that it has the message.

    `detail` is one line for people, `status` the protocol's code, `answer` the words of it, as they came;
    `accepted` the recipients of a mail, or what else a next attempt of this delivery need not send again.
    `thread` is what is to be kept of the thread's first message from now on, which shows this event; None
    leaves what is kept. For a message in a thread both are durable right after the answer. `throttled` and
    `after_seconds` are as in SendError.
    """

    detail: str
    status: int | None = None
    accepted: tuple[str, ...] = ()
    answer: str = ""
    thread: Mapping[str, Any] | None = None
    throttled: bool = False
    after_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class NotBegun:
    """The end of a claim of which no byte was sent: it leaves no attempt.

    It was taken back, or with `reason` no message can be made for it, or its event is `too_old`: the delivery
    is dead. With `needs` it waits for variables of those names, with `wait_seconds` so long: for another
    process that can make it, or for another message of its thread.
    """

    reason: str | None = None
    needs: tuple[str, ...] = ()
    wait_seconds: float | None = None
    too_old: bool = False


@dataclass(frozen=True, kw_only=True)
class Settlement:
    """The end of a claim: the new state of its delivery.

    `claim` has the message, if one was rendered. `tries` and `accepted` replace what was kept; `due_at`
    counts where the state is pending, and None leaves it as it was. `needs` names what it waits for:
    variables of its send block, or parts of its destination, `app-db/users`. Then it is due at no time.
    `outcome` is None where the attempt never began: then no trace of it stays. `answer` is the start of what
    came back, on one line. `too_old` is set where the delivery is dead for that: it is finished, and nothing
    of it is owed again.
    """

    claim: Claim
    state: State
    reason: str | None
    due_at: datetime | None = None
    needs: tuple[str, ...] = ()
    tries: int
    accepted: tuple[str, ...] = ()
    outcome: Outcome | None = None
    status: int | None = None
    detail: str = ""
    answer: str = ""
    seconds: float | None = None
    too_old: bool = False


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A message; `degraded` is the reason where it is not as its send block has it."""

    message: Message
    degraded: str | None = None
