"""Reading fields of values: the value of a field, and observations of what is not there or empty."""

from __future__ import annotations

from enum import Enum

from jinja2 import nodes

from hub.lint.diagnostics import Observation, Observations
from hub.lint.positions import start
from hub.lint.states import Key, key_of
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

PYTHON = {"text": str, "number": float, "boolean": bool}
"""The types behind the kinds of scalars."""


class Strictness(Enum):
    """The right of an expression to lack a field.

    It has none, or is tested for truth, or for emptiness (`default`), or asks whether the field is there
    (`is defined`).
    """

    STRICT = 0
    TESTED = 1
    GUARDED = 2
    ASKED = 3


class Access:
    """Access to the fields of values in one text.

    In conditions a failure is no more than a route that does not match, so there emptiness breaks nothing.
    `known_paths` are the fields that some type of event has: any other that a text asks for may come one day.
    """

    def __init__(
        self, observations: Observations, *, is_condition: bool, known_paths: frozenset[str] = frozenset()
    ) -> None:
        self.observations = observations
        self._is_condition = is_condition
        self._known_paths = known_paths

    def field(
        self, base: Value, name: str, node: nodes.Node, strictness: Strictness, *, is_called: bool = False
    ) -> Value:
        """Return the value of `.name`, a key; of what `is_called`, `.name()`, a method too."""
        values: list[Value] = []
        lacking: list[Scalar | Listing | Record] = []
        for alternative in base:
            value = _field_of(alternative, name, is_called)
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
        if strictness is Strictness.ASKED:
            return self._asked(lacking, name)
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
                subject=_written(key) if key else "this value",
                detail=effect,
            )
        )

    def _asked(self, lacking: list[Scalar | Listing | Record], name: str) -> Value:
        """Return the value of a field that is asked for: anything, where no type of event has it yet."""
        is_known = any(f"{holder.path}.{name}" in self._known_paths for holder in lacking)
        is_data = any(isinstance(holder, Record) and holder.path.startswith("data") for holder in lacking)
        return ANY if is_data and not is_known else MISSING

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


def _field_of(alternative: Alternative, name: str, is_called: bool) -> Value | None:
    if isinstance(alternative, Empty):
        return (alternative,) if alternative is Empty.UNLIKELY else MISSING
    if isinstance(alternative, Anything | Row):
        return ANY
    if isinstance(alternative, Record):
        value = alternative.read(name)
        return ANY if value is None and is_called and hasattr(dict, name) else value
    python = list if isinstance(alternative, Listing) else PYTHON[alternative.kind]
    return ANY if is_called and hasattr(python, name) else None


def _written(key: Key) -> str:
    """Return a key as a template writes it."""
    text = ""
    for step in key:
        is_below_filter = " | " in text.rpartition(")")[2] and not step.startswith(" | ")
        text = f"({text}){step}" if is_below_filter else text + step
    return text
