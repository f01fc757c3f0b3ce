"""Trial runs: every condition and every send block with the samples of the events that they will see.

Each sample is taken as it is, and then in every variant of a field that is read (`catalog.variants`).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from hub import catalog
from hub.catalog.variants import Body, declared_fields, is_free, variants
from hub.delivery.render import RenderContext, compose
from hub.destinations.base import find_destination
from hub.errors import TemplateError
from hub.humanize import counted
from hub.ingest.conditions import without_values
from hub.ingest.route import load_rules
from hub.model.config import Config
from hub.model.event import Event
from hub.model.problem import Code, Problem, Severity
from hub.model.routing import UNMATCHED, Send
from hub.rules.cases import Case, cases_of
from hub.rules.failures import Failures, Place
from hub.rules.meeting import meeting
from hub.rules.traced import traced
from hub.templating.lazy_summary import LazySummary
from hub.templating.sandbox import variables
from hub.templating.times import ZONE
from hub.yamldoc import Document, Path

CHECK_SECONDS = 20.0
START_SECONDS = 5.0
"""The most that a trial takes in `hub check`, and at a start."""

SLOW_SECONDS = 0.5
"""A send block that took so long and failed is not tried again."""

_UNSURE = {UNMATCHED: "no route takes it"}
"""By the name of a block: the change that a sample needs to get there."""

_RECEIVED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class _TimeUp(Exception):
    """The trial has taken as long as it may."""


def try_samples(config: Config, document: Document, templates_folder: str, seconds: float) -> list[Problem]:
    """Return the problems that samples and their variants meet; what was left out after so long is one more.

    `document` is routes.yaml, `templates_folder` the beginning of the templates' names in problems.
    """
    failures = Failures(config, document, templates_folder)
    trial = _Trial(config, failures, ends_at=time.monotonic() + seconds)
    cases = list(cases_of(config, document))
    trial.run(cases)
    problems = list(failures.problems())
    if trial.untried:
        position = document.at(trial.untried[0].path)
        routes = counted(len(trial.untried), "route")
        message = f"not tried to the end in {seconds:g} s: {routes} with all events, this one first"
        problems.append(
            Problem(
                file=document.file,
                line=position.line,
                column=position.column,
                severity=Severity.WARNING,
                code=Code.TEMPLATE_FAILS,
                message=message,
            )
        )
    return problems


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    """A body that was tried, the paths that were read of it, and whether it met the conditions and passed."""

    body: Body
    paths: frozenset[str]
    is_met: bool
    passes: bool


class _Trial:
    """One trial of a configuration; `untried` are the cases that it did not get through in its time."""

    def __init__(self, config: Config, failures: Failures, *, ends_at: float) -> None:
        self.untried: list[Case] = []
        self._config = config
        self._failures = failures
        self._ends_at = ends_at
        self._rules = load_rules(config)
        self._passed: dict[tuple[str, str], _Outcome] = {}
        self._passed_wholly: set[tuple[str, str]] = set()
        self._slow: set[Path] = set()

    def run(self, cases: list[Case]) -> None:
        """Try the samples of all cases, then their variants: what time does not allow are variants."""
        outcomes: dict[tuple[int, str], _Outcome] = {}
        try:
            for number, case in enumerate(cases):
                self.untried = cases[number:]
                for type_name in case.event_types:
                    outcomes[number, type_name] = self._try_sample(case, type_name)
            for number, case in enumerate(cases):
                self.untried = cases[number:]
                for type_name in case.event_types:
                    self._try_variants(case, type_name, outcomes[number, type_name])
        except _TimeUp:
            return
        self.untried = []

    def _try_sample(self, case: Case, type_name: str) -> _Outcome:
        """Try the sample, and where it does not meet the conditions, one near it that does.

        One that passed a route passes every route with the same conditions and send blocks.
        """
        key = (type_name, case.key)
        if key in self._passed:
            return self._passed[key]
        sample = catalog.sample(type_name)
        outcome = self._try(case, type_name, sample, "")
        if not outcome.is_met:

            def first_unmet(body: Body, paths: set[str]) -> int | None:
                return self._first_unmet(case, self._event(case, type_name, body, paths))[0]

            conditions = [source for _, source in case.conditions]
            met = meeting(type_name, sample, conditions, first_unmet, self._rules.sandbox.syntax)
            outcome = outcome if met is None else self._try(case, type_name, met, "")
        if outcome.passes:
            self._passed[key] = outcome
        return outcome

    def _try_variants(self, case: Case, type_name: str, outcome: _Outcome) -> None:
        key = (type_name, case.key)
        if key not in self._passed_wholly:
            changes = variants(type_name, outcome.body, outcome.paths)
            results = [self._try(case, type_name, body, change).passes for change, body in changes]
            if outcome.passes and all(results):
                self._passed_wholly.add(key)

    def _try(self, case: Case, type_name: str, body: Body, change: str) -> _Outcome:
        paths: set[str] = set()
        event = self._event(case, type_name, body, paths)
        unmet, error = self._first_unmet(case, event)
        if unmet is None:
            results = [self._passes(case, path, send, event, paths, change) for path, send in case.sends]
            return _Outcome(body=body, paths=frozenset(paths), is_met=True, passes=all(results))
        if error is not None:
            place = self._failures.place_of_condition(case.conditions[unmet][0])
            self._add(case.route, place, error, event, paths, change)
        return _Outcome(body=body, paths=frozenset(paths), is_met=False, passes=error is None)

    def _check_time(self) -> None:
        if time.monotonic() > self._ends_at:
            raise _TimeUp

    def _event(self, case: Case, type_name: str, body: Body, paths: set[str]) -> Event:
        """Return an event with that body; `paths` gets the fields that are read of its data."""
        event = Event(
            id="evt_sample",
            source=case.source,
            message_id="msg_sample",
            type=type_name,
            payload=b"",
            received_at=_RECEIVED_AT,
        )
        # It is parsed already.
        event.__dict__["body"] = {**body, "data": traced(body.get("data"), "data", paths)}
        return event

    def _first_unmet(self, case: Case, event: Event) -> tuple[int | None, TemplateError | None]:
        """Return the index of the first condition that does not hold, and its error where it fails."""
        self._check_time()
        ZONE.set(self._config.timezone)
        scope = {**variables(event, case.route, _summary_of(event)), **self._rules.bindings}
        if case.destination:
            scope["destination"] = case.destination
        for index, (_, condition) in enumerate(case.conditions):
            try:
                if not self._rules.sandbox.condition(condition)(scope):
                    return index, None
            except TemplateError as error:
                message = without_values(error.message, self._rules.bound)
                return index, TemplateError(error.template, error.line, message)
        return None, None

    def _passes(self, case: Case, path: Path, send: Send, event: Event, paths: set[str], change: str) -> bool:
        """Render a send block, and return whether it made a message of the user's own."""
        destination = self._config.destinations.get(send.to)
        composer = find_destination(destination.type) if destination else None
        if destination is None or composer is None or not send.fields or path in self._slow:
            return True
        self._check_time()
        context = RenderContext(event=event, route=case.route, timezone=destination.timezone)
        began_at = time.monotonic()
        try:
            compose(send, context, composer, destination.options, self._rules.sandbox)
        except TemplateError as error:
            seen = {
                **variables(event, case.route, _summary_of(event)),
                "destination": send.to,
                "link": "",
            }
            self._add(case.route, self._failures.place_of(path, error, seen), error, event, paths, change)
            if time.monotonic() - began_at > SLOW_SECONDS:
                self._slow.add(path)
            return False
        return True

    def _add(
        self, route: str, place: Place, error: TemplateError, event: Event, paths: set[str], change: str
    ) -> None:
        is_part = re.match(r"(has|renders|does|must|is)\b", error.message)
        message = f"{error.template} {error.message}" if is_part else error.message
        change = change or _free_field(event, paths, error) or _UNSURE.get(route, "")
        self._failures.add(place, message, event.type, change)


def _summary_of(event: Event) -> LazySummary:
    return LazySummary(lambda: catalog.summarise(event))


def _free_field(event: Event, paths: set[str], error: TemplateError) -> str:
    """Return the field of an object that takes any key for whose lack an error came; empty where it is none.

    No sample has such fields.
    """
    fields = declared_fields(event.type)
    for path in sorted(paths - fields.keys()):
        name = path.rpartition(".")[2]
        is_lacking = f'has no "{name}"' in error.message or "a missing field" in error.message
        if is_lacking and is_free(event.type, path):
            return f"{path} is missing"
    return ""
