"""Expressions: the values that they may have for one type of event, and observations of mistakes in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import nodes

from hub.lint import comparisons, filters
from hub.lint.access import Access, Strictness, names_in
from hub.lint.diagnostics import Observation, Observations
from hub.lint.narrowing import STRICTNESS_OF_TESTS, assume
from hub.lint.parsing import GLOBALS, ParsedText
from hub.lint.states import FlowState, key_of, subscript_of
from hub.lint.values import (
    ANY,
    MISSING,
    NUMBER,
    TEXT,
    Empty,
    Listing,
    Record,
    Row,
    Scalar,
    Value,
    call_text_method,
    constant,
    defined,
    falsy,
    first_secret,
    is_any,
    is_text,
    negated,
    present,
    text_of,
    truth,
    truthy,
    union,
)
from hub.model.problem import Code


class TooComplex(Exception):
    """A text takes more steps to read than its size warrants."""


class Evaluator:
    """The evaluation of one text's expressions.

    `known_paths` are those of `Access`.
    """

    def __init__(self, observations: Observations, text: ParsedText, known_paths: frozenset[str]) -> None:
        self.observations = observations
        self.access = Access(observations, is_condition=text.is_condition, known_paths=known_paths)
        self._late = text.late
        self._steps = text.steps

    def value(
        self, node: nodes.Node | None, state: FlowState, strictness: Strictness = Strictness.STRICT
    ) -> Value:
        """Return the value of an expression; raises TooComplex."""
        self._steps -= 1
        if self._steps < 0:
            raise TooComplex
        evaluate = _EVALUATORS.get(type(node)) if node is not None else None
        if node is None or evaluate is None:
            return self._unfollowed(node, state)
        key = key_of(node) if state.facts else None
        if key and state.facts.get(key) == ANY:
            return ANY  # no event has such a field yet, and the text has asked for it
        value = evaluate(self, node, state, strictness)
        return state.facts.get(key, value) if key else value

    def test(self, node: nodes.Node, state: FlowState) -> Value:
        """Return the value of an expression that is only tested for truth."""
        return self.value(node, state, Strictness.TESTED)

    def assume(self, node: nodes.Node, holds: bool, state: FlowState) -> FlowState | None:
        """Return the state in which an expression counts as true, or as false; None where it never does."""
        return assume(self.value, node, holds, state)

    def _unfollowed(self, node: nodes.Node | None, state: FlowState) -> Value:
        for child in node.iter_child_nodes() if node is not None else ():
            self.value(child, state)
        return ANY

    def _const(self, node: Any, state: FlowState, strictness: Strictness) -> Value:
        # A variable of the environment stands there: nothing is known of its value.
        return TEXT if isinstance(node.value, str) and "${" in node.value else constant(node.value)

    def _text(self, node: Any, state: FlowState, strictness: Strictness) -> Value:
        return constant(node.data)

    def _name(self, node: nodes.Name, state: FlowState, strictness: Strictness) -> Value:
        if node.name in state.names:
            return state.names[node.name]
        if node.name in GLOBALS:
            return ANY
        if node.name in self._late:
            return self._late[node.name]
        if strictness in (Strictness.GUARDED, Strictness.ASKED):
            return MISSING
        self.observations.add(
            Observation(
                offset=node.lineno,
                site=(node.lineno, node.name),
                code=Code.UNKNOWN_VARIABLE,
                subject=node.name,
                known=frozenset((*state.names, *self._late)),
            )
        )
        return ANY

    def _getattr(self, node: nodes.Getattr, state: FlowState, strictness: Strictness) -> Value:
        return self.access.field(self.value(node.node, state, strictness), node.attr, node, strictness)

    def _getitem(self, node: nodes.Getitem, state: FlowState, strictness: Strictness) -> Value:
        base = self.value(node.node, state, strictness)
        if isinstance(node.arg, nodes.Slice):
            self._unfollowed(node.arg, state)
            self.access.observe_empty(node.node, base, "a slice of it fails", Empty.NULL)
            return base
        step = subscript_of(node)
        if isinstance(step, str):
            return self.access.field(base, step, node, strictness)
        if step is not None:
            return union(self.access.item(alternative, step, node, strictness) for alternative in base)
        self.value(node.arg, state)
        return ANY

    def _call(self, node: nodes.Call, state: FlowState, strictness: Strictness) -> Value:
        arguments = [self.value(argument, state) for argument in node.args]
        for keyword in node.kwargs:
            self.value(keyword.value, state)
        for argument in (node.dyn_args, node.dyn_kwargs):
            self.value(argument, state) if argument is not None else None
        called = node.node
        if not isinstance(called, nodes.Getattr):
            self.value(called, state, strictness)
            return ANY
        if called.attr == "get" and node.args and isinstance(node.args[0], nodes.Const):
            return self._get(called, str(node.args[0].value), arguments, state)
        base = self.value(called.node, state, strictness)
        self.access.field(base, called.attr, called, strictness, is_called=True)
        effect = f".{called.attr}() fails"
        self.access.observe_empty(called.node, base, effect, Empty.NULL, Empty.MISSING)
        if called.attr == "items" and not arguments:
            return filters.rows(base)
        return call_text_method(base, called.attr, arguments)

    def _get(self, called: nodes.Getattr, name: str, arguments: list[Value], state: FlowState) -> Value:
        """Return the value of `data.get("name")`, which asks whether the field is there."""
        base = self.value(called.node, state, Strictness.TESTED)
        is_object = any(isinstance(alternative, Record) for alternative in base)
        if not is_object or "get" in names_in(base):
            self.access.field(base, "get", called, Strictness.TESTED, is_called=True)
            return ANY
        field = self.access.field(base, name, called, Strictness.GUARDED)
        otherwise = arguments[1] if len(arguments) > 1 else constant(None)
        rest = defined(field)
        return union((rest, otherwise)) if len(rest) < len(field) else field

    def _filter(self, node: nodes.Filter, state: FlowState, strictness: Strictness) -> Value:
        if node.name in ("default", "d"):
            value = self.value(node.node, state, Strictness.GUARDED)
        else:
            value = self.value(node.node, state, strictness) if node.node is not None else TEXT
        arguments = [self.value(argument, state) for argument in node.args]
        keywords = {str(pair.key): self.value(pair.value, state) for pair in node.kwargs}
        return filters.filtered(self.access, node, value, arguments, keywords, strictness)

    def _test(self, node: nodes.Test, state: FlowState, strictness: Strictness) -> Value:
        value = self.value(node.node, state, STRICTNESS_OF_TESTS.get(node.name, strictness))
        arguments = [self.value(argument, state) for argument in node.args]
        op = comparisons.TEST_OPERATORS.get(node.name)
        if op is None or len(arguments) != 1 or is_any(value) or not value:
            return comparisons.tested(node.name, value)
        return self._compared(node.node, value, op, node.args[0], arguments[0], state)

    def _compare(self, node: nodes.Compare, state: FlowState, strictness: Strictness) -> Value:
        left_value = self.value(node.expr, state)
        if len(node.ops) == 1:
            right_value = self.value(node.ops[0].expr, state)
            return self._compared(node.expr, left_value, node.ops[0].op, node.ops[0].expr, right_value, state)
        for operand in node.ops:
            self.value(operand.expr, state)
        return comparisons.EITHER

    def _compared(
        self,
        left_node: nodes.Node,
        left_value: Value,
        op: str,
        right_node: nodes.Node,
        right_value: Value,
        state: FlowState,
    ) -> Value:
        if not comparisons.is_equality(op):
            effect = f'"{comparisons.symbol_of(op)}" fails'
            for node, value in ((left_node, left_value), (right_node, right_value)):
                self.access.observe_empty(node, value, effect, Empty.NULL, Empty.MISSING)
            return comparisons.EITHER
        # Facts of tests before it are left out: only what the field can never be is a mistake.
        asked = {key: value for key, value in state.facts.items() if value == ANY}
        bare = FlowState(names=state.names, facts=asked)
        for side, literal in comparisons.literals(left_node, op, right_node):
            comparisons.observe_impossible(self.observations, self.value(side, bare), literal)
        return comparisons.compared(left_value, op, right_node, right_value)

    def _not(self, node: nodes.Not, state: FlowState, strictness: Strictness) -> Value:
        return truth(negated(self.test(node.node, state)))

    def _and(self, node: nodes.And, state: FlowState, strictness: Strictness) -> Value:
        left_value = self.test(node.left, state)
        further = self.assume(node.left, True, state)
        return union((falsy(left_value), self.value(node.right, further, strictness) if further else ()))

    def _or(self, node: nodes.Or, state: FlowState, strictness: Strictness) -> Value:
        left_value = self.test(node.left, state)
        further = self.assume(node.left, False, state)
        return union((truthy(left_value), self.value(node.right, further, strictness) if further else ()))

    def _inline_if(self, node: nodes.CondExpr, state: FlowState, strictness: Strictness) -> Value:
        self.test(node.test, state)
        yes, no = self.assume(node.test, True, state), self.assume(node.test, False, state)
        # Where the writer left the other way out, emptiness is what they want.
        otherwise = self.value(node.expr2, no, strictness) if node.expr2 is not None and no else constant("")
        return union((self.value(node.expr1, yes, strictness) if yes else (), otherwise if no else ()))

    def _concat(self, node: nodes.Concat, state: FlowState, strictness: Strictness) -> Value:
        values = [self.value(part, state) for part in node.nodes]
        for part, value in zip(node.nodes, values, strict=True):
            self.access.observe_empty(part, value, '"~" writes None then', Empty.NULL)
        return text_of(values)

    def _arithmetic(self, node: Any, state: FlowState, strictness: Strictness) -> Value:
        sides = (node.left, node.right)
        values = [self.value(side, state) for side in sides]
        is_format = node.operator == "%" and is_text(values[0])
        effect = f'"{node.operator}" fails'
        for side, value in zip(sides, values, strict=True) if not is_format else ():
            self.access.observe_empty(side, value, effect, Empty.NULL, Empty.MISSING)
        scalars = [item for value in values for item in present(value) if isinstance(item, Scalar)]
        kinds = {scalar.kind for scalar in scalars}
        return NUMBER if kinds == {"number"} else text_of(values) if kinds == {"text"} else ANY

    def _sequence(self, node: Any, state: FlowState, strictness: Strictness) -> Value:
        values = [self.value(item, state) for item in node.items]
        if isinstance(node, nodes.Tuple):
            return (Row(items=tuple(values)),)
        return (Listing(item=union(values), secret=first_secret(values)),)

    def _dict(self, node: nodes.Dict, state: FlowState, strictness: Strictness) -> Value:
        values = [self.value(pair.value, state) for pair in node.items]
        for pair in node.items:
            self.value(pair.key, state)
        return (Record(names=frozenset(), read=lambda _: ANY, open=True, secret=first_secret(values)),)


_Evaluate = Callable[[Evaluator, Any, FlowState, Strictness], Value]
_EVALUATORS: dict[type[nodes.Node], _Evaluate] = {
    nodes.Const: Evaluator._const,
    nodes.TemplateData: Evaluator._text,
    nodes.Name: Evaluator._name,
    nodes.Getattr: Evaluator._getattr,
    nodes.Getitem: Evaluator._getitem,
    nodes.Call: Evaluator._call,
    nodes.Filter: Evaluator._filter,
    nodes.Test: Evaluator._test,
    nodes.Compare: Evaluator._compare,
    nodes.Not: Evaluator._not,
    nodes.And: Evaluator._and,
    nodes.Or: Evaluator._or,
    nodes.CondExpr: Evaluator._inline_if,
    nodes.Concat: Evaluator._concat,
    nodes.Tuple: Evaluator._sequence,
    nodes.List: Evaluator._sequence,
    nodes.Dict: Evaluator._dict,
    **dict.fromkeys(
        (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow),
        Evaluator._arithmetic,
    ),
}
