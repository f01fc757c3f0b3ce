"""What two configurations make of one event, delivery by delivery: pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hub.ingest.route import Rules, match
from hub.model.destination import DestinationConfig
from hub.model.event import Event
from hub.preview.renderings import Rendering, renderings_of

ADDED, REMOVED, CHANGED = "added", "removed", "changed"

_Key = tuple[str, str, int]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A delivery that only one of two configurations would make, or that they make differently."""

    event: Event
    before: Rendering | None
    after: Rendering | None

    @property
    def kind(self) -> str:
        if self.before is None:
            return ADDED
        return CHANGED if self.after else REMOVED

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
    """Every delivery of the event that would be another: by its route, its destination and its message."""
    before, after = (_owed(event, rules, public_url) for rules in (today, tomorrow))
    return [
        Change(event=event, before=before.get(key), after=after.get(key))
        for key in sorted({*before, *after})
        if not _same(before.get(key), after.get(key))
    ]


def _owed(event: Event, rules: Rules, public_url: str) -> dict[_Key, Rendering]:
    """By route, destination, and which of the route's sends to it."""
    owed: dict[_Key, Rendering] = {}
    positions: Counter[tuple[str, str]] = Counter()
    for rendering in renderings_of(match(rules, event), event, rules, public_url):
        place = (rendering.route, rendering.destination.name)
        owed[(*place, positions[place])] = rendering
        positions[place] += 1
    return owed


def _same(one: Rendering | None, other: Rendering | None) -> bool:
    if one is None or other is None:
        return False
    return _effect(one) == _effect(other)


def _effect(rendering: Rendering) -> tuple[object, ...]:
    """What arrives, and where: not how often it is tried, nor how soon."""
    place = rendering.destination
    return rendering.message, rendering.degraded, rendering.error, place.type, place.options
