"""Events, deliveries and attempts as they are stored, for operators to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hub.model.delivery import Message, Outcome, State
from hub.model.event import Event
from hub.model.routing import Verdict


@dataclass(frozen=True, kw_only=True)
class EventRecord:
    """A stored event. `payload` is None once it was pruned; `states` counts its deliveries by state.

    `version` is that of the user's files, which decided the verdicts; None where no rules did.
    """

    id: str
    source: str
    message_id: str
    type: str
    version: str | None = None
    received_at: datetime
    verdicts: tuple[Verdict, ...]
    payload: bytes | None = field(default=None, repr=False)
    states: Mapping[State, int] = field(default_factory=dict)

    @property
    def event(self) -> Event:
        """The event as it came; an empty one where its payload is gone."""
        return Event(
            id=self.id,
            source=self.source,
            message_id=self.message_id,
            type=self.type,
            payload=self.payload or b"{}",
            received_at=self.received_at,
        )


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """One try of a delivery. `outcome` and `seconds` are None while it is under way.

    `answer` is the start of what came back; None where nothing did.
    """

    number: int
    at: datetime
    seconds: float | None
    outcome: Outcome | None
    status: int | None
    detail: str | None
    answer: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeliveryRecord:
    """A stored delivery. `payload` is its event's; None where it was pruned, or is too large for a list.

    `needs` names what it waits for, as in a settlement: then it is due at no time. `version` is that of the
    user's files, which decided it; None where no rules did. `send` has the fields of its send block when it
    became owed, and `position` counts its route's blocks to the same destination. `tried_at` is the moment of
    the last attempt of one that is held.
    """

    id: str
    event: str
    type: str
    route: str
    destination: str
    version: str | None = None
    send: Mapping[str, Any] = field(default_factory=dict, repr=False)
    position: int = 0
    state: State
    reason: str | None
    attempts: int
    tries: int = 0
    due_at: datetime | None
    tried_at: datetime | None = None
    needs: tuple[str, ...] = ()
    created_at: datetime
    delivered_at: datetime | None
    degraded: str | None
    message: Message | None
    payload: bytes | None = field(default=None, repr=False)
    attempt_list: tuple[AttemptRecord, ...] = ()
