"""The line that a problem points at, with a caret below, and lines without what may be a secret."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from hub.model.problem import Problem
from hub.strings import printable

WIDTH_CHARACTERS = 100
HIDDEN = "…"

SHOWN_SECTIONS = frozenset(("version", "routes", "unmatched", "problems"))
SHOWN_KEYS = frozenset(
    (
        *("type", "path", "ignore", "extra_events"),
        *("enabled", "retry", "timeout", "give_up_after", "max_age", "concurrency", "rate_limit"),
        *("on_unknown", "timezone"),
    )
)
"""Keys shown in the other sections: any other key's value may be a secret written out."""

_SECTION = re.compile(r"([\"']?)(?P<name>[A-Za-z_]+)\1\s*:")
_WITHIN_SECTION = frozenset(("", " ", "\t", "\r", "#", "-", "]", "}"))
"""The first characters of lines that begin no section; a sequence may stand below its key unindented."""
_KEY = re.compile(r"(\s*(?:- +)*)([^\s:#'\"{\[][^:]*|'[^']*'|\"[^\"]*\"):(\s+|$)")
_HARMLESS = re.compile(r"(['\"]?\$\{[A-Za-z_][A-Za-z0-9_]*\}['\"]?)?\s*(#.*)?")


def excerpt(text: str, problem: Problem, *, may_be_secret: bool) -> list[str]:
    """Return the line with its number and the caret below, nothing where the file has no such line.

    Of routes.yaml (`may_be_secret`), values that may be secrets are not shown.
    """
    lines = text.split("\n")
    if not 0 < problem.line <= len(lines) or not lines[problem.line - 1].strip():
        return []
    line = without_secret(lines, problem.line - 1) if may_be_secret else lines[problem.line - 1]
    column = min(problem.column, len(line) + 1)
    begins = max(0, column - WIDTH_CHARACTERS * 3 // 4) if len(line) > WIDTH_CHARACTERS else 0
    shown = printable(line[begins : begins + WIDTH_CHARACTERS])
    number = str(problem.line)
    return [
        f"  {number} | {shown}".rstrip(),
        f"  {' ' * len(number)} | {' ' * _cells(shown[: column - begins - 1])}^",
    ]


def _cells(text: str) -> int:
    """Return the columns of a text on a terminal: East Asian letters take two, combining marks none."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def without_secret(lines: Sequence[str], index: int) -> str:
    """Return a line of routes.yaml without a value that may be a secret."""
    line = lines[index].rstrip("\r")
    if _section(lines, index) in SHOWN_SECTIONS:
        return line
    matched = _KEY.match(line)
    if matched is None:
        indentation = line[: len(line) - len(line.lstrip(" -"))]
        rest = line[len(indentation) :]
        return line if _HARMLESS.fullmatch(rest) else indentation + HIDDEN
    value = line[matched.end() :]
    if matched[2] in SHOWN_KEYS or _HARMLESS.fullmatch(value):
        return line
    return line[: matched.end()] + HIDDEN


def _section(lines: Sequence[str], index: int) -> str:
    """Return the section of routes.yaml that a line belongs to; empty where that is not plain."""
    for line in reversed(lines[: index + 1]):
        if line[:1] not in _WITHIN_SECTION:
            matched = _SECTION.match(line)
            return matched["name"] if matched else ""
    return ""
