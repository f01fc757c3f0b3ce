"""The nodes of a document: plain values, each with its position."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    "": None,
    **dict.fromkeys(("~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, kw_only=True)
class Position:
    """A position in a file; line and column count from 1."""

    line: int
    column: int


@dataclass(kw_only=True, slots=True)
class Node:
    """A value with its position. `raw` is a text as it is written, `style` its quote, `|`, `>` or nothing."""

    line: int
    column: int
    value: Any = None
    raw: str = ""
    style: str = ""
    size: int = 1
    keys: dict[str, Position] = field(default_factory=dict)
    children: dict[str | int, Node] = field(default_factory=dict)

    def add(self, key: str | int, child: Node) -> None:
        """Put a finished value into this mapping or list."""
        self.children[key] = child
        self.size += child.size
        if isinstance(self.value, list):
            self.value.append(child.value)
        else:
            self.value[key] = child.value

    def merge(self, other: Node) -> None:
        """Take the keys of another mapping that this one does not have, with the places where they stand."""
        for key, child in other.children.items():
            if key not in self.keys:
                self.keys[str(key)] = other.keys[str(key)]
                self.add(key, child)

    @property
    def position(self) -> Position:
        """The position of its first character."""
        return Position(line=self.line, column=self.column)


def plain_value(text: str) -> Any:
    """Return the value of an unquoted text: null, true, false and JSON's numbers, else the text itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    matched = _NUMBER.fullmatch(text)
    if matched is None or len(text) > 300:
        return text
    if matched[2] is None and matched[3] is None:
        return int(text)
    return float(text) if math.isfinite(float(text)) else text
