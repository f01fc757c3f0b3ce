"""Routes as wholes: events that no source sends, routes and destinations that nothing reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hub.catalog import event_types
from hub.humanize import did_you_mean
from hub.model.config import Config, SourceConfig
from hub.model.problem import Code, Problem, Severity
from hub.model.routing import Route, event_matches
from hub.sources.base import find_source
from hub.yamldoc import Document, Path


def check_routes(config: Config, document: Document, *, is_whole: bool) -> list[Problem]:
    """What the list of routes itself tells; `is_whole` is false where parts of it are not in `config`."""
    found = [*_unknown_events(config, document), *_unknown_ignored(config, document)]
    if is_whole:
        found += _unused_destinations(config, document)
        found += _unreachable_routes(config, document)
        found += _duplicate_sends(config, document)
    return found


def _unknown_events(config: Config, document: Document) -> Iterator[Problem]:
    """Patterns of routes that match no event type that could ever arrive."""
    places = route_places(document)
    for place, route in zip(places, config.routes, strict=True):
        sources = [config.sources[name] for name in route.sources or config.sources if name in config.sources]
        known = _known_types(sources)
        if known is None or not sources or Code.UNKNOWN_EVENT in route.allow:
            continue
        yield from _unmatched_patterns(document, (*place, "events"), route.events, known)


def _unknown_ignored(config: Config, document: Document) -> Iterator[Problem]:
    for source in config.sources.values():
        known = _known_types([source])
        if known is not None and source.ignore:
            yield from _unmatched_patterns(document, ("sources", source.name, "ignore"), source.ignore, known)


def _known_types(sources: Iterable[SourceConfig]) -> frozenset[str] | None:
    """The event types that these sources send; None where one of them may send any."""
    known: set[str] = set()
    for source in sources:
        kind = find_source(source.type)
        if kind is None or not kind.typed:
            return None
        known.update(event_types(), source.extra_events)
    return frozenset(known)


def _unmatched_patterns(
    document: Document, path: Path, patterns: tuple[str, ...], known: frozenset[str]
) -> Iterator[Problem]:
    """The patterns at a path that match nothing; what a variable was replaced in is not repeated."""
    for where, pattern in document.texts(path):
        if pattern not in patterns or any(event_matches(pattern, name) for name in known):
            continue
        groups = {f"{name.partition('.')[0]}.*" for name in known}
        listing = '; "hub events" lists them, and extra_events of a source adds to them'
        close = did_you_mean(pattern, groups if "*" in pattern else known, listing)
        said = f'no event type is called "{pattern}"{close}'
        if "*" in pattern:
            said = f'no event type matches "{pattern}"{close}'
        yield _problem(document, where, Code.UNKNOWN_EVENT, said, Severity.ERROR)


def _unused_destinations(config: Config, document: Document) -> Iterator[Problem]:
    sends = [send for route in config.routes for send in route.sends]
    used = {send.to for send in [*sends, *config.unmatched, *config.problems]}
    for name in config.destinations:
        if name not in used:
            said = f'nothing is ever sent to the destination "{name}"; name it in a route, or remove it'
            yield _problem(document, ("destinations", name), Code.UNUSED_DESTINATION, said, Severity.WARNING)


def _unreachable_routes(config: Config, document: Document) -> Iterator[Problem]:
    """Routes whose every event an earlier route takes and stops."""
    places = route_places(document)
    stops: list[Route] = []
    for place, route in zip(places, config.routes, strict=True):
        earlier = next((stop for stop in stops if _covers(stop, route, config)), None)
        if earlier is not None and Code.UNREACHABLE_ROUTE not in route.allow:
            said = (
                f'no event gets here: the route "{earlier.name}" in line {earlier.line} takes them all '
                "and has stop: true; move this route above it"
            )
            yield _problem(document, place, Code.UNREACHABLE_ROUTE, said, Severity.WARNING)
        if route.stop and route.enabled and not route.when:
            stops.append(route)


def _covers(stop: Route, route: Route, config: Config) -> bool:
    """Whether a route takes every event that another would; a `*` is only covered by a `*`."""
    wanted = set(route.sources or config.sources)
    if stop.sources and not wanted <= set(stop.sources):
        return False
    return all(any(event_matches(wide, narrow) for wide in stop.events) for narrow in route.events)


def _duplicate_sends(config: Config, document: Document) -> Iterator[Problem]:
    """The same message to the same destination twice."""
    places = route_places(document)
    for place, route in zip(places, config.routes, strict=True):
        for index, send in enumerate(route.sends):
            if send in route.sends[:index] and Code.DUPLICATE_SEND not in route.allow:
                said = f'this sends the same message to "{send.to}" a second time; remove it'
                where = (*place, "send", index)
                yield _problem(document, where, Code.DUPLICATE_SEND, said, Severity.WARNING)


def route_places(document: Document) -> list[Path]:
    """Where the routes stand: in `config`, too, every mapping of the list is one."""
    routes = document.value.get("routes") if isinstance(document.value, dict) else None
    items = routes if isinstance(routes, list) else []
    return [("routes", index) for index, item in enumerate(items) if isinstance(item, dict)]


def _problem(document: Document, where: Path, code: Code, message: str, severity: Severity) -> Problem:
    is_name = where[:1] == ("destinations",)
    place = document.key_at(where) if is_name else document.at(where)
    return Problem(
        file=document.file,
        line=place.line,
        column=place.column,
        severity=severity,
        code=code,
        message=message,
    )
