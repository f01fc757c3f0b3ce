"""Reading fields of values: the value of a field, and observations of what is not there or empty."""

from __future__ import annotations

from enum import Enum

from jinja2 import nodes

from hub.lint.diagnostics import Observation, Observations
from hub.lint.positions import start
from hub.lint.states import key_of
from hub.lint.values import (
    ANY,
    MISSING,
    Alternative,
    Anything,
    Empty,
    Listing,
    Record,
    Row,
    Scalar,
    Value,
    is_any,
    present,
    union,
)
from hub.model.problem import Code

_PYTHON = {"text": str, "number": float, "boolean": bool}


class Strictness(Enum):
    """The right of an expression to lack a field: none, or it is tested for truth, or for being there."""

    STRICT = 0
    TESTED = 1
    GUARDED = 2


class Access:
    """Access to the fields of values in one text.

    In conditions a failure is no more than a route that does not match, so there emptiness breaks nothing.
    """

    def __init__(self, observations: Observations, *, is_condition: bool) -> None:
        self.observations = observations
        self._is_condition = is_condition

    def field(
        self, base: Value, name: str, node: nodes.Node, strictness: Strictness, *, key_only: bool = False
    ) -> Value:
        """Return the value of `.name`; with `key_only` that of `["name"]`, which is no method."""
        values: list[Value] = []
        lacking: list[Scalar | Listing | Record] = []
        for alternative in base:
            value = _field_of(alternative, name, key_only)
            if value is not None:
                values.append(value)
            elif isinstance(alternative, Scalar | Listing | Record):
                lacking.append(alternative)
        if not lacking:
            self.observations.add_right((node.lineno, name))
            return union(values)
        if any(present(value) for value in values):
            self.observations.add_right((node.lineno, name))
            return union((*values, MISSING))
        self._observe_lack(lacking, name, node, strictness)
        return ANY if strictness is Strictness.STRICT else MISSING

    def item(
        self, alternative: Alternative, index: int, node: nodes.Getitem, strictness: Strictness
    ) -> Value:
        """Return the value at a fixed index."""
        if isinstance(alternative, Listing):
            return union((alternative.item, MISSING))
        if isinstance(alternative, Record) and not alternative.open:
            self._observe_lack([alternative], f"[{index}]", node, strictness)
            return ANY
        return MISSING if isinstance(alternative, Empty) else ANY

    def observe_empty(self, node: nodes.Node, value: Value, effect: str, *empties: Empty) -> None:
        """Observe that a value may be empty, where that has the effect of a failure or of nonsense."""
        if self._is_condition or is_any(value) or not any(empty in value for empty in empties):
            return
        key = key_of(node)
        self.observations.add(
            Observation(
                offset=start(node),
                site=(node.lineno, effect),
                code=Code.EMPTY_VALUE,
                subject="".join(key) if key else "this value",
                detail=effect,
            )
        )

    def _observe_lack(
        self,
        lacking: list[Scalar | Listing | Record],
        name: str,
        node: nodes.Node,
        strictness: Strictness,
    ) -> None:
        holder = next((alternative for alternative in lacking if alternative.path), None)
        if holder is None:
            return
        names = names_in(tuple(lacking))
        detail = "" if isinstance(holder, Record) else "list" if isinstance(holder, Listing) else holder.kind
        self.observations.add(
            Observation(
                offset=start(node),
                site=(node.lineno, name),
                code=Code.UNKNOWN_FIELD,
                subject=holder.path + (name if name.startswith("[") else f".{name}"),
                detail=detail,
                known=frozenset(f"{holder.path}.{known}" for known in names),
                weak=strictness is not Strictness.STRICT,
            )
        )


def names_in(value: Value) -> set[str]:
    """Return the names of the fields that an object has, if the value is one."""
    return {name for alternative in value if isinstance(alternative, Record) for name in alternative.names}


def _field_of(alternative: Alternative, name: str, key_only: bool) -> Value | None:
    if isinstance(alternative, Empty):
        return (alternative,) if alternative is Empty.UNLIKELY else MISSING
    if isinstance(alternative, Anything | Row):
        return ANY
    if isinstance(alternative, Record):
        value = alternative.read(name)
        return ANY if value is None and not key_only and hasattr(dict, name) else value
    python = list if isinstance(alternative, Listing) else _PYTHON[alternative.kind]
    return ANY if not key_only and hasattr(python, name) else None
