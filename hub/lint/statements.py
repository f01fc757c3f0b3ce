"""Statements: one text is read for one type of event, along every way that the event can take in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from hub.lint.diagnostics import Observation, Observations, Site
from hub.lint.environments import closed_record
from hub.lint.expressions import Evaluator, TooComplex
from hub.lint.filters import items_of
from hub.lint.parsing import ParsedText
from hub.lint.positions import start
from hub.lint.states import FlowState, join
from hub.lint.values import (
    ANY,
    BOOLEAN,
    MISSING,
    NUMBER,
    Empty,
    Row,
    Scalar,
    Value,
    is_any,
    present,
    secret_in,
    union,
)
from hub.model.problem import Code

_LOOP: Mapping[str, Value] = {
    **dict.fromkeys(("index", "index0", "revindex", "revindex0", "length", "depth", "depth0"), NUMBER),
    **dict.fromkeys(("first", "last"), BOOLEAN),
    **dict.fromkeys(("previtem", "nextitem", "cycle", "changed"), ANY),
}


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """The reading of a text for one type of event.

    `after` is the state in which a condition holds; None where it never does.
    """

    observations: tuple[Observation, ...] = ()
    right_sites: frozenset[Site] = frozenset()
    after: FlowState | None = None


def analyse(text: ParsedText, state: FlowState, known_paths: frozenset[str] = frozenset()) -> Analysis:
    """Read a text from a state on. One that is nested too deep, or takes too many steps, is left alone.

    `known_paths` are the fields that other types of events of its scope have.
    """
    observations = Observations()
    evaluator = Evaluator(observations, text, known_paths)
    after: FlowState | None = state
    try:
        if text.is_condition:
            evaluator.test(text.tree, state)
            after = evaluator.assume(text.tree, True, state)
        else:
            _Walk(evaluator, text.needed_by).statements([text.tree], state)
    except (TooComplex, RecursionError):
        return Analysis(after=state)
    return Analysis(
        observations=tuple(observations.all), right_sites=frozenset(observations.right_sites), after=after
    )


class _Walk:
    """A walk through the statements of one text."""

    def __init__(self, evaluator: Evaluator, needed_by: str) -> None:
        self._evaluator = evaluator
        self._needed_by = needed_by

    def statements(self, body: Iterable[nodes.Node], state: FlowState) -> FlowState:
        """Read statements one after the other, and return the state behind them."""
        for node in body:
            state = self._statement(node, state)
        return state

    def _statement(self, node: nodes.Node, state: FlowState) -> FlowState:
        if isinstance(node, nodes.Output):
            self._output(node, state)
        elif isinstance(node, nodes.If):
            return self._if(node, state)
        elif isinstance(node, nodes.For):
            self._for(node, state)
        elif isinstance(node, nodes.Assign):
            return self._assigned(node.target, self._evaluator.value(node.node, state), state)
        elif isinstance(node, nodes.AssignBlock):
            return self._block_assigned(node, state)
        elif isinstance(node, nodes.With):
            self._with(node, state)
        elif isinstance(node, nodes.Macro):
            return state.bind({node.name: ANY})
        elif isinstance(node, nodes.Import):
            return state.bind({node.target: ANY})
        elif isinstance(node, nodes.FromImport):
            return state.bind({name if isinstance(name, str) else name[1]: ANY for name in node.names})
        elif isinstance(node, nodes.FilterBlock):
            self.statements(node.body, state)
        elif isinstance(node, nodes.Template):
            return self.statements(node.body, state)
        elif isinstance(node, nodes.Block | nodes.Scope | nodes.ScopedEvalContextModifier):
            self.statements(node.body, state)
        elif isinstance(node, nodes.ExprStmt):
            self._evaluator.value(node.node, state)
        return state

    def _output(self, node: nodes.Output, state: FlowState) -> None:
        texts = [index for index, part in enumerate(node.nodes) if "<" in getattr(part, "data", "")]
        for index, printed in enumerate(node.nodes):
            if isinstance(printed, nodes.TemplateData):
                continue
            value = self._evaluator.value(printed, state)
            secret = secret_in(value)
            if secret:
                self._observe_secret(printed, secret)
            # What stands before a "<" is a name beside an address, which may be empty.
            if self._needed_by and index > max(texts, default=-1):
                empties = (Empty.MISSING, Empty.NULL, Empty.BLANK)
                self._evaluator.access.observe_empty(printed, value, self._needed_by, *empties)

    def _observe_secret(self, node: nodes.Node, secret: str) -> None:
        site = (node.lineno, "")
        observation = Observation(offset=start(node), site=site, code=Code.ONE_TIME_SECRET, subject=secret)
        self._evaluator.observations.add(observation)

    def _if(self, node: nodes.If, state: FlowState) -> FlowState:
        """Read every branch that can be taken, and return the state behind all of them."""
        ends: list[FlowState] = []
        ahead: FlowState | None = state
        for branch in (node, *node.elif_):
            if ahead is None:
                break
            self._evaluator.test(branch.test, ahead)
            taken = self._evaluator.assume(branch.test, True, ahead)
            if taken is not None:
                ends.append(self.statements(branch.body, taken))
            ahead = self._evaluator.assume(branch.test, False, ahead)
        if ahead is not None:
            ends.append(self.statements(node.else_, ahead))
        return join(ends) or state

    def _for(self, node: nodes.For, state: FlowState) -> None:
        value = self._evaluator.value(node.iter, state)
        self._evaluator.access.observe_empty(node.iter, value, "the loop over it fails", Empty.NULL)
        item = ANY if is_any(value) or node.recursive else items_of(value)
        if item or not present(value):
            inside: FlowState | None = self._assigned(node.target, item, state) if item else None
            if inside is not None and node.test is not None:
                self._evaluator.test(node.test, inside)
                inside = self._evaluator.assume(node.test, True, inside)
            if inside is not None:
                self.statements(node.body, inside.bind({"loop": (closed_record("loop", _LOOP),)}))
        self.statements(node.else_, state)

    def _with(self, node: nodes.With, state: FlowState) -> None:
        inside = state
        for target, expression in zip(node.targets, node.values, strict=True):
            inside = self._assigned(target, self._evaluator.value(expression, state), inside)
        self.statements(node.body, inside)

    def _block_assigned(self, node: nodes.AssignBlock, state: FlowState) -> FlowState:
        needed_by, self._needed_by = self._needed_by, ""
        self.statements(node.body, state)
        self._needed_by = needed_by
        return self._assigned(node.target, (Scalar(kind="text"),), state)

    def _assigned(self, target: nodes.Node, value: Value, state: FlowState) -> FlowState:
        if isinstance(target, nodes.Name):
            return state.bind({target.name: value or MISSING})
        if isinstance(target, nodes.Tuple):
            for index, item in enumerate(target.items):
                state = self._assigned(item, _part(value, index), state)
        return state


def _part(value: Value, index: int) -> Value:
    """Return the value that the name at an index of `for a, b in …` takes."""
    rows = [alternative for alternative in value if isinstance(alternative, Row)]
    if len(rows) < len(value) or any(index >= len(row.items) for row in rows):
        return ANY
    return union(row.items[index] for row in rows)
