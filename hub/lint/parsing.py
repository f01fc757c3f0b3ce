"""Source of a template or a condition -> a tree with offsets, and the names that it sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import jinja2
from jinja2 import nodes

from hub.lint.positions import parse_expression, parse_template
from hub.lint.values import ANY, MISSING, Value

GLOBALS = frozenset(("range", "dict", "cycler", "joiner", "namespace", "self", "super", "caller", "true"))
"""The names that Jinja gives every template."""

STEPS_PER_NODE = 30


@dataclass(frozen=True, kw_only=True)
class ParsedText:
    """A template, or a condition, as a tree whose nodes have offsets.

    `late` are the names that it, or a template that it extends, sets somewhere.
    `needed_by` is that of `Text`.
    """

    tree: nodes.Node
    late: Mapping[str, Value]
    needed_by: str = ""
    is_condition: bool = False

    @cached_property
    def steps(self) -> int:
        """The number of steps that its reading may take."""
        return 500 + STEPS_PER_NODE * sum(1 for _ in self.tree.find_all(nodes.Node))

    @cached_property
    def asks(self) -> bool:
        """True where it asks for fields that may not be there."""
        return any(test.name in ("defined", "undefined") for test in self.tree.find_all(nodes.Test))

    @cached_property
    def mentions_type(self) -> bool:
        """True where it can tell types of events with the same fields apart; to print the type is nothing."""
        harmless = {id(node) for output in self.tree.find_all(nodes.Output) for node in output.nodes}
        harmless |= {id(node.node) for node in self.tree.find_all(nodes.Getattr) if node.attr != "type"}
        harmless |= {id(node.node) for node in self.tree.find_all(nodes.Getattr) if id(node) in harmless}
        names = self.tree.find_all(nodes.Name)
        return any(name.name in ("type", "event") and id(name) not in harmless for name in names)


class TextParser:
    """A parser that parses equal texts once. `templates` maps names to the sources that texts may extend."""

    def __init__(self, syntax: jinja2.Environment, templates: Mapping[str, str]) -> None:
        self._syntax = syntax
        self._templates = templates
        self._parsed: dict[tuple[str, str, bool], ParsedText | None] = {}

    def template(self, source: str, needed_by: str) -> ParsedText | None:
        """Return a template as a tree; None where it is plain text or has a syntax error."""
        if "{{" not in source and "{%" not in source:
            return None
        return self._once(source, needed_by, is_condition=False)

    def condition(self, source: str) -> ParsedText | None:
        """Return a condition as a tree; None where it has a syntax error."""
        return self._once(source, "", is_condition=True)

    def _once(self, source: str, needed_by: str, *, is_condition: bool) -> ParsedText | None:
        key = (source, needed_by, is_condition)
        if key not in self._parsed:
            self._parsed[key] = self._parse(source, needed_by, is_condition=is_condition)
        return self._parsed[key]

    def _parse(self, source: str, needed_by: str, *, is_condition: bool) -> ParsedText | None:
        parse = parse_expression if is_condition else parse_template
        try:
            tree = parse(self._syntax, source)
            late = self._late_names(tree)
        except (jinja2.TemplateSyntaxError, RecursionError):
            return None
        return ParsedText(tree=tree, late=late, needed_by=needed_by, is_condition=is_condition)

    def _late_names(self, tree: nodes.Node) -> Mapping[str, Value]:
        """Return the names that a template sets somewhere, and those that templates it extends may set."""
        late: dict[str, Value] = dict.fromkeys(_names_set_in(tree), MISSING)
        seen: set[str] = set()
        while (extends := next(tree.find_all(nodes.Extends), None)) is not None:
            name = extends.template.value if isinstance(extends.template, nodes.Const) else None
            if not isinstance(name, str) or name not in self._templates or name in seen:
                return _AnyName(late)
            seen.add(name)
            tree = parse_template(self._syntax, self._templates[name])
            late = {**late, **dict.fromkeys(_names_set_in(tree), ANY)}
        return late


class _AnyName(dict[str, Value]):
    """The names of a template whose frame is chosen while it runs: any may be there."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Value:
        return ANY


def _names_set_in(tree: nodes.Node) -> frozenset[str]:
    """Return the names that a template sets, whether by `set`, a loop, a macro or an import."""
    names = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
    names |= {macro.name for macro in tree.find_all(nodes.Macro)}
    names |= {imported.target for imported in tree.find_all(nodes.Import)}
    for imported in tree.find_all(nodes.FromImport):
        names |= {name if isinstance(name, str) else name[1] for name in imported.names}
    return frozenset(names - GLOBALS)
