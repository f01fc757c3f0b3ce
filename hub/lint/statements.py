"""Reads one template or condition for one type of event, along every way that the event can take in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from jinja2 import nodes

from hub.lint.diagnostics import Mark, Notebook, Remark
from hub.lint.environments import Scene, closed
from hub.lint.expressions import GLOBALS, Evaluator, TooComplex
from hub.lint.filters import items_of
from hub.lint.narrowing import assume
from hub.lint.positions import start
from hub.lint.states import State, join
from hub.lint.values import (
    ANY,
    BOOLEAN,
    MISSING,
    NUMBER,
    TEXT,
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

STEPS_PER_NODE = 30

_LOOP: Mapping[str, Value] = {
    **dict.fromkeys(("index", "index0", "revindex", "revindex0", "length", "depth", "depth0"), NUMBER),
    **dict.fromkeys(("first", "last"), BOOLEAN),
    **dict.fromkeys(("previtem", "nextitem", "cycle", "changed"), ANY),
}


@dataclass(frozen=True, kw_only=True)
class Text:
    """A template, or a condition, read as a tree whose nodes have offsets.

    `late` are the names that it, or a template that it extends, sets somewhere. `needed_by` names what an
    empty value would break: the subject, the recipient, the path. `prints` is false where nobody gets to see
    what it renders: in a condition.
    """

    tree: nodes.Node
    late: Mapping[str, Value]
    needed_by: str = ""
    is_condition: bool = False

    @cached_property
    def steps(self) -> int:
        """How many steps its reading may take."""
        return 500 + STEPS_PER_NODE * sum(1 for _ in self.tree.find_all(nodes.Node))

    @cached_property
    def mentions_type(self) -> bool:
        """Whether it can tell types of events with the same fields apart; printing the type is nothing."""
        fine = {id(each) for output in self.tree.find_all(nodes.Output) for each in output.nodes}
        fine |= {id(each.node) for each in self.tree.find_all(nodes.Getattr) if each.attr != "type"}
        fine |= {id(each.node) for each in self.tree.find_all(nodes.Getattr) if id(each) in fine}
        names = self.tree.find_all(nodes.Name)
        return any(name.name in ("type", "event") and id(name) not in fine for name in names)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What reading a text for one type of event came to.

    `after` is what is known where a condition holds; None where it never does.
    """

    remarks: tuple[Remark, ...] = ()
    cleared: frozenset[Mark] = frozenset()
    after: State | None = None


def read(text: Text, state: State) -> Found:
    """Read a text. One that is nested too deep, or takes too many steps, is left alone."""
    notebook = Notebook()
    evaluator = Evaluator(notebook, late=text.late, is_condition=text.is_condition, steps=text.steps)
    after: State | None = state
    try:
        if text.is_condition:
            evaluator.test(text.tree, state)
            after = assume(evaluator, text.tree, True, state)
        else:
            _Walk(evaluator, text.needed_by).statements([text.tree], state)
    except (TooComplex, RecursionError):
        return Found(after=state)
    return Found(remarks=tuple(notebook.remarks), cleared=frozenset(notebook.cleared), after=after)


def state_of(scene: Scene, *, is_condition: bool) -> State:
    """What is known where a condition or a template begins."""
    extra = {} if is_condition else {"destination": TEXT, "link": TEXT}
    return State(names={**scene.variables, **extra})


def names_set_in(tree: nodes.Node) -> frozenset[str]:
    """The names that a template sets, whether by `set`, a loop, a macro or an import."""
    names = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    names |= {macro.name for macro in tree.find_all(nodes.Macro)}
    names |= {imported.target for imported in tree.find_all(nodes.Import)}
    for imported in tree.find_all(nodes.FromImport):
        names |= {name if isinstance(name, str) else name[1] for name in imported.names}
    return frozenset(names - GLOBALS)


class _Walk:
    """Goes through the statements of one text."""

    def __init__(self, evaluator: Evaluator, needed_by: str) -> None:
        self._evaluator = evaluator
        self._needed_by = needed_by

    def statements(self, body: Iterable[nodes.Node], state: State) -> State:
        for node in body:
            state = self._statement(node, state)
        return state

    def _statement(self, node: nodes.Node, state: State) -> State:
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

    def _output(self, node: nodes.Output, state: State) -> None:
        for printed in node.nodes:
            if isinstance(printed, nodes.TemplateData):
                continue
            value = self._evaluator.value(printed, state)
            secret = secret_in(value)
            if secret:
                self._remark(printed, Code.ONE_TIME_SECRET, secret)
            if self._needed_by:
                self._evaluator.breaks(
                    printed, value, self._needed_by, Empty.MISSING, Empty.NULL, Empty.BLANK
                )

    def _remark(self, node: nodes.Node, code: Code, subject: str) -> None:
        remark = Remark(offset=start(node), mark=(node.lineno, ""), code=code, subject=subject)
        self._evaluator.notebook.add(remark)

    def _if(self, node: nodes.If, state: State) -> State:
        """Every branch that can be taken, and what is known behind all of them."""
        ends: list[State] = []
        ahead: State | None = state
        for branch in (node, *node.elif_):
            if ahead is None:
                break
            self._evaluator.test(branch.test, ahead)
            taken = assume(self._evaluator, branch.test, True, ahead)
            if taken is not None:
                ends.append(self.statements(branch.body, taken))
            ahead = assume(self._evaluator, branch.test, False, ahead)
        if ahead is not None:
            ends.append(self.statements(node.else_, ahead))
        return join(ends) or state

    def _for(self, node: nodes.For, state: State) -> None:
        value = self._evaluator.value(node.iter, state)
        self._evaluator.breaks(node.iter, value, "the loop over it fails", Empty.NULL)
        item = ANY if is_any(value) or node.recursive else items_of(value)
        if item or not present(value):
            inside: State | None = self._assigned(node.target, item, state) if item else None
            if inside is not None and node.test is not None:
                self._evaluator.test(node.test, inside)
                inside = assume(self._evaluator, node.test, True, inside)
            if inside is not None:
                self.statements(node.body, inside.bind({"loop": (closed("loop", _LOOP),)}))
        self.statements(node.else_, state)

    def _with(self, node: nodes.With, state: State) -> None:
        inside = state
        for target, expression in zip(node.targets, node.values, strict=True):
            inside = self._assigned(target, self._evaluator.value(expression, state), inside)
        self.statements(node.body, inside)

    def _block_assigned(self, node: nodes.AssignBlock, state: State) -> State:
        needed_by, self._needed_by = self._needed_by, ""
        self.statements(node.body, state)
        self._needed_by = needed_by
        return self._assigned(node.target, (Scalar(kind="text"),), state)

    def _assigned(self, target: nodes.Node, value: Value, state: State) -> State:
        if isinstance(target, nodes.Name):
            return state.bind({target.name: value or MISSING})
        if isinstance(target, nodes.Tuple):
            for index, item in enumerate(target.items):
                state = self._assigned(item, _part(value, index), state)
        return state


def _part(value: Value, index: int) -> Value:
    """What the name at an index of `for a, b in …` takes."""
    rows = [each for each in value if isinstance(each, Row)]
    if len(rows) < len(value) or any(index >= len(row.items) for row in rows):
        return ANY
    return union(row.items[index] for row in rows)
