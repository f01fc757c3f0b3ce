"""YAML text -> a tree of nodes, each a plain value with its position.

PyYAML's Python parser is used as a stream of events: its C parser crashes the process on deep nesting, and
its composer recurses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

import yaml

from hub.model.problem import Code, Problem, Severity
from hub.yamldoc.failure import LastScalar, YamlSyntaxError
from hub.yamldoc.nodes import Node, Position, plain_value
from hub.yamldoc.syntax import explain, explain_alias, explain_tag

DEPTH_LIMIT = 50
ALIASED_VALUES_LIMIT = 10_000

MERGE = "<<\0"
"""The name of a merge key (https://yaml.org/type/merge.html) while a mapping is read: no other has NUL."""

FOREIGN_NAMES = frozenset({"on_status", "form", "query", "headers", "json"})
"""Keys below which numbers are keys: statuses, and names that an endpoint gives."""

_PROPERTY = re.compile(r"[&!]\S*\s+")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def build_tree(text: str, file: str) -> tuple[Node | None, list[Problem]]:
    """Return the tree of a YAML text, None where it does not parse at all, and its problems."""
    return _Builder(text, file).build()


class _Loader(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser):
    """PyYAML up to its events, in Python."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)


class _Mark(Protocol):
    index: int
    line: int
    column: int


@dataclass(kw_only=True)
class _OpenCollection:
    """A mapping or list whose end has not come yet.

    `key` is that of the mapping's next value; `expects_key` says which of both is next. `unusable` keys
    were reported already: their values are read and dropped. `merges` are the mappings whose keys it takes
    once its own are known. `is_template` marks `{{ … }}` without quotes.
    """

    node: Node
    start: int
    anchor: str | None
    key: str = ""
    expects_key: bool = True
    unusable: bool = False
    merges: list[Node] = field(default_factory=list)
    is_template: bool = False


class _Builder:
    """A tree under construction, from PyYAML's events without recursion: no nesting can exhaust the stack."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: dict[Problem, None] = {}
        self.stack: list[_OpenCollection] = []
        self.root: Node | None = None
        self.anchors: dict[str, Node | None] = {}
        self.unused: dict[str, Position] = {}
        self.aliased = 0
        self.last_scalar: LastScalar | None = None

    def build(self) -> tuple[Node | None, list[Problem]]:
        """Do as `build_tree`."""
        try:
            self._read_events()
        except YamlSyntaxError as error:
            self._report(error.line, error.column, Code.YAML_SYNTAX, str(error))
            return None, list(self.problems)
        message = 'nothing refers to this anchor ("&…"); if it is part of a text, put the text into quotes'
        for position in self.unused.values():
            self._report(position.line, position.column, Code.UNUSED_ANCHOR, message, Severity.WARNING)
        return self.root or Node(line=1, column=1), list(self.problems)

    def _read_events(self) -> None:
        loader: Any = None
        try:
            loader = _Loader(self.text)
            while loader.check_event():
                self._take(loader.get_event())
        except yaml.YAMLError as error:
            raise explain(error, self.text, self.last_scalar) from error
        except (ValueError, OverflowError) as error:
            # PyYAML passes an escape like \UFFFFFFFF to chr() unchecked.
            mark = loader.get_mark()
            message = "this escape names no character; write the character itself"
            raise YamlSyntaxError(mark.line + 1, mark.column + 1, message) from error

    def _take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            message = 'a second document begins here ("---"); keep everything in one document'
            mark: Any = event.start_mark
            raise _syntax_error(mark, message)
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self._take_alias(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close(event)

    def _take_scalar(self, event: Any) -> None:
        start, end = event.start_mark, event.end_mark
        raw = self.text[start.index : end.index]
        if unstorable := _UNSTORABLE.search(event.value):
            message = f"the character {ord(unstorable[0]):#06x} cannot be stored; leave it out"
            raise _syntax_error(start, message)
        if event.tag is not None:
            self._report(start.line + 1, start.column + 1, Code.YAML_SYNTAX, explain_tag(raw))
        node = Node(line=start.line + 1, column=start.column + 1, raw=raw, style=event.style or "")
        self._without_properties(node)
        is_plain = event.style is None or event.style == ""
        node.value = plain_value(event.value) if is_plain and event.tag is None else event.value
        end_position = Position(line=end.line + 1, column=end.column + 1)
        self.last_scalar = LastScalar(start=node.position, end=end_position, quote=node.style)
        self._anchor(event, node)
        self._attach(node, event.value if is_plain else None)

    def _without_properties(self, node: Node) -> None:
        """Let a text begin behind its anchor and tag."""
        while node.raw[:1] in ("&", "!") and (properties := _PROPERTY.match(node.raw)):
            before = properties[0]
            node.line += before.count("\n")
            node.column = len(before) - before.rfind("\n") if "\n" in before else node.column + len(before)
            node.raw = node.raw[len(before) :]

    def _take_alias(self, event: Any) -> None:
        start, name = event.start_mark, str(event.anchor)
        repeated = self.anchors.get(name)
        self.unused.pop(name, None)
        if repeated is None:
            message = explain_alias(known=name in self.anchors)
            self._report(start.line + 1, start.column + 1, Code.YAML_SYNTAX, message)
            repeated = Node(line=start.line + 1, column=start.column + 1, value=f"*{name}", raw=f"*{name}")
        self.aliased += repeated.size
        if self.aliased > ALIASED_VALUES_LIMIT:
            raise _syntax_error(
                start, f"aliases repeat more than {ALIASED_VALUES_LIMIT} values; write fewer of them"
            )
        self._attach(repeated, None)

    def _anchor(self, event: Any, node: Node | None) -> None:
        if event.anchor is not None:
            self.anchors[event.anchor] = node
            mark = event.start_mark
            self.unused[event.anchor] = Position(line=mark.line + 1, column=mark.column + 1)

    def _open(self, event: Any) -> None:
        start = event.start_mark
        if len(self.stack) == DEPTH_LIMIT:
            raise _syntax_error(start, f"nested deeper than {DEPTH_LIMIT} levels; take some levels away")
        if event.tag is not None:
            message = explain_tag(self.text[start.index :])
            self._report(start.line + 1, start.column + 1, Code.YAML_SYNTAX, message)
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        node = Node(line=start.line + 1, column=start.column + 1, value={} if is_mapping else [])
        self._anchor(event, None)
        parent = self.stack[-1] if self.stack else None
        if parent and parent.expects_key and isinstance(parent.node.value, dict):
            self._refuse_key(parent, start)
        self.stack.append(_OpenCollection(node=node, start=start.index, anchor=event.anchor))

    def _refuse_key(self, parent: _OpenCollection, start: _Mark) -> None:
        """Report a mapping or a list as a key: nearly always a template without quotes."""
        if self.text.startswith("{{", parent.start):
            if not parent.is_template:
                message = 'a value that begins with "{{" must be in quotes: "{{ … }}"'
                self._report(parent.node.line, parent.node.column, Code.YAML_SYNTAX, message)
            parent.is_template = True
            return
        message = "a key must be text, not a list or a mapping; if this is one text, put it into quotes"
        self._report(start.line + 1, start.column + 1, Code.BAD_KEY, message)

    def _close(self, event: Any) -> None:
        opened = self.stack.pop()
        node = opened.node
        node.keys.pop(MERGE, None)
        for merged in opened.merges:
            node.merge(merged)
        if opened.is_template:
            raw = self.text[opened.start : event.end_mark.index]
            node = Node(line=node.line, column=node.column, value=raw, raw=raw)
        if opened.anchor is not None:
            self.anchors[opened.anchor] = node
        self._attach(node, None)

    def _attach(self, node: Node, plain_text: str | None) -> None:
        """Put a finished value where it belongs; as a key it is text, `plain_text` where it had no quotes."""
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if isinstance(parent.node.value, list):
            parent.node.add(len(parent.node.value), node)
        elif parent.expects_key:
            self._take_key(parent, node, plain_text)
            parent.expects_key = False
        else:
            parent.expects_key = True
            if parent.unusable:
                return
            if parent.key == MERGE:
                self._take_merges(parent, node)
            else:
                parent.node.add(parent.key, node)

    def _take_merges(self, parent: _OpenCollection, node: Node) -> None:
        """Note the mapping, or those of a list, whose keys a mapping takes; of two the first wins."""
        for merged in node.children.values() if isinstance(node.value, list) else (node,):
            if isinstance(merged.value, dict):
                parent.merges.append(merged)
            elif not merged.raw.startswith("*"):
                message = "a merge key takes a mapping (<<: *name), or a list of them (<<: [*one, *other])"
                self._report(merged.line, merged.column, Code.BAD_KEY, message)

    def _take_key(self, parent: _OpenCollection, node: Node, plain_text: str | None) -> None:
        parent.unusable = True
        if parent.is_template or isinstance(node.value, dict | list):
            return
        key = self._key(node, plain_text)
        if plain_text == "<<":
            key = MERGE
        if not isinstance(key, str):
            message = f"a key must be text, not {_kind(node.value)}; put it into quotes"
            self._report(node.line, node.column, Code.BAD_KEY, message)
        elif key in parent.node.keys:
            first = parent.node.keys[key]
            advice = "name both in one list" if key == MERGE else "keep one of them"
            name = "<<" if key == MERGE else key
            message = f'"{name}" is here a second time, the first is in line {first.line}; {advice}'
            self._report(node.line, node.column, Code.DUPLICATE_KEY, message)
        else:
            parent.unusable = False
            parent.key = key
            parent.node.keys[key] = node.position

    def _key(self, node: Node, plain_text: str | None) -> Any:
        """Return a key: a number as it is written, in a mapping whose names are other people's."""
        is_number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
        is_foreign = any(opened.key in FOREIGN_NAMES for opened in self.stack[:-1])
        return plain_text if is_number and is_foreign else node.value

    def _report(
        self, line: int, column: int, code: Code, message: str, severity: Severity = Severity.ERROR
    ) -> None:
        problem = Problem(
            file=self.file, line=line, column=column, severity=severity, code=code, message=message
        )
        self.problems[problem] = None


def _syntax_error(mark: _Mark, message: str) -> YamlSyntaxError:
    return YamlSyntaxError(mark.line + 1, mark.column + 1, message)


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    return "true or false" if isinstance(value, bool) else "a number"
