"""What a test shows where it holds, and where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jinja2 import nodes

from hub.lint.comparisons import constants_of, matching
from hub.lint.states import State, join, key_of
from hub.lint.values import Empty, Value, defined, falsy, is_any, present, truthy, without

if TYPE_CHECKING:
    from hub.lint.expressions import Evaluator

_TEST_OPERATORS = {"eq": "eq", "equalto": "eq", "==": "eq", "ne": "ne", "!=": "ne", "in": "in"}


def assume(evaluator: Evaluator, node: nodes.Node, holds: bool, state: State) -> State | None:
    """What is known where an expression counts as true (or false); None where it never does."""
    if isinstance(node, nodes.Not):
        return assume(evaluator, node.node, not holds, state)
    if isinstance(node, nodes.And | nodes.Or):
        return _assume_both(evaluator, node, holds, state)
    value = evaluator.test(node, state)
    if not (truthy(value) if holds else falsy(value)):
        return None
    if isinstance(node, nodes.Compare) and len(node.ops) == 1:
        return _compared(evaluator, node.expr, node.ops[0].op, node.ops[0].expr, holds, state)
    if isinstance(node, nodes.Test):
        return _tested(evaluator, node, holds, state)
    return _learn(evaluator, node, truthy(value) if holds else falsy(value), state)


def _assume_both(evaluator: Evaluator, node: nodes.And | nodes.Or, holds: bool, state: State) -> State | None:
    """Both sides have the same outcome, or it is enough that one of them has it."""
    is_strict = holds == isinstance(node, nodes.And)
    first = assume(evaluator, node.left, holds, state)
    if is_strict:
        return assume(evaluator, node.right, holds, first) if first else None
    other = assume(evaluator, node.left, not holds, state)
    second = assume(evaluator, node.right, holds, other) if other else None
    return join((first, second))


def _compared(
    evaluator: Evaluator, left: nodes.Node, op: str, right: nodes.Node, holds: bool, state: State
) -> State | None:
    if op in ("eq", "ne") and isinstance(left, nodes.Const):
        left, right = right, left
    constants = constants_of(op, right) if op in ("eq", "ne", "in", "notin") else None
    if constants is None or any(isinstance(each, str) and "${" in each for each in constants):
        return state
    value = evaluator.value(left, state)
    return state if is_any(value) else _learn(evaluator, left, matching(value, op, constants, holds), state)


def _tested(evaluator: Evaluator, node: nodes.Test, holds: bool, state: State) -> State | None:
    if node.name in _TEST_OPERATORS and len(node.args) == 1:
        return _compared(evaluator, node.node, _TEST_OPERATORS[node.name], node.args[0], holds, state)
    if node.name not in ("defined", "undefined", "none"):
        return state
    value = evaluator.guarded(node.node, state)
    if is_any(value):
        return state
    there = without(value, Empty.NULL) if node.name == "none" else defined(value)
    rest = there if holds == (node.name == "defined") else tuple(each for each in value if each not in there)
    return _learn(evaluator, node.node, rest, state)


def _learn(evaluator: Evaluator, node: nodes.Node, value: Value, state: State) -> State | None:
    """The state with what an expression is known to be; what has a field is there itself."""
    if not value:
        return None
    key = key_of(node)
    if key is None or is_any(value):
        return state
    if isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Filter) and value == present(value):
        holder = evaluator.guarded(node.node, state) if node.node is not None else ()
        if isinstance(node, nodes.Filter) or is_any(holder) or not present(holder):
            return state.learn(key, value)
        state = _learn(evaluator, node.node, present(holder), state) or state
    return state.learn(key, value)
