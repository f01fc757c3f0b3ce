"""Mirrors held against the routes that feed them: an event that is kept from one leaves a wrong row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hub.humanize import enumerated
from hub.lint import event_types_of, route_paths
from hub.lint.routes import problem_at
from hub.mirror.tables import event_types_of as types_of_table
from hub.mirror.tables import owner_tables, table_of, usual_tables
from hub.model.config import Config
from hub.model.problem import Code, Problem, Severity, allowed_codes
from hub.model.routing import Route, event_matches
from hub.yamldoc import Document, Path


def mirrored_tables(config: Config, destination: str) -> tuple[str, ...]:
    """Return the tables of a mirror, without those of sets: named by its block, or the usual ones."""
    configured = config.destinations[destination]
    names = getattr(configured.options, "tables", configured.written.get("tables"))
    chosen = names if isinstance(names, list) else usual_tables()
    return tuple(name for name in owner_tables() if name in chosen)


def fed_tables(config: Config, destination: str) -> tuple[str, ...]:
    """Return those tables of a mirror that get every event of their objects: others are not filled."""
    fed = _fed_types(config, destination)
    return tuple(
        name for name in mirrored_tables(config, destination) if fed.issuperset(types_of_table(name))
    )


def check_mirrors(config: Config, document: Document, *, is_whole: bool) -> list[Problem]:
    """Return the problems of all mirrors; `document` has the positions.

    Where `is_whole` is false, parts of the file are not in `config`: no table is called unfed.
    """
    problems: list[Problem] = []
    paths = route_paths(document)
    for index, (path, route) in enumerate(zip(paths, config.routes, strict=True)):
        if any(send.mirrored is not None for send in route.sends):
            problems += _unmirrored_events(route, config, document, path)
            if route.enabled:
                problems += _stopped(route, config.routes[:index], config, document, path)
                problems += _ignored(route, config, document, path)
    return [*problems, *(_unfed(config, document) if is_whole else ())]


def _unmirrored_events(route: Route, config: Config, document: Document, path: Path) -> Iterator[Problem]:
    """Yield the event types that a route names outright and that a mirror of it keeps nothing of."""
    for send in route.sends if Code.UNMIRRORED_EVENT not in route.allow else ():
        for text_path, pattern in document.texts((*path, "events")):
            if send.mirrored is None or "*" in pattern or pattern in send.mirrored:
                continue
            table = table_of(pattern)
            why = "no table of a mirror has what it is about; take it out of this route"
            if table:
                why = f'its table {table} is not among the tables of "{send.to}"; add it there'
            yield problem_at(document, text_path, Code.UNMIRRORED_EVENT, f"{pattern} is not mirrored: {why}")


def _stopped(
    route: Route, earlier: tuple[Route, ...], config: Config, document: Document, path: Path
) -> Iterator[Problem]:
    """Yield the routes above that may take an event from a mirror."""
    if Code.KEPT_FROM_MIRROR in route.allow:
        return
    for stop in earlier:
        taken = _mirrored(route, config) & _arrivals(stop, config) if stop.stop and stop.enabled else set()
        if taken:
            message = (
                f'the route "{stop.name}" in line {stop.line} has stop: true and may keep {min(taken)[1]} '
                "from the mirror, whose row would then be wrong for ever; move this route above it"
            )
            yield problem_at(document, (*path, "send"), Code.KEPT_FROM_MIRROR, message)


def _ignored(route: Route, config: Config, document: Document, path: Path) -> Iterator[Problem]:
    """Yield the sources whose `ignore` keeps events from a mirror that its route asks for."""
    if Code.KEPT_FROM_MIRROR in route.allow:
        return
    wanted = {name for send in route.sends for name in send.mirrored or ()}
    wanted = {name for name in wanted if any(event_matches(pattern, name) for pattern in route.events)}
    for name in route.sources or config.sources:
        source = config.sources.get(name)
        ignored = [
            event_type
            for event_type in sorted(wanted)
            if source and any(event_matches(pattern, event_type) for pattern in source.ignore)
        ]
        if ignored:
            message = (
                f'the source "{name}" ignores {ignored[0]}, so that the mirror never gets it; take it out of '
                "ignore, or its table out of tables"
            )
            yield problem_at(document, (*path, "send"), Code.KEPT_FROM_MIRROR, message)


def _unfed(config: Config, document: Document) -> Iterator[Problem]:
    """Yield the mirrors with tables of which not every event reaches them."""
    for name in config.destinations:
        path: Path = ("destinations", name)
        if name not in config.mirrors or Code.UNFED_TABLE in allowed_codes(document.value, path):
            continue
        fed = _fed_types(config, name)
        lacking = {
            table: [event_type for event_type in types_of_table(table) if event_type not in fed]
            for table in mirrored_tables(config, name)
        }
        unfed = {table: types for table, types in lacking.items() if types}
        if unfed:
            example = next(iter(unfed.values()))[0]
            verb = "is" if len(unfed) == 1 else "are"
            message = (
                f"{enumerated(list(unfed))} {verb} neither filled nor verified: {example} is not sent "
                f'to "{name}"; add it to a route, or name the tables that you want under tables'
            )
            yield problem_at(document, path, Code.UNFED_TABLE, message, Severity.WARNING)


def _fed_types(config: Config, destination: str) -> frozenset[str]:
    """Return the types of events of which a mirror gets every one."""
    return frozenset(
        event_type
        for route in config.routes
        if route.enabled and any(send.to == destination and send.mirrored for send in route.sends)
        for _, event_type in _mirrored(route, config)
    )


def _mirrored(route: Route, config: Config) -> set[tuple[str, str]]:
    """Return source and type of the events that a route's mirrors keep."""
    types = {event_type for send in route.sends for event_type in send.mirrored or ()}
    return {arrival for arrival in _arrivals(route, config) if arrival[1] in types}


def _arrivals(route: Route, config: Config) -> set[tuple[str, str]]:
    """Return source and type of every event that a route takes."""
    return {
        (source, event_type)
        for source in route.sources or config.sources
        for event_type in event_types_of(replace(route, sources=(source,)), config)
    }
