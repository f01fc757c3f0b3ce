"""The built-in messages to take pictures of: every event type, and the cases that are hard to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub import catalog
from hub.destinations.base import ShownContext, find_destination, parts_of
from hub.model.event import Event
from hub.model.summary import Summary
from hub.preview.drawing import Sheet

AT = datetime(2026, 6, 12, 17, 12, 41, tzinfo=UTC)
LINK = "https://hub.example.com/events/evt_019ebd1cbc11"

LONG_NAME = "Maximilian <b>von</b> Hohenlohe-Langenburg & *Söhne* @everyone https://evil.example " * 3
WARNING = "template failed: slack/waitlist.j2:4: 'str' has no attribute 'nope'"


@dataclass(frozen=True, kw_only=True)
class Case:
    """An event whose message is looked at; `warning` says why it is not the user's own."""

    name: str
    event: Event
    warning: str | None = None
    earlier: Mapping[str, Any] | None = None

    @property
    def summary(self) -> Summary:
        return catalog.summarise(self.event, earlier=_Stored(data=self.earlier))


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """One earlier event of every object, or none."""

    data: Mapping[str, Any] | None = None

    def of(self, kind: str, object_id: str) -> Mapping[str, Any] | None:
        return self.data


def every_type() -> list[Case]:
    """Return a case for each event type of the catalog, by its sample."""
    return [Case(name=name, event=_event(name)) for name in catalog.event_types()]


def six() -> list[Case]:
    """Return one case of each tone, one deleted, one with a long hostile name, and a degraded one."""
    names = {"data.first_name": LONG_NAME, "data.last_name": "\u202eevil"}
    known = json.loads(catalog.sample_payload("user.created"))["data"]
    return [
        Case(name="good", event=_event("user.created")),
        Case(name="bad", event=_event("paymentAttempt.updated")),
        Case(name="watch", event=_event("subscriptionItem.freeTrialEnding")),
        Case(name="deleted", event=_event("user.deleted"), earlier=known),
        Case(name="long and hostile", event=_event("user.created", names)),
        Case(name="degraded", event=_event("waitlistEntry.created"), warning=WARNING),
    ]


def message_sheet(case: Case, type_name: str) -> Sheet:
    """Return the case's message as its reader sees it at a destination of that type."""
    destination = find_destination(type_name)
    assert destination is not None
    message = destination.compose_builtin(None, case.summary, case.warning, LINK)
    context = ShownContext(
        destination=type_name,
        event_id=case.event.id,
        event_type=case.event.type,
        payload=case.event.payload.decode(),
    )
    return Sheet(title=f"{type_name} · {case.name}", parts=parts_of(message, type_name, context))


def document() -> str:
    """Return docs/messages.md: the words of every built-in message, and a few pictures."""
    rows = "\n".join(_row(case) for case in every_type())
    return (Path(__file__).parent / "messages.md").read_text(encoding="utf-8").format(rows=rows)


def _row(case: Case) -> str:
    summary = case.summary
    fields = " · ".join(f"{label} {value}" for label, value in summary.fields)
    cells = (f"`{case.name}`", summary.tone.value, summary.headline, fields, summary.details)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _event(name: str, changes: Mapping[str, Any] | None = None) -> Event:
    return Event(
        id="evt_019ebd1cbc11",
        source="clerk",
        message_id="msg_1",
        type=name,
        payload=catalog.sample_payload(name, changes or {}, timestamp_ms=int(AT.timestamp() * 1000)),
        received_at=AT,
    )
