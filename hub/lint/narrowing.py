"""Narrowing: the state in which a test holds, and that in which it does not."""

from __future__ import annotations

from collections.abc import Callable

from jinja2 import nodes

from hub.lint.access import Strictness
from hub.lint.comparisons import TEST_OPERATORS, constants_of, is_equality, matching
from hub.lint.states import FlowState, join, key_of
from hub.lint.values import ANY, Empty, Value, defined, falsy, is_any, present, truthy, without

STRICTNESS_OF_TESTS = {
    "defined": Strictness.ASKED,
    "undefined": Strictness.ASKED,
    "none": Strictness.GUARDED,
}

_CONSTANT_TESTS = {"true": True, "false": False}

Evaluate = Callable[[nodes.Node, FlowState, Strictness], Value]
"""Gives the value of an expression."""


def assume(evaluate: Evaluate, node: nodes.Node, holds: bool, state: FlowState) -> FlowState | None:
    """Return the state in which an expression counts as true, or as false; None where it never does."""
    if isinstance(node, nodes.Not):
        return assume(evaluate, node.node, not holds, state)
    if isinstance(node, nodes.And | nodes.Or):
        return _assume_both(evaluate, node, holds, state)
    value = evaluate(node, state, Strictness.TESTED)
    if not (truthy(value) if holds else falsy(value)):
        return None
    if isinstance(node, nodes.Compare) and len(node.ops) == 1:
        return _compared(evaluate, node.expr, node.ops[0].op, node.ops[0].expr, holds, state)
    if isinstance(node, nodes.Test):
        return _tested(evaluate, node, holds, state)
    return _learn(evaluate, node, truthy(value) if holds else falsy(value), state)


def _assume_both(
    evaluate: Evaluate, node: nodes.And | nodes.Or, holds: bool, state: FlowState
) -> FlowState | None:
    """Return the state for both sides of one outcome, or where it is enough that one of them has it."""
    is_strict = holds == isinstance(node, nodes.And)
    first = assume(evaluate, node.left, holds, state)
    if is_strict:
        return assume(evaluate, node.right, holds, first) if first else None
    other = assume(evaluate, node.left, not holds, state)
    second = assume(evaluate, node.right, holds, other) if other else None
    return join((first, second))


def _compared(
    evaluate: Evaluate, left_node: nodes.Node, op: str, right_node: nodes.Node, holds: bool, state: FlowState
) -> FlowState | None:
    if op in ("eq", "ne") and isinstance(left_node, nodes.Const):
        left_node, right_node = right_node, left_node
    constants = constants_of(op, right_node) if is_equality(op) else None
    if constants is None or any(isinstance(constant, str) and "${" in constant for constant in constants):
        return state
    value = evaluate(left_node, state, Strictness.STRICT)
    return (
        state if is_any(value) else _learn(evaluate, left_node, matching(value, op, constants, holds), state)
    )


def _tested(evaluate: Evaluate, node: nodes.Test, holds: bool, state: FlowState) -> FlowState | None:
    if node.name in TEST_OPERATORS and len(node.args) == 1:
        return _compared(evaluate, node.node, TEST_OPERATORS[node.name], node.args[0], holds, state)
    if node.name in _CONSTANT_TESTS:
        value = evaluate(node.node, state, Strictness.STRICT)
        matched = matching(value, "eq", (_CONSTANT_TESTS[node.name],), holds)
        return state if is_any(value) else _learn(evaluate, node.node, matched, state)
    if node.name not in STRICTNESS_OF_TESTS:
        return state
    value = evaluate(node.node, state, STRICTNESS_OF_TESTS[node.name])
    if is_any(value):
        return _asked(evaluate, node.node, state) if holds == (node.name == "defined") else state
    positive = without(value, Empty.NULL) if node.name == "none" else defined(value)
    negative = tuple(alternative for alternative in value if alternative not in positive)
    rest = positive if holds == (node.name == "defined") else negative
    return _learn(evaluate, node.node, rest, state)


def _asked(evaluate: Evaluate, node: nodes.Node, state: FlowState) -> FlowState:
    """Return the state behind a field that the catalog does not know: it may be anything from there on."""
    while isinstance(node, nodes.Getattr | nodes.Getitem) and is_any(evaluate(node, state, Strictness.ASKED)):
        key = key_of(node)
        state = state.learn(key, ANY) if key else state
        node = node.node
    return state


def _learn(evaluate: Evaluate, node: nodes.Node, value: Value, state: FlowState) -> FlowState | None:
    """Return the state with the value of an expression, and with all that it is a field of being there."""
    if not value:
        return None
    key = key_of(node)
    if key is None or is_any(value):
        return state
    if isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Filter) and value == present(value):
        holder = evaluate(node.node, state, Strictness.GUARDED) if node.node is not None else ()
        if isinstance(node, nodes.Filter) or is_any(holder) or not present(holder):
            return state.learn(key, value)
        state = _learn(evaluate, node.node, present(holder), state) or state
    return state.learn(key, value)
