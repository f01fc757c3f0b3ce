"""Routing, a pure function: the routes that take an event, and the reason of each that does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from hub import catalog
from hub.catalog.redaction import Redaction, redaction_of
from hub.humanize import enumerated
from hub.ingest.conditions import REASON_LIMIT, Unmet, first_unmet
from hub.model.config import Config, SourceConfig
from hub.model.event import Event
from hub.model.routing import (
    UNMATCHED,
    Route,
    RoutedSend,
    Routing,
    SendVerdict,
    Verdict,
    event_matches,
    is_relayed,
)
from hub.model.summary import Summary
from hub.strings import one_line
from hub.templating.lazy_summary import LazySummary
from hub.templating.placeholders import Placeholder, bind
from hub.templating.sandbox import Sandbox, variables
from hub.templating.times import ZONE

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
            routes = tuple(route for route in self.config.routes if route.enabled and fits(route, event))
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
        conditions += [condition for send in self.config.all_sends for condition in send.when]
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
    summary = LazySummary(lambda: condition_summary(event, rules.config))
    for route in rules.fitting(event):
        verdict = _judge(route, event, rules, summary)
        if verdict.matched:
            routed = [RoutedSend(route=route.name, send=send) for send in route.sends]
            if any(send.when for send in route.sends):
                routed, unowed = holding(routed, event, rules, summary)
                verdict = replace(verdict, owed=len(routed), sends=unowed)
            sends += routed
        verdicts.append(verdict)
        if verdict.matched and route.stop:
            break
    routes = tuple(verdict.route for verdict in verdicts if verdict.matched)
    if not routes:
        sends = [RoutedSend(route=UNMATCHED, send=send) for send in rules.config.unmatched]
        if any(send.when for send in rules.config.unmatched):
            sends, unowed = holding(sends, event, rules, summary)
            verdicts += [Verdict(route=UNMATCHED, matched=True, sends=unowed)] if unowed else []
    # Nothing is owed to a destination with `enabled: false`, nor to a mirror that does not keep such objects.
    owed = tuple(
        routed
        for routed in sends
        if rules.config.destinations[routed.send.to].enabled
        and (routed.send.mirrored is None or event.type in routed.send.mirrored)
    )
    if len(owed) < len(sends):
        off = [routed for routed in sends if not rules.config.destinations[routed.send.to].enabled]
        verdicts = [_less(verdict, off, "switched off") for verdict in verdicts]
        unmirrored = [routed for routed in sends if routed not in (*owed, *off)]
        verdicts = [_less(verdict, unmirrored, f"no mirror of {event.type}") for verdict in verdicts]
    return Routing(routes=routes, sends=owed, verdicts=tuple(verdicts), version=rules.config.version)


def is_ignored(source: SourceConfig, event_type: str) -> bool:
    """Return True where a source's `ignore` names this type: it is neither kept nor routed."""
    return any(event_matches(pattern, event_type) for pattern in source.ignore)


def fits(route: Route, event: Event) -> bool:
    """Return True where an event is of a route's sources and types."""
    if route.sources and event.source not in route.sources:
        return False
    return any(event_matches(pattern, event.type) for pattern in route.events)


def condition_summary(event: Event, config: Config) -> Summary:
    """Return the built-in words for an event, in a route's time zone and without what earlier events say."""
    relayed = is_relayed(event.type, config.routes)
    return catalog.summarise(event, ZoneInfo(config.timezone), is_relayed=relayed)


def _judge(route: Route, event: Event, rules: Rules, summary: LazySummary) -> Verdict:
    """Evaluate the route's conditions in order, up to the first that does not hold or cannot be decided."""
    if route.when:
        scope = {**variables(event, route.name, summary), **rules.bindings}
        unmet = _first_unmet(route.when, route.unset, scope, event, rules)
        if unmet is not None:
            return Verdict(
                route=route.name,
                matched=False,
                condition=unmet.condition,
                value=unmet.value,
                unset=unmet.unset,
            )
    return Verdict(route=route.name, matched=True, owed=len(route.sends))


def holding(
    routed: Sequence[RoutedSend], event: Event, rules: Rules, summary: LazySummary
) -> tuple[list[RoutedSend], tuple[SendVerdict, ...]]:
    """Return those of a route's sends whose own conditions hold, and the verdicts of the others.

    They see their destination, and its timezone.
    """
    owed: list[RoutedSend] = []
    unowed: list[SendVerdict] = []
    for sent in routed:
        send = sent.send
        if not send.when:
            owed.append(sent)
            continue
        ZONE.set(rules.config.destinations[send.to].timezone)
        seen = {**variables(event, sent.route, summary), "destination": send.to, **rules.bindings}
        unmet = _first_unmet(send.when, send.undecided, seen, event, rules)
        ZONE.set(rules.config.timezone)
        if unmet is None:
            owed.append(sent)
        else:
            unowed.append(SendVerdict(send.to, send.position, unmet.condition, unmet.value, unmet.unset))
    return owed, tuple(unowed)


def _first_unmet(
    conditions: Sequence[str],
    unset: Mapping[str, tuple[str, ...]],
    scope: Mapping[str, Any],
    event: Event,
    rules: Rules,
) -> Unmet | None:
    unmet = first_unmet(conditions, unset, scope, rules.sandbox, rules.bound)
    if unmet is None or unmet.unset:
        return unmet
    redaction = rules.redaction.of_event(event.type, event.payload)
    return replace(unmet, value=one_line(redaction.text(unmet.value), REASON_LIMIT))


def _less(verdict: Verdict, unowed: Sequence[RoutedSend], why: str) -> Verdict:
    """Return the verdict without the sends that are owed nothing, and with their names and why."""
    off = [routed.send.to for routed in unowed if routed.route == verdict.route]
    if not off:
        return verdict
    names = list(dict.fromkeys(off))
    text = f"{enumerated(names)} {'is' if len(names) == 1 else 'are'} {why}"
    unowed_text = "; ".join(filter(None, (verdict.unowed, text)))
    return replace(verdict, owed=verdict.owed - len(off), unowed=unowed_text)
