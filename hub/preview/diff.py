"""Two configurations held against each other by one event, delivery by delivery: pure."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum

from hub.catalog.redaction import Redaction
from hub.ingest.route import Rules, match
from hub.model.destination import DestinationConfig
from hub.model.event import Event
from hub.preview.messages import message_lines
from hub.preview.renderings import Rendering, render_all
from hub.terminal.printing import inline

_Key = tuple[str, str, int]


class ChangeKind(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A delivery that only one of two configurations would make, or that they make differently."""

    event: Event
    before: Rendering | None
    after: Rendering | None

    @property
    def kind(self) -> ChangeKind:
        if self.before is None:
            return ChangeKind.ADDED
        return ChangeKind.CHANGED if self.after else ChangeKind.REMOVED

    @property
    def route(self) -> str:
        return self._either.route

    @property
    def destination(self) -> DestinationConfig:
        return self._either.destination

    @property
    def _either(self) -> Rendering:
        either = self.after or self.before
        assert either is not None
        return either


def changes(event: Event, today: Rules, tomorrow: Rules, public_url: str = "") -> list[Change]:
    """Return every delivery of the event that would differ, by route, destination and position."""
    before, after = (_owed(event, rules, public_url) for rules in (today, tomorrow))
    return [
        Change(event=event, before=before.get(key), after=after.get(key))
        for key in sorted({*before, *after})
        if not _same(before.get(key), after.get(key))
    ]


def message_diff(change: Change, redaction: Redaction) -> list[str]:
    """Return the lines of the message that comes or goes, or a unified diff of one that changes.

    Empty where the same message is sent elsewhere.
    """
    before, after = (
        _lines(rendering, change.event, redaction) for rendering in (change.before, change.after)
    )
    if change.kind is not ChangeKind.CHANGED:
        return before or after
    return list(unified_diff(before, after, lineterm="", n=1))[2:]


def _owed(event: Event, rules: Rules, public_url: str) -> dict[_Key, Rendering]:
    """Return the renderings by route, destination, and position among the route's sends to it."""
    routing = match(rules, event)
    renderings = render_all(routing, event, rules, public_url)
    return {
        (routed.route, routed.send.to, routed.send.position): rendering
        for routed, rendering in zip(routing.sends, renderings, strict=True)
    }


def _same(one: Rendering | None, other: Rendering | None) -> bool:
    if one is None or other is None:
        return False
    return _effect(one) == _effect(other)


def _effect(rendering: Rendering) -> tuple[object, ...]:
    """Return the message and its address: not how often it is tried, nor how soon."""
    destination = rendering.destination
    return rendering.message, rendering.degraded, rendering.error, destination.type, destination.options


def _lines(rendering: Rendering | None, event: Event, redaction: Redaction) -> list[str]:
    if rendering is None:
        return []
    failure = inline(redaction.optional(rendering.failure))
    return [*([failure] if failure else ()), *message_lines(rendering, event, redaction)]
