"""Which routes take an event, and why the others do not: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub import catalog
from hub.errors import TemplateError
from hub.model.config import Config, SourceConfig
from hub.model.event import Event
from hub.model.routing import UNMATCHED, Matched, Route, Routing, Send, Verdict, event_matches
from hub.strings import one_line
from hub.templating.sandbox import Sandbox, variables

REASON_LIMIT = 161
"""Characters of why a condition failed that are kept."""

FITTING_LIMIT = 1000
"""So many types of events at most are remembered: a sender may invent any number."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """One version of the user's files, ready to route and render with."""

    config: Config
    sandbox: Sandbox
    _fitting: dict[tuple[str, str], tuple[Route, ...]] = field(default_factory=dict, repr=False)

    def fitting(self, event: Event) -> tuple[Route, ...]:
        """The enabled routes whose `events` and `source` fit, found once for each type of event."""
        key = (event.source, event.type)
        routes = self._fitting.get(key)
        if routes is None:
            routes = tuple(route for route in self.config.routes if route.enabled and _fits(route, event))
            if len(self._fitting) < FITTING_LIMIT:
                self._fitting[key] = routes
        return routes


def load_rules(config: Config) -> Rules:
    """The rules of a configuration."""
    return Rules(config=config, sandbox=Sandbox(config.templates))


def match(rules: Rules, event: Event) -> Routing:
    """What the rules say of an event: all matching routes in order, up to one that stops.

    An event that no route takes goes to the `unmatched` block, where there is one. A condition that fails
    while it runs counts as not matched, and its error is kept in the verdict.
    """
    matched: list[Matched] = []
    verdicts: list[Verdict] = []
    for route in rules.fitting(event):
        verdict = _judge(route, event, rules.sandbox)
        verdicts.append(verdict)
        if verdict.matched:
            matched.append(Matched(route=route.name, sends=_enabled(route.sends, rules.config)))
            if route.stop:
                break
    if not matched:
        unmatched = _enabled(rules.config.unmatched, rules.config)
        if unmatched:
            matched.append(Matched(route=UNMATCHED, sends=unmatched))
    return Routing(matched=tuple(matched), verdicts=tuple(verdicts))


def is_ignored(source: SourceConfig, event_type: str) -> bool:
    """Whether a source's `ignore` names this type: such an event is neither kept nor routed."""
    return any(event_matches(pattern, event_type) for pattern in source.ignore)


def _fits(route: Route, event: Event) -> bool:
    if route.sources and event.source not in route.sources:
        return False
    return any(event_matches(pattern, event.type) for pattern in route.events)


def _enabled(sends: tuple[Send, ...], config: Config) -> tuple[Send, ...]:
    """What is not switched off: nothing is owed to a destination with `enabled: false`."""
    return tuple(send for send in sends if config.destinations[send.to].enabled)


def _judge(route: Route, event: Event, sandbox: Sandbox) -> Verdict:
    """The route's conditions in order, up to the first that does not hold."""
    seen = variables(event, route.name) if route.when else {}
    for condition in route.when:
        try:
            value = sandbox.condition(condition)(seen)
        except TemplateError as error:
            why = f"failed: {error.message}"
        else:
            if value:
                continue
            why = _explain(condition, value, seen, sandbox)
        return Verdict(route=route.name, matched=False, condition=condition, value=_kept(why, event))
    return Verdict(route=route.name, matched=True)


def _kept(why: str, event: Event) -> str:
    """Why a condition failed as it may be kept and shown: short, on one line, without one-time secrets."""
    why = catalog.mask(why, catalog.secret_values(event.type, event.body))
    return one_line(why, REASON_LIMIT)


_COMPARISON = re.compile(r"\s*([\w.\[\]\"']+)\s*(?:==|!=|<=|>=|<|>|\bin\b|\bnot in\b)\s")


def _explain(condition: str, value: Any, seen: Mapping[str, Any], sandbox: Sandbox) -> str:
    """What a condition that does not hold saw: its left side, where it compares one (`data.status is …`)."""
    compared = _COMPARISON.match(condition)
    if compared:
        try:
            left = sandbox.condition(compared[1])(seen)
        except TemplateError:
            return f"it is {_shown(value)}"
        return f"{compared[1]} is {_shown(left)}"
    return f"it is {_shown(value)}"


def _shown(value: Any) -> str:
    """A value in words: strings in quotes."""
    if value is None:
        return "missing"
    return '"' + value.replace('"', "'") + '"' if isinstance(value, str) else ascii(value)
