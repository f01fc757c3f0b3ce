"""YAML that does not parse: PyYAML's error with the lines around it, and the error that people read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hub.yamldoc.nodes import Position

_VALUE = re.compile(r"\s*(?:- +)*(?:[^\s:#'\"{\[][^:#]*:\s+)?(?:- +)*")


class YamlSyntaxError(Exception):
    """YAML does not parse; line and column, from 1, are the place to look at."""

    def __init__(self, line: int, column: int, message: str) -> None:
        self.line = line
        self.column = column
        super().__init__(message)


@dataclass(frozen=True, kw_only=True)
class LastScalar:
    """The last text before an error. `quote` is `'`, `"` or the style of a block, empty for a plain one."""

    start: Position
    end: Position
    quote: str


class ParserError:
    """PyYAML's error, with the lines around it. Lines and columns count from 0, as PyYAML's do."""

    def __init__(self, error: Any, text: str, last: LastScalar | None) -> None:
        self.context = str(error.context or "")
        self.problem = str(error.problem or "")
        self.line, self.column = error.problem_mark.line, error.problem_mark.column
        started = error.context_mark or error.problem_mark
        self.start_line, self.start_column = started.line, started.column
        self.lines = re.split(r"\r\n|[\r\n\x85\u2028\u2029]", text)
        self.last = last

    def here(self, message: str) -> YamlSyntaxError:
        """Return a message about the place at which PyYAML stopped."""
        return YamlSyntaxError(self.line + 1, self.column + 1, message)

    def at_start(self, message: str) -> YamlSyntaxError:
        """Return a message about the place at which the thing that PyYAML was reading begins."""
        return YamlSyntaxError(self.start_line + 1, self.start_column + 1, message)

    def text(self, line: int) -> str:
        """Return a line, empty past the end."""
        return self.lines[line] if line < len(self.lines) else ""

    @property
    def before(self) -> str:
        """The line up to the error."""
        return self.text(self.line)[: self.column]

    def value_column(self, line: int) -> int:
        """Return the column of the value in a line: behind its dashes and its key."""
        matched = _VALUE.match(self.text(line))
        return matched.end() if matched else 0
