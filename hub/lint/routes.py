"""Routes as wholes: patterns that match no event, routes and destinations that nothing reaches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from hub.catalog import event_types
from hub.humanize import did_you_mean, enumerated
from hub.lint.texts import ANY_TYPE
from hub.model.config import Config, SourceConfig
from hub.model.problem import Code, Problem, Severity, allowed_codes
from hub.model.routing import Route, event_matches
from hub.sources.base import find_source
from hub.yamldoc import Document, Path


def check_routes(config: Config, document: Document, *, is_whole: bool) -> list[Problem]:
    """Return the problems of the list of routes itself; `document` has the positions.

    Where `is_whole` is false, parts of the file are not in `config`: nothing is called unused or unreachable.
    """
    problems = [*_unknown_events(config, document), *_unknown_ignored(config, document)]
    if is_whole:
        problems += _unused_destinations(config, document)
        problems += _unreachable_routes(config, document)
        problems += _duplicate_sends(config, document)
    return problems


def event_types_of(route: Route, config: Config) -> tuple[str, ...]:
    """Return every type of event that a route can match; ANY_TYPE where a source may send any."""
    types: dict[str, None] = {}
    for name in route.sources or config.sources:
        source = config.sources.get(name)
        known = _known_types([source]) if source else None
        if source is None or known is None:
            types[ANY_TYPE] = None
            continue
        for event_type in (*event_types(), *source.extra_events):
            if not _matches_any(source.ignore, event_type) and _matches_any(route.events, event_type):
                types[event_type] = None
    return tuple(types)


def route_paths(document: Document) -> list[Path]:
    """Return the paths of the routes: in `config`, too, every mapping of the list is one."""
    routes = document.value.get("routes") if isinstance(document.value, dict) else None
    items = routes if isinstance(routes, list) else []
    return [("routes", index) for index, item in enumerate(items) if isinstance(item, dict)]


def _unknown_events(config: Config, document: Document) -> Iterator[Problem]:
    """Yield the patterns of routes that match no event type that could ever arrive."""
    paths = route_paths(document)
    for path, route in zip(paths, config.routes, strict=True):
        sources = [config.sources[name] for name in route.sources or config.sources if name in config.sources]
        known = _known_types(sources)
        if known is None or not sources or Code.UNKNOWN_EVENT in route.allow:
            continue
        yield from _unmatched_patterns(document, (*path, "events"), route.events, known)


def _unknown_ignored(config: Config, document: Document) -> Iterator[Problem]:
    for source in config.sources.values():
        known = _known_types([source])
        allow = allowed_codes(document.value, ("sources", source.name))
        if known is not None and source.ignore and Code.UNKNOWN_EVENT not in allow:
            yield from _unmatched_patterns(document, ("sources", source.name, "ignore"), source.ignore, known)


def _known_types(sources: Iterable[SourceConfig]) -> frozenset[str] | None:
    """Return the event types that these sources send; None where one of them may send any."""
    known: set[str] = set()
    for source in sources:
        source_class = find_source(source.type)
        if source_class is None or not source_class.typed:
            return None
        known.update(event_types(), source.extra_events)
    return frozenset(known)


def _unmatched_patterns(
    document: Document, path: Path, patterns: tuple[str, ...], known: frozenset[str]
) -> Iterator[Problem]:
    """Yield the patterns at a path that match nothing; those with a variable in them are not repeated."""
    for text_path, pattern in document.texts(path):
        if pattern not in patterns or any(event_matches(pattern, event_type) for event_type in known):
            continue
        groups = {f"{name.partition('.')[0]}.*" for name in known}
        listing = '; "hub events" lists them, and extra_events of a source adds to them'
        close = did_you_mean(pattern, groups if "*" in pattern else known, listing)
        verb = "matches" if "*" in pattern else "is called"
        message = f'no event type {verb} "{pattern}"{close}'
        yield problem_at(document, text_path, Code.UNKNOWN_EVENT, message, Severity.ERROR)


def _unused_destinations(config: Config, document: Document) -> Iterator[Problem]:
    sends = [send for route in config.routes for send in route.sends]
    used = {send.to for send in [*sends, *config.unmatched, *config.problems]}
    for name in config.destinations:
        path: Path = ("destinations", name)
        if name not in used and Code.UNUSED_DESTINATION not in allowed_codes(document.value, path):
            message = f'nothing is ever sent to the destination "{name}"; name it in a route, or remove it'
            yield problem_at(document, path, Code.UNUSED_DESTINATION, message, Severity.WARNING)


def _unreachable_routes(config: Config, document: Document) -> Iterator[Problem]:
    """Yield the routes whose every event earlier routes take and stop."""
    paths = route_paths(document)
    stops: list[Route] = []
    for path, route in zip(paths, config.routes, strict=True):
        earlier = _covering(stops, route, config) if route.enabled else []
        if earlier and Code.UNREACHABLE_ROUTE not in route.allow:
            names = enumerated([f'"{stop.name}" in line {stop.line}' for stop in earlier])
            taken = (
                "the route {} takes them all and has" if len(earlier) == 1 else "{} take them all and have"
            )
            them = "it" if len(earlier) == 1 else "them"
            message = f"no event gets here: {taken.format(names)} stop: true; move this route above {them}"
            yield problem_at(document, path, Code.UNREACHABLE_ROUTE, message, Severity.WARNING)
        if route.stop and route.enabled and not route.when:
            stops.append(route)


def _covering(stops: list[Route], route: Route, config: Config) -> list[Route]:
    """Return the first route that takes every event of another, or those that do so together."""
    alone = next((stop for stop in stops if _covers(stop, route, config)), None)
    if alone is not None:
        return [alone]
    wanted = _arrivals(route, config)
    taking = [(stop, wanted & _arrivals(stop, config)) for stop in stops]
    if not wanted or any(event_type == ANY_TYPE for _, event_type in wanted):
        return []
    if not wanted <= set().union(*(taken for _, taken in taking)):
        return []
    return [stop for stop, taken in taking if taken]


def _covers(stop: Route, route: Route, config: Config) -> bool:
    """Return whether a route takes every event that another would; a `*` is only covered by a `*`."""
    wanted = set(route.sources or config.sources)
    if stop.sources and not wanted <= set(stop.sources):
        return False
    return all(_matches_any(stop.events, pattern) for pattern in route.events)


def _arrivals(route: Route, config: Config) -> set[tuple[str, str]]:
    """Return source and type of every event that a route can match, ANY_TYPE where a source may send any."""
    return {
        (source, event_type)
        for source in route.sources or config.sources
        for event_type in event_types_of(replace(route, sources=(source,)), config)
    }


def _matches_any(patterns: Iterable[str], event_type: str) -> bool:
    return any(event_matches(pattern, event_type) for pattern in patterns)


def _duplicate_sends(config: Config, document: Document) -> Iterator[Problem]:
    """Yield the sends of one message to one destination a second time."""
    paths = route_paths(document)
    for path, route in zip(paths, config.routes, strict=True):
        for index, send in enumerate(route.sends):
            if send in route.sends[:index] and Code.DUPLICATE_SEND not in route.allow:
                message = f'this sends the same message to "{send.to}" a second time; remove it'
                send_path = (*path, "send", index)
                yield problem_at(document, send_path, Code.DUPLICATE_SEND, message, Severity.WARNING)


def problem_at(
    document: Document, path: Path, code: Code, message: str, severity: Severity = Severity.ERROR
) -> Problem:
    """Return a problem at a place in routes.yaml: of a destination at its name, of all else at its value."""
    is_name = path[:1] == ("destinations",)
    position = document.key_at(path) if is_name else document.at(path)
    return Problem(
        file=document.file,
        line=position.line,
        column=position.column,
        severity=severity,
        code=code,
        message=message,
    )
