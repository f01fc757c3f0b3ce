"""Routing, a pure function: the routes that take an event, and the reason of each that does not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from hub import catalog
from hub.catalog.redaction import Redaction, redaction_of
from hub.errors import TemplateError
from hub.humanize import enumerated, not_set
from hub.model.config import Config, SourceConfig
from hub.model.event import Event
from hub.model.routing import UNMATCHED, Route, RoutedSend, Routing, Verdict, event_matches, is_relayed
from hub.model.summary import Summary
from hub.strings import one_line
from hub.templating.lazy_summary import LazySummary
from hub.templating.placeholders import Placeholder, bind
from hub.templating.sandbox import Sandbox, variables
from hub.templating.times import ZONE

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

    @cached_property
    def redaction(self) -> Redaction:
        """The secrets of the environment, which nothing may show or keep."""
        return redaction_of(self.config.environment, self.config.secrets)

    def mask(self, text: str) -> str:
        """Return a text that others wrote without the environment's secrets."""
        return self.redaction.text(text)

    @cached_property
    def bound(self) -> Mapping[Placeholder, str]:
        """The values of those variables in conditions that are set."""
        conditions = [condition for route in self.config.routes for condition in route.when]
        places = {place for condition in conditions for place in bind(condition)[1]}
        values = {place: place.value(self.config.environment) for place in places}
        return {place: value for place, value in values.items() if value is not None}

    @cached_property
    def bindings(self) -> Mapping[str, str]:
        """The same by the identifiers that stand for them in conditions."""
        return {place.identifier: value for place, value in self.bound.items()}


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
    ZONE.set(rules.config.timezone)
    summary = LazySummary(lambda: _summary(event, rules.config))
    for route in rules.fitting(event):
        verdict = _judge(route, event, rules, summary)
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
    if len(owed) < len(sends):
        unowed = [routed for routed in sends if not rules.config.destinations[routed.send.to].enabled]
        verdicts = [_less(verdict, unowed) for verdict in verdicts]
    return Routing(routes=routes, sends=owed, verdicts=tuple(verdicts), version=rules.config.version)


def is_ignored(source: SourceConfig, event_type: str) -> bool:
    """Return True where a source's `ignore` names this type: it is neither kept nor routed."""
    return any(event_matches(pattern, event_type) for pattern in source.ignore)


def _fits(route: Route, event: Event) -> bool:
    if route.sources and event.source not in route.sources:
        return False
    return any(event_matches(pattern, event.type) for pattern in route.events)


def _summary(event: Event, config: Config) -> Summary:
    """Return the built-in words for an event, in a route's time zone and without what earlier events say."""
    relayed = is_relayed(event.type, config.routes)
    return catalog.summarise(event, ZoneInfo(config.timezone), is_relayed=relayed)


def _judge(route: Route, event: Event, rules: Rules, summary: LazySummary) -> Verdict:
    """Evaluate the route's conditions in order, up to the first that does not hold or cannot be decided."""
    scope = {**variables(event, route.name, summary), **rules.bindings} if route.when else {}
    for condition in route.when:
        if unset := route.unset.get(condition):
            reason = f"not configured: {not_set(unset)}"
            return Verdict(route=route.name, matched=False, condition=condition, value=reason, unset=unset)
        try:
            value = rules.sandbox.condition(condition)(scope)
        except TemplateError as error:
            reason = f"failed: {without_values(error.message, rules.bound)}"
        else:
            if value:
                continue
            reason = _explain(condition, value, scope, rules.sandbox)
        reason = rules.redaction.of_event(event.type, event.payload).text(reason)
        return Verdict(
            route=route.name,
            matched=False,
            condition=condition,
            value=one_line(reason, REASON_LIMIT),
        )
    return Verdict(route=route.name, matched=True, owed=len(route.sends))


def _less(verdict: Verdict, unowed: Sequence[RoutedSend]) -> Verdict:
    """Return the verdict without the sends to destinations that are switched off, and with their names."""
    off = [routed.send.to for routed in unowed if routed.route == verdict.route]
    if not off:
        return verdict
    names = list(dict.fromkeys(off))
    text = f"{enumerated(names)} {'is' if len(names) == 1 else 'are'} switched off"
    return replace(verdict, owed=verdict.owed - len(off), unowed=text)


def without_values(message: str, bound: Mapping[Placeholder, str]) -> str:
    """Return Jinja's message about a condition without the values of variables, which it may quote."""
    for place, value in sorted(bound.items(), key=lambda item: -len(item[1])):
        message = message.replace(value, f"${{{place.name}}}") if len(value) > 3 else message
    return message


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
