"""`routes:`, `unmatched:` and `problems:` -> Route and Send: which events send what where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from hub.config.conditions import read_conditions
from hub.config.mirroring import SendTarget
from hub.config.names import check_allowed, is_fixed, is_right
from hub.config.report import Report
from hub.config.sends import read_sends, shortest
from hub.config.shape import check_shape
from hub.config.values import Duration, Patterns, TextList, Texts, is_pattern
from hub.destinations.base import Block
from hub.humanize import did_you_mean, kind_of, there_are
from hub.model.problem import Code
from hub.model.routing import KEPT_NAMES, Route, Send
from hub.templating.sandbox import Sandbox
from hub.yamldoc import Path

_FIXED = ("name", "events", "source", "stop", "enabled", "allow", "max_age")
"""Keys without which nothing can be read: a variable in them has a default."""


class RouteBlock(Block):
    """A rule: which events, under what conditions, and what to send where."""

    name: Annotated[str, Field(min_length=1, max_length=100)] = Field(
        description="its name, unlike any other"
    )
    events: Patterns = Field(description='one event type, a list, or patterns such as organization.*, "*"')
    source: Texts | None = Field(default=None, description="one source or a list; left out: every source")
    when: Texts | None = Field(default=None, description="a Jinja expression, or a list that must all hold")
    max_age: Duration | None = Field(default=None, description="nothing of an older event is sent")
    send: Any = Field(description="a destination's name, a list of names, or send blocks")
    stop: bool = Field(default=False, description="true: later routes are not tried")
    enabled: bool = Field(default=True, description="false: as if it were not there")
    allow: TextList = Field(default=[], description="codes of problems that are fine here")


class UnmatchedBlock(Block):
    """The sends of an event that no route matched."""

    send: Any = Field(description="a destination's name, a list of names, or send blocks")


class ProblemsBlock(Block):
    """The sends of the hub's own alerts."""

    send: Any = Field(description="a destination's name, a list of names, or send blocks")


def read_routes(
    report: Report, sections: Mapping[str, Any], targets: Mapping[str, SendTarget], sandbox: Sandbox
) -> tuple[Route, ...]:
    """Return the routes in their order, those with problems as far as they can still be checked."""
    values = sections.get("routes")
    if values is None:
        return ()
    if not isinstance(values, list):
        message = f'routes must be a list of routes, each beginning with "- name:", not {kind_of(values)}'
        report.error(("routes",), Code.WRONG_TYPE, message)
        return ()
    _settle_route_names(report, values)
    routes = [_read_route(report, ("routes", index), targets, sandbox) for index in range(len(values))]
    _check_route_names(report, report.written_at(("routes",)))
    return tuple(route for route in routes if route is not None)


def read_send_section(
    report: Report,
    sections: Mapping[str, Any],
    section: str,
    model: type[UnmatchedBlock | ProblemsBlock],
    targets: Mapping[str, SendTarget],
    sandbox: Sandbox,
) -> tuple[Send, ...]:
    """Return the sends of the block `unmatched` or `problems`."""
    if sections.get(section) is None:
        return ()
    sends = _read_send_key(report, (section,), targets, sandbox)
    check_shape(report, (section,), model, noun=f"the section {section}", lenient=True)
    return sends


def _read_route(
    report: Report, path: Path, targets: Mapping[str, SendTarget], sandbox: Sandbox
) -> Route | None:
    value = report.value_at(path)
    name = value.get("name") if isinstance(value, dict) else None
    noun = f'the route "{name}"' if isinstance(name, str) and name and len(name) <= 100 else "a route"
    if not isinstance(value, dict):
        check_shape(report, path, RouteBlock, noun=noun)
        return None
    fixed = is_fixed(report, *((*path, key) for key in _FIXED))
    sends = _read_send_key(report, path, targets, sandbox)
    when, unset = read_conditions(report, path, sandbox, "this route is not decided until it is")
    _check_sources(report, path)
    check_allowed(report, path)
    block = check_shape(report, path, RouteBlock, noun=noun, lenient=True)
    if block is None or not fixed:
        return _salvaged(report, path, when, sends)
    return Route(
        name=block.name,
        events=tuple(block.events),
        sources=tuple(block.source or ()),
        when=when,
        unset=unset,
        sends=tuple(_no_older(send, block.max_age) for send in sends),
        stop=block.stop,
        enabled=block.enabled,
        allow=tuple(block.allow),
        line=report.document.at(path).line,
    )


def _no_older(send: Send, max_age_seconds: float | None) -> Send:
    return replace(send, max_age_seconds=shortest(send.max_age_seconds, max_age_seconds))


def _salvaged(report: Report, path: Path, when: tuple[str, ...], sends: tuple[Send, ...]) -> Route:
    """Return as much of a route with problems as can still be checked; such a route never runs."""
    value = report.value_at(path)
    return Route(
        name=str(value.get("name")),
        events=tuple(text for _, text in report.texts_of((*path, "events")) if is_pattern(text)),
        sources=tuple(text for _, text in report.texts_of((*path, "source"))),
        when=when,
        sends=sends,
        allow=tuple(text for _, text in report.texts_of((*path, "allow"))),
        line=report.document.at(path).line,
    )


def _read_send_key(
    report: Report, path: Path, targets: Mapping[str, SendTarget], sandbox: Sandbox
) -> tuple[Send, ...]:
    block = report.value_at(path)
    if not isinstance(block, dict) or block.get("send") is None:
        return ()
    if block["send"] == [] and not block.get("stop"):
        message = '"send" is empty; name a destination, or write stop: true to only end the walk here'
        report.error((*path, "send"), Code.BAD_VALUE, message)
    return read_sends(report, (*path, "send"), targets, sandbox)


def _check_sources(report: Report, path: Path) -> None:
    known = report.value.get("sources")
    names = list(known) if isinstance(known, dict) else []

    def check(name: str) -> tuple[Code, str] | None:
        if name in names or "sources" in report.misnamed:
            return None
        close = did_you_mean(name, names, there_are(names, "; add it under sources"))
        return Code.UNKNOWN_SOURCE, f'there is no source "{name}"{close}'

    for where, _ in report.texts_of((*path, "source")):
        is_right(report, where, check, "it names no source")


def _settle_route_names(report: Report, values: list[Any]) -> None:
    """Let a route's own name hold where a variable gives it one that is no good, or another's."""
    names = Counter(str(value.get("name")) for value in report.raw_at(("routes",)) if isinstance(value, dict))
    for index, value in enumerate(values):
        where: Path = ("routes", index, "name")
        if isinstance(value, dict) and "name" in value and report.has_values(where):
            name = str(value["name"])
            if name in KEPT_NAMES or not name.isprintable() or name in names:
                report.unusable(where, "it is no name of a route, or another's")
                report.fall_back(where)
            names[str(value["name"])] += 1


def _check_route_names(report: Report, values: list[Any]) -> None:
    """Report names that are no names or not the only ones: deliveries and metrics know routes by them."""
    first_lines: dict[str, int] = {}
    for index, value in enumerate(values):
        name = value.get("name") if isinstance(value, dict) else None
        if not isinstance(name, str) or not name:
            continue
        where: Path = ("routes", index, "name")
        if name in KEPT_NAMES:
            message = f'the name "{name}" is kept for {KEPT_NAMES[name]}; take another'
            report.error(where, Code.BAD_NAME, message)
        elif not name.isprintable() or name != name.strip():
            report.error(where, Code.BAD_NAME, "a route's name is one line of visible characters")
        elif name in first_lines:
            message = (
                f'the route in line {first_lines[name]} is called "{name}" already; give each its own name'
            )
            report.error(where, Code.DUPLICATE_NAME, message)
        first_lines.setdefault(name, report.document.at(where).line)
