"""An earlier event that a user gives along: previews and tests of routes look nothing up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hub import catalog
from hub.delivery.earlier import data_of
from hub.model.event import Event
from hub.model.routing import event_matches


@dataclass(frozen=True, kw_only=True)
class GivenEarlier:
    """One event that stands for what came before of any object of its kind: an `Earlier`."""

    event: Event

    def of(self, kind: str, object_id: str) -> Mapping[str, Any] | None:
        return data_of(self.event) if event_matches(f"{kind}.*", self.event.type) else None


def earlier_type(type_name: str) -> str:
    """Return the type whose sample has all fields of an object, those of a deleted one too.

    That of the event itself where the catalog has none.
    """
    kind = type_name.partition(".")[0]
    whole = (f"{kind}.updated", f"{kind}.created")
    return next(filter(catalog.find_event_type, whole), type_name)
