"""YAML text -> plain values with positions, which every message about a file needs.

Plain values are what they look like: `null`, `~`, `true`, `false` and numbers as JSON writes them are typed,
everything else (`NO`, `on`, `012`, `+49`, `22:00`, a date) is text. Aliases and merge keys (`<<`) are
allowed, tags are problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hub.model.problem import Code, Problem, error_at
from hub.yamldoc.nodes import Node, Position
from hub.yamldoc.tree import build_tree

FILE_LIMIT_BYTES = 1024 * 1024

Path = tuple[str | int, ...]
"""The way from the top of a document to a value: keys and list indexes."""

_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Document:
    """A file's values as `value`: mappings, lists, text, numbers, booleans and None; and their positions.

    An alias stands where the text it repeats stands.
    """

    file: str
    root: Node
    text: str = field(default="", repr=False)

    @property
    def value(self) -> Any:
        """The plain value of the whole document."""
        return self.root.value

    def at(self, path: Path) -> Position:
        """Return the position of a value; of the nearest value around it where it is not there."""
        return self._node(path).position

    def key_at(self, path: Path) -> Position:
        """Return the position of a value's key; of an item of a list, its own."""
        parent = self._node(path[:-1])
        return parent.keys.get(str(path[-1]), self.at(path)) if path else self.at(path)

    def within(self, path: Path, offset: int) -> Position:
        """Return the position of a text's character at `offset`, whatever its quotes, folds and escapes."""
        node = self._node(path)
        if not isinstance(node.value, str) or not node.raw:
            return node.position
        index = _raw_index(node, offset)
        before = node.raw[:index]
        line_begins = before.rfind("\n") + 1
        column = index - line_begins + (node.column if line_begins == 0 else 1)
        return Position(line=node.line + before.count("\n"), column=column)

    def style(self, path: Path) -> str:
        """Return the quote of a text, `|` or `>`; nothing for one without any."""
        return self._node(path).style

    def comment_follows(self, path: Path) -> bool:
        """Return whether a comment begins in the place of this key's value: `channel: #sales`."""
        key = self.key_at(path)
        line = self.text.split("\n")[key.line - 1] if self.text else ""
        return bool(re.match(r"[^:]*:\s+#", line[key.column - 1 :]))

    def texts(self, path: Path = ()) -> Iterator[tuple[Path, str]]:
        """Yield every text at or below a path, keys not included; nothing where the path is not there."""
        node = self.root
        for step in path:
            if step not in node.children:
                return
            node = node.children[step]
        yield from _texts_below(node, path)

    def _node(self, path: Path) -> Node:
        node = self.root
        for step in path:
            if step not in node.children:
                break
            node = node.children[step]
        return node


def _texts_below(node: Node, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(node.value, str):
        yield path, node.value
    for key, child in node.children.items():
        yield from _texts_below(child, (*path, key))


def parse(content: bytes, file: str) -> tuple[Document | None, tuple[Problem, ...]]:
    """Return the document in a file's bytes, None where it does not parse at all, and its problems."""
    if len(content) > FILE_LIMIT_BYTES:
        message = "the file is larger than 1 MiB, the most that is read; make it smaller"
        return None, (error_at(file, 1, 1, Code.UNREADABLE_FILE, message),)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return None, (_not_utf8(content, error, file),)
    root, problems = build_tree(text, file)
    document = None if root is None else Document(file=file, root=root, text=text)
    return document, tuple(problems)


def not_utf8(content: bytes, error: UnicodeDecodeError) -> str:
    """Return the message about a file that is not UTF-8."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "the file is UTF-16; save it as UTF-8"
    return f"the file is not UTF-8 (byte 0x{content[error.start]:02x} here); save it as UTF-8"


def _not_utf8(content: bytes, error: UnicodeDecodeError, file: str) -> Problem:
    before = content[: error.start]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return error_at(file, line, column, Code.UNREADABLE_FILE, not_utf8(content, error))


def _raw_index(node: Node, offset: int) -> int:
    """Return the index in a text's raw form of its character number `offset`.

    Other than white space and escapes, both forms hold the same characters in the same order.
    """
    raw, value = node.raw, node.value
    index = raw.find("\n") + 1 if node.style in ("|", ">") else len(node.style)
    for char in value[:offset]:
        index = _skip_fold(node, index, char)
        index += _raw_length(node.style, raw, index)
    return min(_skip_fold(node, index, value[offset : offset + 1]), len(raw))


def _skip_fold(node: Node, index: int, char: str) -> int:
    """Return the index past indentation, folds and escaped line breaks that stand before a character."""
    raw = node.raw
    while index < len(raw):
        if node.style == '"' and re.match(r"\\\r?\n", raw[index : index + 3]):
            index += 2
        elif raw[index] in " \t\r\n" and not char.isspace():
            index += 1
        else:
            break
    return index


def _raw_length(style: str, raw: str, index: int) -> int:
    """Return the number of raw characters that make the one at `index`."""
    if style == '"' and (escape := _ESCAPE.match(raw, index)):
        return len(escape[0])
    if style == "'" and raw.startswith("''", index):
        return 2
    return 1
