"""The conditions and send blocks of a configuration, as a trial takes them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from hub import catalog
from hub.lint import ANY_TYPE, event_types_of, route_paths
from hub.model.config import Config
from hub.model.problem import Code, allowed_codes
from hub.model.routing import UNMATCHED, Route, Send
from hub.rules.texts import send_paths
from hub.yamldoc import Document, Path


@dataclass(frozen=True, kw_only=True)
class Case:
    """The conditions and send blocks of one route, with their paths, and the types of events they see.

    `destination` is that of a send block with conditions of its own, which see it. Cases that have all but
    their names and places in common have the same `key`.
    """

    route: str
    source: str
    path: Path
    conditions: tuple[tuple[Path, str], ...]
    sends: tuple[tuple[Path, Send], ...]
    event_types: tuple[str, ...]
    destination: str | None = None

    @cached_property
    def key(self) -> str:
        sends = [(send.to, send.fields) for _, send in self.sends]
        return repr(([source for _, source in self.conditions], sends))


def cases_of(config: Config, document: Document) -> Iterator[Case]:
    """Yield the cases of all routes that may fail no trial, and of `unmatched`."""
    for path, route in zip(route_paths(document), config.routes, strict=True):
        if not route.unset and Code.TEMPLATE_FAILS not in route.allow:
            yield from _of_route(config, document, path, route)
    if config.unmatched:
        unmatched = Route(name=UNMATCHED, events=catalog.event_types(), sends=config.unmatched)
        yield from _of_route(config, document, (UNMATCHED,), unmatched)


def _of_route(config: Config, document: Document, path: Path, route: Route) -> Iterator[Case]:
    """Yield the case of a route's sends, and one for each that has conditions of its own."""
    blocks = send_paths(document, (*path, "send"))
    # A block with a problem of its own is none of the sends: which one is missing is not known.
    sends = zip(blocks, route.sends, strict=True) if len(blocks) == len(route.sends) else ()
    tried = [
        (block, send)
        for block, send in sends
        if Code.TEMPLATE_FAILS not in allowed_codes(document.value, ("destinations", send.to))
    ]
    types = event_types_of(route, config) if path[0] == "routes" else route.events
    case = Case(
        route=route.name,
        source=next(iter(route.sources or config.sources), ""),
        path=path,
        conditions=_conditions(document, path, route.when),
        sends=tuple((block, send) for block, send in tried if not send.when),
        event_types=tuple(name for name in types if name != ANY_TYPE and catalog.find_event_type(name)),
    )
    yield case
    for block, send in tried:
        if send.when and not send.undecided:
            conditions = (*case.conditions, *_conditions(document, block, send.when))
            yield replace(case, destination=send.to, conditions=conditions, sends=((block, send),))


def _conditions(document: Document, path: Path, when: tuple[str, ...]) -> tuple[tuple[Path, str], ...]:
    texts = [text_path for text_path, _ in document.texts((*path, "when"))]
    return tuple(zip(texts, when, strict=False))
