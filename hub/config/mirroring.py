"""Send blocks that mirror objects: what is kept from them would stay there as it was, for ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hub.config.report import Report
from hub.destinations.base import Block, Destination
from hub.model.problem import Code
from hub.model.routing import Send
from hub.yamldoc import Path

_WHY = "a mirror takes no {key}: an object that it keeps an event from would stay there as it was"

_SECTIONS = {
    "unmatched": "a mirror cannot stand here: events of its objects that a route takes would not reach it",
    "problems": "a mirror cannot stand here: the hub's own alerts are about none of Clerk's objects",
}


@dataclass(frozen=True, kw_only=True)
class SendTarget:
    """A destination as a send block refers to it.

    `type` is None where it is not known, `options` where they are not right or not complete. `own` is what
    its type has in its block, right or not. `is_fixed` tells that no value of the environment is in them.
    """

    type: type[Destination] | None = None
    options: Block | None = None
    own: Mapping[str, Any] = field(default_factory=dict)
    is_fixed: bool = True
    max_age_seconds: float | None = None


def mirroring(report: Report, path: Path, send: Send, target: SendTarget) -> Send:
    """Return a send with the types of events that it mirrors; report what may keep one of them from it."""
    types = target.type.mirrored_types(target.own, send.fields) if target.type else None
    if types is None:
        return send
    if path[0] in _SECTIONS:
        report.error(path, Code.BAD_SEND, _SECTIONS[str(path[0])])
    places = [path, *([path[:2]] if path[0] == "routes" else ())]
    for place in places:
        block = report.value_at(place)
        for key in ("when", "max_age"):
            if isinstance(block, dict) and key in block:
                report.error((*place, key), Code.BAD_SEND, _WHY.format(key=key), key=True)
    if target.max_age_seconds is not None:
        of_destination: Path = ("destinations", send.to, "max_age")
        report.error(of_destination, Code.BAD_SEND, _WHY.format(key="max_age"), key=True)
    return replace(send, mirrored=types)
