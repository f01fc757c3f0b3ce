"""What a comparison or a test may come to, and whether what a field can be makes it impossible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from hub.lint.diagnostics import Remark
from hub.lint.states import State
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

if TYPE_CHECKING:
    from hub.lint.expressions import Evaluator

EITHER = BOOLEAN

_EQUALITY = {"eq": True, "ne": False, "in": True, "notin": False}
_TESTS = {"eq": "eq", "equalto": "eq", "==": "eq", "ne": "ne", "!=": "ne", "in": "in"}
_ORDER = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}


def compared(
    evaluator: Evaluator,
    left_node: nodes.Node,
    left: Value,
    op: str,
    right_node: nodes.Node,
    right: Value,
    state: State,
) -> Value:
    """The booleans that `left op right` may come to."""
    if op not in _EQUALITY:
        for node, value in ((left_node, left), (right_node, right)):
            said = f'"{_ORDER.get(op, op)}" fails'
            evaluator.breaks(node, value, said, Empty.NULL, Empty.MISSING)
        return EITHER
    # What tests before it have shown is left out: only what the field can never be is a mistake.
    bare = State(names=state.names)
    for side, literal in _literals(left_node, op, right_node):
        _judge(evaluator, evaluator.value(side, bare), literal)
    return _booleans(_can_equal(left, op, right_node, right), _must_equal(left, op, right_node, right), op)


def tested(evaluator: Evaluator, node: nodes.Test, value: Value, state: State) -> Value:
    """The booleans that `x is …` may come to."""
    if is_any(value) or not value:
        return EITHER
    if node.name in ("defined", "undefined"):
        rest = defined(value)
        return _sure(bool(rest), len(rest) < len(value), node.name == "defined")
    if node.name == "none":
        return _sure(Empty.NULL in value, bool(without(value, Empty.NULL)), True)
    if node.name in _TESTS and len(node.args) == 1:
        other = evaluator.value(node.args[0], state)
        return compared(evaluator, node.node, value, _TESTS[node.name], node.args[0], other, state)
    return EITHER


def matching(value: Value, op: str, literals: tuple[Any, ...], holds: bool) -> Value:
    """What of a value is left where it was found (not) to be one of some constants."""
    wanted = holds == _EQUALITY[op]
    kept: list[Any] = []
    for alternative in value:
        if isinstance(alternative, Empty):
            kept += [] if wanted and None not in literals else [alternative]
        elif not isinstance(alternative, Scalar):
            kept.append(alternative)
        else:
            known = alternative.values
            if known is None and not wanted:
                kept.append(alternative)
                continue
            values = literals if known is None else known
            rest = tuple(each for each in values if any(same(each, one) for one in literals) == wanted)
            if rest:
                kept.append(
                    Scalar(
                        kind=alternative.kind, values=rest, path=alternative.path, secret=alternative.secret
                    )
                )
    return tuple(kept)


def constants_of(op: str, node: nodes.Node) -> tuple[Any, ...] | None:
    """The constants that a side compares with: one, or those of a list; None where there are others."""
    if op in ("eq", "ne"):
        return (node.value,) if isinstance(node, nodes.Const) else None
    items = node.items if isinstance(node, nodes.List | nodes.Tuple) else None
    if items is None or not all(isinstance(item, nodes.Const) for item in items):
        return None
    return tuple(item.value for item in items if isinstance(item, nodes.Const))


def _literals(
    left_node: nodes.Node, op: str, right_node: nodes.Node
) -> Iterator[tuple[nodes.Node, nodes.Const]]:
    """Each constant that a comparison names, behind the side that it is compared with."""
    if op in ("eq", "ne"):
        if isinstance(right_node, nodes.Const):
            yield left_node, right_node
        elif isinstance(left_node, nodes.Const):
            yield right_node, left_node
    elif isinstance(right_node, nodes.List | nodes.Tuple):
        for item in right_node.items:
            if isinstance(item, nodes.Const):
                yield left_node, item


def _judge(evaluator: Evaluator, value: Value, literal: nodes.Const) -> None:
    """Remark where a field can never be what it is compared with."""
    wanted, there = literal.value, present(value)
    if wanted is None or not there or (isinstance(wanted, str) and "${" in wanted):
        return
    scalars = [each for each in there if isinstance(each, Scalar)]
    if len(scalars) < len(there) or any(_may_be(scalar, wanted) for scalar in scalars):
        evaluator.notebook.clear((literal.lineno, "literal"))
        return
    scalar = next((each for each in scalars if each.path), None)
    if scalar is None:
        return
    values = [each for one in scalars for each in one.values or ()]
    is_enum = scalar.kind == "text" and isinstance(wanted, str)
    evaluator.notebook.add(
        Remark(
            offset=literal.lineno,
            mark=(literal.lineno, "literal"),
            code=Code.IMPOSSIBLE_COMPARISON,
            subject=scalar.path,
            detail=f'"{wanted}"' if is_enum else scalar.kind,
            known=frozenset(map(str, values)) if is_enum else frozenset(),
            weak=True,
        )
    )


def _may_be(scalar: Scalar, wanted: Any) -> bool:
    kind = "boolean" if isinstance(wanted, bool) else "text" if isinstance(wanted, str) else "number"
    if scalar.values is None:
        return (scalar.kind == "text") == (kind == "text")
    return any(same(each, wanted) for each in scalar.values)


def _can_equal(left: Value, op: str, right_node: nodes.Node, right: Value) -> bool:
    if is_any(left) or is_any(right):
        return True
    literals = constants_of(op, right_node)
    if literals is not None:
        return bool(matching(left, "eq", literals, True))
    if op in ("in", "notin"):
        return True
    lefts, rights = finite(left), finite(right)
    if may_be_empty(left) and may_be_empty(right):
        return True
    if lefts is None or rights is None or _has_parts(left) or _has_parts(right):
        return True
    return any(same(one, other) for one in lefts for other in rights)


def _must_equal(left: Value, op: str, right_node: nodes.Node, right: Value) -> bool:
    literals = constants_of(op, right_node)
    if literals is None or is_any(left) or not left:
        return False
    return not matching(left, "eq", literals, False)


def _has_parts(value: Value) -> bool:
    return any(isinstance(each, Listing | Row) for each in value)


def _booleans(can: bool, must: bool, op: str) -> Value:
    return _sure(can, not must, _EQUALITY[op])


def _sure(can_be: bool, can_fail: bool, positive: bool) -> Value:
    """True where it can be, false where it can fail; the other way round for a negated test."""
    values = [each for each, possible in ((positive, can_be), (not positive, can_fail)) if possible]
    return (Scalar(kind="boolean", values=tuple(values)),) if values else ()
