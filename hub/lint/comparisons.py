"""Comparisons and tests: the booleans that they may come to, and constants that a field can never be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jinja2 import nodes

from hub.lint.diagnostics import Observation, Observations
from hub.lint.values import (
    BOOLEAN,
    Empty,
    Listing,
    Row,
    Scalar,
    Value,
    defined,
    finite,
    is_any,
    may_be_empty,
    present,
    same,
    without,
)
from hub.model.problem import Code

EITHER = BOOLEAN

TEST_OPERATORS = {"eq": "eq", "equalto": "eq", "==": "eq", "ne": "ne", "!=": "ne", "in": "in"}
"""The tests that compare (`x is eq 1`), each with its operator."""

_EQUALITY = {"eq": True, "ne": False, "in": True, "notin": False}
_ORDER = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


def is_equality(op: str) -> bool:
    """Return whether an operator asks for equality, and not for an order."""
    return op in _EQUALITY


def symbol_of(op: str) -> str:
    """Return an operator as templates write it."""
    return _ORDER.get(op, op)


def compared(left_value: Value, op: str, right_node: nodes.Node, right_value: Value) -> Value:
    """Return the booleans that `left op right` may come to, where `op` asks for equality."""
    can_be, must_be = (
        _can_equal(left_value, op, right_node, right_value),
        _must_equal(left_value, op, right_node, right_value),
    )
    return _booleans(can_be, not must_be, _EQUALITY[op])


def tested(name: str, value: Value) -> Value:
    """Return the booleans that `value is name` may come to, for a test that compares with nothing."""
    if is_any(value) or not value:
        return EITHER
    if name in ("defined", "undefined"):
        rest = defined(value)
        return _booleans(bool(rest), len(rest) < len(value), name == "defined")
    if name == "none":
        return _booleans(Empty.NULL in value, bool(without(value, Empty.NULL)), True)
    return EITHER


def literals(
    left_node: nodes.Node, op: str, right_node: nodes.Node
) -> Iterator[tuple[nodes.Node, nodes.Const]]:
    """Yield each constant that a comparison names, behind the side that it is compared with."""
    if op in ("eq", "ne"):
        if isinstance(right_node, nodes.Const):
            yield left_node, right_node
        elif isinstance(left_node, nodes.Const):
            yield right_node, left_node
    elif isinstance(right_node, nodes.List | nodes.Tuple):
        for item in right_node.items:
            if isinstance(item, nodes.Const):
                yield left_node, item


def observe_impossible(observations: Observations, value: Value, literal: nodes.Const) -> None:
    """Observe that a field can never be the constant that it is compared with."""
    wanted, alternatives = literal.value, present(value)
    if wanted is None or not alternatives or (isinstance(wanted, str) and "${" in wanted):
        return
    scalars = [alternative for alternative in alternatives if isinstance(alternative, Scalar)]
    if len(scalars) < len(alternatives) or any(_may_be(scalar, wanted) for scalar in scalars):
        observations.add_right((literal.lineno, "literal"))
        return
    scalar = next((scalar for scalar in scalars if scalar.path), None)
    if scalar is None:
        return
    constants = [constant for scalar in scalars for constant in scalar.values or ()]
    is_enum = scalar.kind == "text" and isinstance(wanted, str)
    observations.add(
        Observation(
            offset=literal.lineno,
            site=(literal.lineno, "literal"),
            code=Code.IMPOSSIBLE_COMPARISON,
            subject=scalar.path,
            detail=f'"{wanted}"' if is_enum else scalar.kind,
            known=frozenset(map(str, constants)) if is_enum else frozenset(),
            weak=True,
        )
    )


def matching(value: Value, op: str, constants: tuple[Any, ...], holds: bool) -> Value:
    """Return the part of a value for which the comparison with constants holds, or does not."""
    is_one_of = holds == _EQUALITY[op]
    kept: list[Any] = []
    for alternative in value:
        if isinstance(alternative, Empty):
            kept += [] if is_one_of and None not in constants else [alternative]
        elif isinstance(alternative, Scalar):
            kept += _matching_scalar(alternative, constants, is_one_of)
        else:
            kept.append(alternative)
    return tuple(kept)


def _matching_scalar(scalar: Scalar, constants: tuple[Any, ...], is_one_of: bool) -> Value:
    if scalar.values is None and not is_one_of:
        return (scalar,)
    possible = constants if scalar.values is None else scalar.values
    kept = tuple(value for value in possible if any(same(value, one) for one in constants) == is_one_of)
    return (Scalar(kind=scalar.kind, values=kept, path=scalar.path, secret=scalar.secret),) if kept else ()


def constants_of(op: str, node: nodes.Node) -> tuple[Any, ...] | None:
    """Return the constants on the right: one, or those of a list; None where there is anything else."""
    if op in ("eq", "ne"):
        return (node.value,) if isinstance(node, nodes.Const) else None
    items = node.items if isinstance(node, nodes.List | nodes.Tuple) else None
    if items is None or not all(isinstance(item, nodes.Const) for item in items):
        return None
    return tuple(item.value for item in items if isinstance(item, nodes.Const))


def _may_be(scalar: Scalar, wanted: Any) -> bool:
    kind = "boolean" if isinstance(wanted, bool) else "text" if isinstance(wanted, str) else "number"
    if scalar.values is None:
        return (scalar.kind == "text") == (kind == "text")
    return any(same(value, wanted) for value in scalar.values)


def _can_equal(left_value: Value, op: str, right_node: nodes.Node, right_value: Value) -> bool:
    if is_any(left_value) or is_any(right_value):
        return True
    constants = constants_of(op, right_node)
    if constants is not None:
        return bool(matching(left_value, "eq", constants, True))
    if op in ("in", "notin"):
        return True
    lefts, rights = finite(left_value), finite(right_value)
    if may_be_empty(left_value) and may_be_empty(right_value):
        return True
    if lefts is None or rights is None or _has_parts(left_value) or _has_parts(right_value):
        return True
    return any(same(one, other) for one in lefts for other in rights)


def _must_equal(left_value: Value, op: str, right_node: nodes.Node, right_value: Value) -> bool:
    constants = constants_of(op, right_node)
    if constants is None or is_any(left_value) or not left_value:
        return False
    return not matching(left_value, "eq", constants, False)


def _has_parts(value: Value) -> bool:
    return any(isinstance(alternative, Listing | Row) for alternative in value)


def _booleans(can_hold: bool, can_fail: bool, positive: bool) -> Value:
    """Return true where a test can hold, and false where it can fail; the reverse for a negated test."""
    values = tuple(value for value, can_be in ((positive, can_hold), (not positive, can_fail)) if can_be)
    return (Scalar(kind="boolean", values=values),) if values else ()
