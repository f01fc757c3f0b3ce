"""Routing, a pure function: the routes that take an event, and the reason of each that does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hub import catalog
from hub.errors import TemplateError
from hub.model.config import Config, SourceConfig
from hub.model.event import Event
from hub.model.routing import UNMATCHED, Route, RoutedSend, Routing, Verdict, event_matches
from hub.strings import one_line
from hub.templating.sandbox import Sandbox, variables

REASON_LIMIT = 161
"""The most characters that are kept of the reason why a condition failed."""

FITTING_LIMIT = 1000
"""So many types of events at most are remembered: a sender may invent any number."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One version of the user's files, ready to receive, route and render with."""

    config: Config
    sandbox: Sandbox
    _fitting: dict[tuple[str, str], tuple[Route, ...]] = field(default_factory=dict, repr=False)

    @cached_property
    def sources(self) -> Mapping[str, SourceConfig]:
        """The sources by their paths."""
        return {source.path: source for source in self.config.sources.values()}

    def fitting(self, event: Event) -> tuple[Route, ...]:
        """Return the enabled routes whose `events` and `source` fit, found once for each type of event."""
        key = (event.source, event.type)
        routes = self._fitting.get(key)
        if routes is None:
            routes = tuple(route for route in self.config.routes if route.enabled and _fits(route, event))
            if len(self._fitting) < FITTING_LIMIT:
                self._fitting[key] = routes
        return routes


def load_rules(config: Config) -> Rules:
    """Return the rules of a configuration."""
    return Rules(config=config, sandbox=Sandbox(config.templates))


def match(rules: Rules, event: Event) -> Routing:
    """Return the routing of an event: all matching routes in order, up to one that stops.

    An event that no route takes goes to the `unmatched` block, where there is one. A condition that fails
    while it runs counts as not matched, and its error is kept in the verdict.
    """
    sends: list[RoutedSend] = []
    verdicts: list[Verdict] = []
    for route in rules.fitting(event):
        verdict = _judge(route, event, rules.sandbox)
        verdicts.append(verdict)
        if verdict.matched:
            sends += [RoutedSend(route=route.name, send=send) for send in route.sends]
            if route.stop:
                break
    routes = tuple(verdict.route for verdict in verdicts if verdict.matched)
    if not routes:
        sends = [RoutedSend(route=UNMATCHED, send=send) for send in rules.config.unmatched]
    # Nothing is owed to a destination with `enabled: false`.
    owed = tuple(routed for routed in sends if rules.config.destinations[routed.send.to].enabled)
    return Routing(routes=routes, sends=owed, verdicts=tuple(verdicts))


def is_ignored(source: SourceConfig, event_type: str) -> bool:
    """Return True where a source's `ignore` names this type: it is neither kept nor routed."""
    return any(event_matches(pattern, event_type) for pattern in source.ignore)


def _fits(route: Route, event: Event) -> bool:
    if route.sources and event.source not in route.sources:
        return False
    return any(event_matches(pattern, event.type) for pattern in route.events)


def _judge(route: Route, event: Event, sandbox: Sandbox) -> Verdict:
    """Evaluate the route's conditions in order, up to the first that does not hold."""
    scope = variables(event, route.name) if route.when else {}
    for condition in route.when:
        try:
            value = sandbox.condition(condition)(scope)
        except TemplateError as error:
            reason = f"failed: {error.message}"
        else:
            if value:
                continue
            reason = _explain(condition, value, scope, sandbox)
        return Verdict(route=route.name, matched=False, condition=condition, value=_storable(reason, event))
    return Verdict(route=route.name, matched=True)


def _storable(reason: str, event: Event) -> str:
    """Return a reason as it may be kept and shown: short, on one line, without one-time secrets."""
    return one_line(catalog.mask(reason, catalog.secret_values(event.type, event.body)), REASON_LIMIT)


_COMPARISON = re.compile(r"\s*([\w.\[\]\"']+)\s*(?:==|!=|<=|>=|<|>|\bin\b|\bnot in\b)\s")


def _explain(condition: str, value: Any, scope: Mapping[str, Any], sandbox: Sandbox) -> str:
    """Return the reason of a condition that does not hold: the value of its left side, if it compares one."""
    compared = _COMPARISON.match(condition)
    if compared:
        try:
            operand = sandbox.condition(compared[1])(scope)
        except TemplateError:
            return f"it is {_printed(value)}"
        return f"{compared[1]} is {_printed(operand)}"
    return f"it is {_printed(value)}"


def _printed(value: Any) -> str:
    """Return a value as a reader sees it: strings in quotes, null as missing."""
    if value is None:
        return "missing"
    return '"' + value.replace('"', "'") + '"' if isinstance(value, str) else ascii(value)
