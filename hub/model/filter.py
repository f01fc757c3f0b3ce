"""A filter of the lists of events and deliveries, and the ids that it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.model.delivery import State
from hub.model.routing import event_matches


@dataclass(frozen=True, kw_only=True)
class Period:
    """A time from `since` on and before `until`; None is no bound."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions on events or deliveries, which must all hold; one that is None or empty always does.

    `type` is a type of event, or a pattern whose `*` stand for any characters. `period` is that of the
    receipt of an event, and of the making of a delivery. `words` begin terms of an event. An event
    fits `route`, `destination`, `state` and `degraded` where one of its deliveries fits all of them.
    """

    type: str | None = None
    source: str | None = None
    route: str | None = None
    destination: str | None = None
    state: State | None = None
    degraded: bool = False
    period: Period = Period()
    words: tuple[str, ...] = ()

    @property
    def is_of_deliveries(self) -> bool:
        """True where a condition is about deliveries, not about their event."""
        return bool(self.route or self.destination or self.state or self.degraded)

    @property
    def is_of_events(self) -> bool:
        """True where a condition is about an event, its time aside."""
        return bool(self.type or self.source)

    def takes(self, source: str, type_: str) -> bool:
        """Return True where events of that source and type fit."""
        is_of_source = self.source is None or self.source == source
        return is_of_source and (self.type is None or event_matches(self.type, type_))


EVERYTHING = Filter()


@dataclass(frozen=True, kw_only=True)
class Matches:
    """Ids that a filter finds, newest first.

    `resume` is where the search ended before it had as many as were asked for, having looked at all that one
    page may cost: older ones may follow it. None where the search is complete. `is_counted` says that as
    many ids are there as were to be counted, or all of them.
    """

    ids: Sequence[str]
    resume: str | None = None
    is_counted: bool = True


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The ids beside one in a list; None at its end, and where none is near enough to be found."""

    newer: str | None
    older: str | None
