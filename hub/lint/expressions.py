"""What an expression may turn out to be for one type of event, and what is wrong in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any

from jinja2 import nodes

from hub.lint import comparisons, filters
from hub.lint.diagnostics import Notebook, Remark
from hub.lint.narrowing import assume
from hub.lint.positions import start
from hub.lint.states import State, key_of, subscript_of
from hub.lint.values import (
    ANY,
    MISSING,
    NUMBER,
    TEXT,
    Anything,
    Empty,
    Listing,
    Record,
    Row,
    Scalar,
    Value,
    constant,
    defined,
    falsy,
    finite,
    is_any,
    present,
    secret_in,
    truth,
    truthy,
    union,
)
from hub.model.problem import Code

GLOBALS = frozenset(("range", "dict", "cycler", "joiner", "namespace", "self", "super", "caller", "true"))

_PYTHON = {"text": str, "number": float, "boolean": bool}
_FOLDED = frozenset(("startswith", "endswith", "lower", "upper", "strip", "removeprefix", "removesuffix"))


class Soft(Enum):
    """Whether an expression may lack a field: no; it is tested for truth; it is tested for being there."""

    NO = 0
    TESTED = 1
    GUARDED = 2


class TooComplex(Exception):
    """A text takes more steps to read than its size warrants."""


class Evaluator:
    """Reads the expressions of one text. `late` are names that the text, or one it extends, sets somewhere.

    In conditions a failure is no more than a route that does not match, so there emptiness breaks nothing.
    """

    def __init__(
        self, notebook: Notebook, *, late: Mapping[str, Value], is_condition: bool, steps: int
    ) -> None:
        self.notebook = notebook
        self.is_condition = is_condition
        self._late = late
        self._steps = steps

    def value(self, node: nodes.Node | None, state: State, soft: Soft = Soft.NO) -> Value:
        """What an expression may be."""
        self._steps -= 1
        if self._steps < 0:
            raise TooComplex
        read = _READERS.get(type(node)) if node is not None else None
        if node is None or read is None:
            return self._unfollowed(node, state)
        found = read(self, node, state, soft)
        key = key_of(node) if state.facts else None
        return state.facts.get(key, found) if key else found

    def test(self, node: nodes.Node, state: State) -> Value:
        """What an expression may be that is only asked whether it is true."""
        return self.value(node, state, Soft.TESTED)

    def guarded(self, node: nodes.Node, state: State) -> Value:
        """What an expression may be that is asked whether it is there."""
        return self.value(node, state, Soft.GUARDED)

    def field(self, base: Value, name: str, node: nodes.Node, soft: Soft, *, key_only: bool = False) -> Value:
        """What `.name` of a value may be; with `key_only` what `["name"]` may be, which is no method."""
        found: list[Value] = []
        lacking: list[Scalar | Listing | Record] = []
        for alternative in base:
            read = _read_field(alternative, name, key_only)
            if read is not None:
                found.append(read)
            elif isinstance(alternative, Scalar | Listing | Record):
                lacking.append(alternative)
        if not lacking:
            self.notebook.clear((node.lineno, name))
            return union(found)
        if any(present(each) for each in found):
            self.notebook.clear((node.lineno, name))
            return union((*found, MISSING))
        self._lacks(lacking, name, node, soft)
        return ANY if soft is Soft.NO else MISSING

    def breaks(self, node: nodes.Node, value: Value, what: str, *empties: Empty) -> None:
        """Remark that a value may be empty where that makes the template fail or print nonsense."""
        if not self.is_condition and not is_any(value) and any(empty in value for empty in empties):
            key = key_of(node)
            subject = "".join(key) if key else "this value"
            self.notebook.add(
                Remark(
                    offset=start(node),
                    mark=(node.lineno, what),
                    code=Code.EMPTY_VALUE,
                    subject=subject,
                    detail=what,
                )
            )

    def _lacks(
        self, lacking: list[Scalar | Listing | Record], name: str, node: nodes.Node, soft: Soft
    ) -> None:
        holder = next((each for each in lacking if each.path), None)
        if holder is None:
            return
        names = {known for each in lacking if isinstance(each, Record) for known in each.names}
        detail = "" if isinstance(holder, Record) else "list" if isinstance(holder, Listing) else holder.kind
        self.notebook.add(
            Remark(
                offset=start(node),
                mark=(node.lineno, name),
                code=Code.UNKNOWN_FIELD,
                subject=holder.path + (name if name.startswith("[") else f".{name}"),
                detail=detail,
                known=frozenset(f"{holder.path}.{each}" for each in names),
                weak=soft is not Soft.NO,
            )
        )

    def _unfollowed(self, node: nodes.Node | None, state: State) -> Value:
        for child in node.iter_child_nodes() if node is not None else ():
            self.value(child, state)
        return ANY

    # -- one method for each kind of expression ---------------------------------------------------

    def _const(self, node: Any, state: State, soft: Soft) -> Value:
        # A variable of the environment stands there: nothing is known of its value.
        return TEXT if isinstance(node.value, str) and "${" in node.value else constant(node.value)

    def _text(self, node: Any, state: State, soft: Soft) -> Value:
        return constant(node.data)

    def _name(self, node: nodes.Name, state: State, soft: Soft) -> Value:
        if node.name in state.names:
            return state.names[node.name]
        if node.name in GLOBALS:
            return ANY
        if node.name in self._late:
            return self._late[node.name]
        if soft is not Soft.GUARDED:
            known = frozenset((*state.names, *self._late))
            self.notebook.add(
                Remark(
                    offset=node.lineno,
                    mark=(node.lineno, node.name),
                    code=Code.UNKNOWN_VARIABLE,
                    subject=node.name,
                    known=known,
                )
            )
        return MISSING if soft is Soft.GUARDED else ANY

    def _getattr(self, node: nodes.Getattr, state: State, soft: Soft) -> Value:
        return self.field(self.value(node.node, state, soft), node.attr, node, soft)

    def _getitem(self, node: nodes.Getitem, state: State, soft: Soft) -> Value:
        base = self.value(node.node, state, soft)
        if isinstance(node.arg, nodes.Slice):
            self._unfollowed(node.arg, state)
            self.breaks(node.node, base, "a slice of it fails", Empty.NULL)
            return base
        step = subscript_of(node)
        if isinstance(step, str):
            return self.field(base, step, node, soft, key_only=True)
        if step is not None:
            return union(self._item(alternative, step, node, soft) for alternative in base)
        self.value(node.arg, state)
        return ANY

    def _item(self, alternative: Any, index: int, node: nodes.Getitem, soft: Soft) -> Value:
        """What stands at a fixed index."""
        if isinstance(alternative, Listing):
            return union((alternative.item, MISSING))
        if isinstance(alternative, Record) and not alternative.open:
            self._lacks([alternative], f"[{index}]", node, soft)
            return ANY
        return MISSING if isinstance(alternative, Empty) else ANY

    def _call(self, node: nodes.Call, state: State, soft: Soft) -> Value:
        arguments = [self.value(each, state) for each in node.args]
        for keyword in node.kwargs:
            self.value(keyword.value, state)
        for each in (node.dyn_args, node.dyn_kwargs):
            self.value(each, state) if each is not None else None
        called = node.node
        if not isinstance(called, nodes.Getattr):
            self.value(called, state, soft)
            return ANY
        if called.attr == "get" and node.args and isinstance(node.args[0], nodes.Const):
            return self._get(called, str(node.args[0].value), arguments, state)
        base = self.value(called.node, state, soft)
        self.field(base, called.attr, called, soft)
        self.breaks(called.node, base, f".{called.attr}() fails", Empty.NULL, Empty.MISSING)
        if called.attr == "items" and not arguments:
            return filters.rows(base)
        return _folded(base, called.attr, arguments)

    def _get(self, called: nodes.Getattr, name: str, arguments: list[Value], state: State) -> Value:
        """`data.get("name")`, which asks whether the field is there."""
        base = self.value(called.node, state, Soft.TESTED)
        if not any(isinstance(each, Record) for each in base) or "get" in _names(base):
            self.field(base, "get", called, Soft.TESTED)
            return ANY
        found = self.field(base, name, called, Soft.GUARDED, key_only=True)
        otherwise = arguments[1] if len(arguments) > 1 else constant(None)
        there = defined(found)
        return union((there, otherwise)) if len(there) < len(found) else found

    def _filter(self, node: nodes.Filter, state: State, soft: Soft) -> Value:
        if node.name in ("default", "d"):
            value = self.value(node.node, state, Soft.GUARDED)
        else:
            value = self.value(node.node, state, soft) if node.node is not None else TEXT
        arguments = [self.value(each, state) for each in node.args]
        keywords = {str(pair.key): self.value(pair.value, state) for pair in node.kwargs}
        return filters.filtered(self, node, value, arguments, keywords, soft)

    def _test(self, node: nodes.Test, state: State, soft: Soft) -> Value:
        guarded = node.name in ("defined", "undefined", "none")
        value = self.value(node.node, state, Soft.GUARDED if guarded else soft)
        for each in node.args:
            self.value(each, state)
        return comparisons.tested(self, node, value, state)

    def _compare(self, node: nodes.Compare, state: State, soft: Soft) -> Value:
        left = self.value(node.expr, state)
        if len(node.ops) == 1:
            right = self.value(node.ops[0].expr, state)
            return comparisons.compared(self, node.expr, left, node.ops[0].op, node.ops[0].expr, right, state)
        for operand in node.ops:
            self.value(operand.expr, state)
        return comparisons.EITHER

    def _not(self, node: nodes.Not, state: State, soft: Soft) -> Value:
        return truth(_negated(self.test(node.node, state)))

    def _and(self, node: nodes.And, state: State, soft: Soft) -> Value:
        left = self.test(node.left, state)
        further = assume(self, node.left, True, state)
        return union((falsy(left), self.value(node.right, further, soft) if further else ()))

    def _or(self, node: nodes.Or, state: State, soft: Soft) -> Value:
        left = self.test(node.left, state)
        further = assume(self, node.left, False, state)
        return union((truthy(left), self.value(node.right, further, soft) if further else ()))

    def _inline_if(self, node: nodes.CondExpr, state: State, soft: Soft) -> Value:
        self.test(node.test, state)
        yes, no = assume(self, node.test, True, state), assume(self, node.test, False, state)
        # Where the writer left the other way out, emptiness is what they want.
        otherwise = self.value(node.expr2, no, soft) if node.expr2 is not None and no else constant("")
        return union((self.value(node.expr1, yes, soft) if yes else (), otherwise if no else ()))

    def _concat(self, node: nodes.Concat, state: State, soft: Soft) -> Value:
        values = [self.value(each, state) for each in node.nodes]
        for each, value in zip(node.nodes, values, strict=True):
            self.breaks(each, value, '"~" writes None then', Empty.NULL)
        return _text_with(values)

    def _arithmetic(self, node: Any, state: State, soft: Soft) -> Value:
        sides = (node.left, node.right)
        values = [self.value(each, state) for each in sides]
        is_format = node.operator == "%" and is_text(values[0])
        for each, value in zip(sides, values, strict=True) if not is_format else ():
            self.breaks(each, value, f'"{node.operator}" fails', Empty.NULL, Empty.MISSING)
        kinds = {each.kind for value in values for each in present(value) if isinstance(each, Scalar)}
        return NUMBER if kinds == {"number"} else _text_with(values) if kinds == {"text"} else ANY

    def _sequence(self, node: Any, state: State, soft: Soft) -> Value:
        values = [self.value(each, state) for each in node.items]
        if isinstance(node, nodes.Tuple):
            return (Row(items=tuple(values)),)
        secret = next((secret for value in values if (secret := secret_in(value))), "")
        return (Listing(item=union(values), secret=secret),)

    def _dict(self, node: nodes.Dict, state: State, soft: Soft) -> Value:
        values = [self.value(pair.value, state) for pair in node.items]
        for pair in node.items:
            self.value(pair.key, state)
        secret = next((secret for value in values if (secret := secret_in(value))), "")
        return (Record(names=frozenset(), read=lambda _: ANY, open=True, secret=secret),)


def _read_field(alternative: Any, name: str, key_only: bool) -> Value | None:
    if isinstance(alternative, Empty):
        return (alternative,) if alternative is Empty.UNLIKELY else MISSING
    if isinstance(alternative, Anything | Row):
        return ANY
    if isinstance(alternative, Record):
        found = alternative.read(name)
        return ANY if found is None and not key_only and hasattr(dict, name) else found
    python = list if isinstance(alternative, Listing) else _PYTHON[alternative.kind]
    return ANY if not key_only and hasattr(python, name) else None


def _names(value: Value) -> Iterable[str]:
    return {name for each in value if isinstance(each, Record) for name in each.names}


def is_text(value: Value) -> bool:
    return all(isinstance(each, Scalar) and each.kind == "text" for each in value)


def _negated(value: Value) -> Value:
    return tuple(
        constant(not each)[0]
        for scalar in truth(value)
        if isinstance(scalar, Scalar)
        for each in scalar.values or ()
    )


def _folded(base: Value, method: str, arguments: list[Value]) -> Value:
    """What a method of texts makes of the texts that are known: `type.startswith("user.")`."""
    if method not in _FOLDED or len(base) != 1 or len(arguments) > 1:
        return ANY
    texts = finite(base)
    others = [finite(each) for each in arguments]
    is_known = texts is not None and all(other is not None and len(other) == 1 for other in others)
    if not is_known or not all(isinstance(each, str) for each in texts or ()):
        return ANY
    given = [other[0] for other in others if other]
    if not all(isinstance(each, str) for each in given):
        return ANY
    return union(constant(getattr(text, method)(*given)) for text in texts or ())


def _text_with(values: Iterable[Value]) -> Value:
    """A text that was put together."""
    secret = next((secret for value in values if (secret := secret_in(value))), "")
    return (Scalar(kind="text", secret=secret),)


_Reader = Callable[[Evaluator, Any, State, Soft], Value]
_READERS: dict[type[nodes.Node], _Reader] = {
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
