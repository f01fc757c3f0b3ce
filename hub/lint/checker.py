"""The type checker: types every path in every text against the events that the text will see."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace

import jinja2
from jinja2 import nodes

from hub.catalog import event_types
from hub.lint.diagnostics import Diagnostic
from hub.lint.environments import TypeEnvironment, any_environment, environment_of, paths_of
from hub.lint.messages import (
    Use,
    UsedText,
    diagnostics_of,
    never_true_message,
    whole_event_message,
)
from hub.lint.parsing import ParsedText, TextParser
from hub.lint.positions import original_offset, start
from hub.lint.statements import Analysis, analyse
from hub.lint.states import FlowState
from hub.lint.texts import ANY_TYPE, Scope, Text, WholeEvent
from hub.lint.values import TEXT, Value, secret_in, truthy
from hub.model.problem import Code, Severity

_OF_TEMPLATES: Mapping[str, Value] = {"destination": TEXT, "link": TEXT}
"""The variables that templates have beside those of conditions."""


def check_texts(
    scopes: Iterable[Scope],
    syntax: jinja2.Environment,
    *,
    templates: Mapping[str, str] | None = None,
    extra_types: Iterable[str] = (),
) -> list[Diagnostic]:
    """Return the diagnostics of all texts: unknown fields and variables, comparisons that can never hold, and
    values that are empty or secret where that breaks something.

    Texts with syntax errors are passed over. `syntax` has the filters that they may use, `templates` the
    sources of those that they may extend by their names, `extra_types` event types beside the catalog's.
    """
    checker = _Checker(TextParser(syntax, templates or {}), frozenset((*event_types(), *extra_types)))
    for scope in scopes:
        checker.check(scope)
    return checker.diagnostics()


@dataclass(frozen=True, kw_only=True)
class _View:
    """The events that a scope's texts see: each with the state that its conditions leave."""

    states: Mapping[TypeEnvironment, FlowState]
    scope: Scope

    @property
    def conditions(self) -> tuple[str, ...]:
        return tuple(condition.source for condition in (*self.scope.conditions, *self.scope.send_conditions))


class _Checker:
    """A reader of texts, each once for each type of event, however many scopes use it."""

    def __init__(self, parser: TextParser, known_types: frozenset[str]) -> None:
        self._parser = parser
        self._known_types = known_types
        self._analyses: dict[tuple[object, ...], Analysis] = {}
        self._used: dict[Hashable, UsedText] = {}
        self._sources: dict[Hashable, str] = {}
        self._diagnostics: list[Diagnostic] = []

    def check(self, scope: Scope) -> None:
        """Read all texts of a scope for all of its types of events."""
        if not scope.event_types:
            return
        environments = [
            any_environment() if name == ANY_TYPE else environment_of(name) for name in scope.event_types
        ]
        view = self._read_conditions(scope, environments)
        for text in scope.texts:
            if isinstance(text, WholeEvent):
                self._check_whole_event(text, view)
            else:
                self._read(text, view)

    def diagnostics(self) -> list[Diagnostic]:
        """Return the diagnostics of all that was read, each text's uses taken together."""
        for text in self._used.values():
            self._diagnostics += diagnostics_of(text, self._known_types)
        return [self._with_original_offset(diagnostic) for diagnostic in self._diagnostics]

    def _read_conditions(self, scope: Scope, environments: list[TypeEnvironment]) -> _View:
        """Read conditions one after the other, each for the events that the others let through."""
        states: dict[TypeEnvironment, FlowState | None] = {
            environment: FlowState(names=environment.variables) for environment in environments
        }
        for condition in (*scope.conditions, *scope.send_conditions):
            if condition in scope.send_conditions:
                states = {environment: _with_destination(state) for environment, state in states.items()}
            parsed = self._parser.condition(condition.source)
            if parsed is None:
                continue
            alive = {environment: state for environment, state in states.items() if state is not None}
            used = self._used_text(condition)
            for environment, state in alive.items():
                analysis = analyse(parsed, state, _known_paths(parsed, scope))
                states[environment] = analysis.after
                used.uses.append(Use(environment=environment, analysis=analysis, allow=scope.allow))
            if not any(states.values()):
                self._report_never_true(used, parsed, list(alive), scope)
                states = {**states, **alive}
        return _View(
            states={
                environment: FlowState(
                    names={**state.names, "destination": TEXT, "link": TEXT}, facts=state.facts
                )
                for environment, state in states.items()
                if state is not None
            },
            scope=scope,
        )

    def _read(self, text: Text, view: _View) -> None:
        parsed = self._parser.template(text.source, text.needed_by)
        if parsed is None:
            return
        used = self._used_text(text)
        for environment, state in view.states.items():
            if text.of_deletions not in (None, environment.type.endswith(".deleted")) and environment.type:
                continue
            analysis = self._analysis(parsed, environment, state, view)
            allow = (*view.scope.allow, *text.allow)
            if text.is_short_lived and _is_relayed(state):
                allow = (*allow, Code.ONE_TIME_SECRET)
            used.uses.append(Use(environment=environment, analysis=analysis, allow=allow))

    def _analysis(
        self, text: ParsedText, environment: TypeEnvironment, state: FlowState, view: _View
    ) -> Analysis:
        """Analyse a template once: types that it cannot tell apart share the analysis."""
        shape = environment if view.conditions or text.mentions_type else environment.shape
        known_paths = _known_paths(text, view.scope)
        key = (id(text), shape, view.conditions, known_paths)
        if key not in self._analyses:
            self._analyses[key] = analyse(text, state, known_paths)
        return self._analyses[key]

    def _used_text(self, text: Text) -> UsedText:
        self._sources[text.location] = text.source
        return self._used.setdefault(text.location, UsedText(location=text.location, noun=text.noun, uses=[]))

    def _report_never_true(
        self, used: UsedText, parsed: ParsedText, environments: list[TypeEnvironment], scope: Scope
    ) -> None:
        """Report that no event passes a condition, where no other diagnostic of it says so."""
        tree = parsed.tree
        is_constant = not isinstance(tree, nodes.Name) and next(tree.find_all(nodes.Name), None) is None
        is_explained = any(diagnostics_of(used, self._known_types))
        if is_constant or is_explained or Code.NEVER_TRUE in scope.allow:
            return
        is_sure = all(environment.published for environment in environments)
        self._diagnostics.append(
            Diagnostic(
                location=used.location,
                offset=start(tree),
                code=Code.NEVER_TRUE,
                severity=Severity.ERROR if is_sure else Severity.WARNING,
                message=never_true_message(environments, used.noun),
            )
        )

    def _check_whole_event(self, event: WholeEvent, view: _View) -> None:
        """Report one-time secrets in events that are passed on whole.

        A scope that also takes events without any passes on what comes: nothing is reported of those.
        """
        secrets = {environment: secret_in(environment.variables["data"]) for environment in view.states}
        with_secret = [
            environment
            for environment, secret in secrets.items()
            if secret and not (event.is_short_lived and _is_relayed(view.states[environment]))
        ]
        is_allowed = Code.ONE_TIME_SECRET in (*view.scope.allow, *event.allow)
        if not with_secret or len(with_secret) < len(secrets) or is_allowed:
            return
        secret = secrets[with_secret[0]]
        self._diagnostics.append(
            Diagnostic(
                location=event.location,
                offset=None,
                code=Code.ONE_TIME_SECRET,
                severity=Severity.WARNING,
                message=whole_event_message(event.recipient, secret, with_secret, event.advice),
            )
        )

    def _with_original_offset(self, diagnostic: Diagnostic) -> Diagnostic:
        if diagnostic.offset is None:
            return diagnostic
        source = self._sources[diagnostic.location]
        return replace(diagnostic, offset=original_offset(source, diagnostic.offset))


def _is_relayed(state: FlowState) -> bool:
    """Return True where conditions leave only mail and SMS that Clerk does not deliver itself."""
    value = state.facts.get(("data", ".delivered_by_clerk"), ())
    return bool(value) and not truthy(value)


def _with_destination(state: FlowState | None) -> FlowState | None:
    return state and replace(state, names={**state.names, "destination": TEXT})


def _known_paths(text: ParsedText, scope: Scope) -> frozenset[str]:
    """Return the fields that some type of the scope has, for a text that asks for fields."""
    return paths_of(scope.event_types) if text.asks else frozenset()
