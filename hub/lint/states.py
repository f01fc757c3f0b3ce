"""The knowledge at one point of a template: its names, and the facts of the tests on the way there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from jinja2 import nodes

from hub.lint.values import MISSING, Value, union

Key = tuple[str, ...]
"""An expression whose value cannot change between two places, its name first: `("data", ".id")`."""


@dataclass(frozen=True, kw_only=True)
class FlowState:
    """The values of names, and of longer expressions (`facts`) where a test narrowed them."""

    names: Mapping[str, Value]
    facts: Mapping[Key, Value] = field(default_factory=dict)

    def bind(self, names: Mapping[str, Value]) -> FlowState:
        """Return the state with new values for names; facts about their old ones are forgotten."""
        facts = {key: value for key, value in self.facts.items() if key[0] not in names}
        return FlowState(names={**self.names, **names}, facts=facts)

    def learn(self, key: Key, value: Value) -> FlowState:
        """Return the state with one more fact."""
        return FlowState(names=self.names, facts={**self.facts, key: value})


def join(states: Iterable[FlowState | None]) -> FlowState | None:
    """Return the state at which several ways meet; None where none of them is ever taken."""
    taken = [state for state in states if state is not None]
    if len(taken) < 2 or all(state is taken[0] for state in taken):
        return taken[0] if taken else None
    names = {
        name: union(state.names.get(name, MISSING) for state in taken)
        for name in dict.fromkeys(name for state in taken for name in state.names)
    }
    facts = {
        key: union(state.facts[key] for state in taken)
        for key in taken[0].facts
        if all(key in state.facts for state in taken)
    }
    return FlowState(names=names, facts=facts)


def key_of(node: nodes.Node | None) -> Key | None:
    """Return the key of a name, of a field below it, or of either through filters; None for all else."""
    steps: list[str] = []
    while not isinstance(node, nodes.Name):
        step = _step(node)
        if step is None:
            return None
        steps.append(step)
        node = node.node  # type: ignore[union-attr]
    return (node.name, *reversed(steps))


def subscript_of(node: nodes.Getitem) -> str | int | None:
    """Return the key or index in brackets; None where it is not written out."""
    sign, argument = (-1, node.arg.node) if isinstance(node.arg, nodes.Neg) else (1, node.arg)
    value = argument.value if isinstance(argument, nodes.Const) else None
    if isinstance(value, str) and sign == 1:
        return value
    return sign * value if isinstance(value, int) else None


def _step(node: nodes.Node | None) -> str | None:
    if isinstance(node, nodes.Getattr):
        return f".{node.attr}"
    if isinstance(node, nodes.Getitem):
        step = subscript_of(node)
        return f".{step}" if isinstance(step, str) else None if step is None else f"[{step}]"
    if isinstance(node, nodes.Filter) and node.node is not None and node.name not in ("random", "shuffle"):
        return _filter_step(node)
    return None


def _filter_step(node: nodes.Filter) -> str | None:
    arguments = [("", argument) for argument in node.args]
    arguments += [(f"{pair.key}=", pair.value) for pair in node.kwargs]
    if node.dyn_args or node.dyn_kwargs or not all(isinstance(value, nodes.Const) for _, value in arguments):
        return None
    written = ", ".join(f"{key}{value.value!r}" for key, value in arguments if isinstance(value, nodes.Const))
    return f" | {node.name}({written})" if written else f" | {node.name}"
