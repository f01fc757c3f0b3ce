"""Says in plain words why YAML does not parse, and what to put into quotes.

PyYAML names the token that it did not expect; a person wants to know which character of theirs means
something else in YAML than they thought. No message repeats the user's text: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import yaml


class Misread(Exception):
    """YAML that does not parse, with the place to look at; line and column count from 1."""

    def __init__(self, line: int, column: int, message: str) -> None:
        self.line = line
        self.column = column
        super().__init__(message)


class _Place(Protocol):
    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


LastScalar = tuple[_Place, _Place, str] | None
"""Where the last text before an error began and ended, and its quote."""

_SPECIAL = {
    "*": "unquoted it is a YAML alias",
    "&": "unquoted it is a YAML anchor",
    "!": "unquoted it is a YAML tag",
    "%": "unquoted it is a YAML directive",
    "@": "YAML reserves it",
    "`": "YAML reserves it",
}
_VALUE = re.compile(r"\s*(?:- +)*(?:[^\s:#'\"{\[][^:#]*:\s+)?(?:- +)*")
_KEY_ONLY = re.compile(r"\s*(?:- +)*[\w.-]+\s*$")


def explain_alias(*, known: bool) -> str:
    """The sentence about `*name` where no finished value has that anchor; `known` means it is inside it."""
    if known:
        return "this alias stands inside the very value that it repeats; write that part out"
    return 'a value that begins with "*" must be in quotes (unquoted it is a YAML alias)'


def explain_tag(raw: str) -> str:
    """The sentence about a value with a tag; `raw` begins with it."""
    if raw.startswith("!!"):
        return 'tags such as "!!str" are not supported; use quotes for text'
    return 'a value that begins with "!" must be in quotes (unquoted it is a YAML tag)'


def explain(error: yaml.YAMLError, text: str, last: LastScalar) -> Misread:
    """The problem that PyYAML's error stands for."""
    if isinstance(error, yaml.reader.ReaderError):
        return _unprintable(error, text)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Misread(1, 1, "this is not YAML")
    fault = _Fault(error, text, last)
    for rule in _RULES:
        if found := rule(fault):
            return found
    return fault.here("the YAML cannot be read from here on; look for missing quotes or a wrong indentation")


class _Fault:
    """What PyYAML said, with the lines around it. Lines and columns count from 0, as PyYAML's do."""

    def __init__(self, error: Any, text: str, last: LastScalar) -> None:
        self.context = str(error.context or "")
        self.problem = str(error.problem or "")
        self.line, self.column = error.problem_mark.line, error.problem_mark.column
        started = error.context_mark or error.problem_mark
        self.start_line, self.start_column = started.line, started.column
        self.lines = re.split(r"\r\n|[\r\n\x85\u2028\u2029]", text)
        self.last = last

    def here(self, message: str) -> Misread:
        return Misread(self.line + 1, self.column + 1, message)

    def at_start(self, message: str) -> Misread:
        return Misread(self.start_line + 1, self.start_column + 1, message)

    def text(self, line: int) -> str:
        return self.lines[line] if line < len(self.lines) else ""

    @property
    def before(self) -> str:
        """The line up to the fault."""
        return self.text(self.line)[: self.column]

    def value_column(self, line: int) -> int:
        """Where the value begins in a line: behind its dashes and its key."""
        matched = _VALUE.match(self.text(line))
        return matched.end() if matched else 0


def _unprintable(error: yaml.reader.ReaderError, text: str) -> Misread:
    before = text[: error.position]
    line_begins = before.rfind("\n") + 1
    said = f"the character {ord(text[error.position]):#06x} is not allowed in YAML; leave it out"
    return Misread(before.count("\n") + 1, len(before) - line_begins + 1, said)


def _template(fault: _Fault) -> Misread | None:
    """A value that begins like a template, in the line of the fault or where its bracket opened."""
    for line in dict.fromkeys((fault.line, fault.start_line)):
        column = fault.value_column(line)
        for opening, closing in (("{{", "}}"), ("{%", "%}"), ("{#", "#}")):
            if fault.text(line).startswith(opening, column):
                said = f'a value that begins with "{opening}" must be in quotes: "{opening} … {closing}"'
                return Misread(line + 1, column + 1, said)
    return None


def _variable(fault: _Fault) -> Misread | None:
    """`${NAME}` between brackets, where `{` is a bracket as well."""
    if fault.before.endswith("$") and fault.text(fault.line).startswith("{", fault.column):
        said = 'between brackets a variable must be in quotes: "${NAME}"'
        return Misread(fault.line + 1, fault.column, said)
    return None


def _tab(fault: _Fault) -> Misread | None:
    if "'\\t'" not in fault.problem:
        return None
    if fault.before.strip():
        return fault.here("a tab stands here; put a space in its place")
    return fault.here("a tab indents this line; indent with spaces")


def _special(fault: _Fault) -> Misread | None:
    """A value that begins with a character that YAML keeps for itself."""
    named = re.search(r"while scanning an? (?:alias|anchor|tag)", fault.context)
    if not (named or "cannot start any token" in fault.problem or "tag handle" in fault.problem):
        return None
    line, column = (fault.line, fault.column)
    if named or "tag handle" in fault.problem:
        line, column = fault.start_line, fault.start_column
    char = fault.text(line)[column : column + 1]
    if char not in _SPECIAL:
        return None
    said = f'a value that begins with "{char}" must be in quotes ({_SPECIAL[char]})'
    return Misread(line + 1, column + 1, said)


def _open_quote(fault: _Fault) -> Misread | None:
    """A quote that is never closed, or closed by the opening quote of another line."""
    if "quoted scalar" in fault.context and "unexpected" in fault.problem:
        return fault.at_start("the quote that opens here is never closed; close it")
    if fault.last is None or fault.last[2] not in ("'", '"'):
        return None
    start, end, _ = fault.last
    if start.line < end.line == fault.line + 1:
        said = f"the quote that opens here is closed only in line {end.line}; close it where its text ends"
        return Misread(start.line, start.column, said)
    return None


def _escape(fault: _Fault) -> Misread | None:
    if "double-quoted scalar" not in fault.context:
        return None
    said = "in double quotes a backslash begins an escape, and this is none; double it or use single quotes"
    return fault.here(said)


def _open_bracket(fault: _Fault) -> Misread | None:
    matched = re.search(r"flow (sequence|mapping)", fault.context)
    if not matched:
        return None
    opening, closing = ("[", "]") if matched[1] == "sequence" else ("{", "}")
    if "<stream end>" in fault.problem or fault.line > fault.start_line:
        return fault.at_start(f'the "{opening}" that opens here is not closed; put a "{closing}"')
    said = (
        f'a "," or the closing "{closing}" is missing before this; if it is all one text, put it into quotes'
    )
    return fault.here(said)


def _colon(fault: _Fault) -> Misread | None:
    """A second `: ` in a line, or a line indented as if it went on with the text above."""
    if "mapping values are not allowed" not in fault.problem:
        return None
    if _KEY_ONLY.match(fault.before):
        column = len(fault.before) - len(fault.before.lstrip())
        above = fault.text(fault.line - 1) if fault.line else ""
        if column > len(above) - len(above.lstrip()):
            said = "this line is indented deeper than the keys above it; give both the same indentation"
        else:
            said = (
                'the line above has no ": " between key and value, so this one cannot be read; add it there'
            )
        return Misread(fault.line + 1, column + 1, said)
    column = fault.value_column(fault.line)
    said = 'a value with ": " inside must be in quotes'
    return Misread(fault.line + 1, min(column, fault.column) + 1, said)


def _dash(fault: _Fault) -> Misread | None:
    if "sequence entries are not allowed" in fault.problem:
        said = 'a list cannot begin in the line of its key; put each "- " item into a line of its own'
        return fault.here(said)
    return None


def _question_mark(fault: _Fault) -> Misread | None:
    if "mapping keys are not allowed" in fault.problem:
        return fault.here('a value that begins with "? " must be in quotes')
    return None


def _block_text(fault: _Fault) -> Misread | None:
    if "block scalar" not in fault.context:
        return None
    char = fault.text(fault.start_line)[fault.start_column : fault.start_column + 1]
    said = f'"{char}" begins a text on the lines below; put this value into quotes or begin it one line lower'
    return fault.at_start(said)


def _no_colon(fault: _Fault) -> Misread | None:
    if "could not find expected ':'" in fault.problem:
        return fault.at_start(
            'this line is no "key: value"; add the colon and a space, or quote the text above'
        )
    return None


def _after_quote(fault: _Fault) -> Misread | None:
    """Text behind a closing quote or bracket."""
    before = fault.before.rstrip()
    if "expected <block end>" not in fault.problem or not before or _KEY_ONLY.match(fault.before + "x"):
        return None
    if before[-1] in "'\"":
        said = "text follows the closing quote; put all of it into one pair of quotes, of the other kind"
        return fault.here(said)
    if before[-1] in "]}":
        return fault.here(f'text follows the closing "{before[-1]}"; put the whole value into quotes')
    return None


def _stray(fault: _Fault) -> Misread | None:
    matched = re.search(r"found '([\]},\[{])'", fault.problem)
    if matched:
        said = f'this "{matched[1]}" belongs to nothing; remove it, or put the text into quotes'
        return fault.here(said)
    return None


def _indentation(fault: _Fault) -> Misread | None:
    if "expected <block end>" not in fault.problem:
        return None
    if "but found '-'" in fault.problem:
        said = 'a "- " item stands among keys; indent it below the key that it belongs to'
    elif "but found '?'" in fault.problem:
        said = 'a key stands among "- " items; give it the indentation of the keys it belongs to'
    else:
        said = "the indentation of this line fits no line above it; align it with those it belongs to"
    return fault.here(said)


def _document_start(fault: _Fault) -> Misread | None:
    if "expected '<document start>'" not in fault.problem:
        return None
    said = "this line does not belong to what is above it; begin the keys of the file in the first column"
    return fault.here(said)


def _version(fault: _Fault) -> Misread | None:
    if "directive" in fault.context or "YAML document" in fault.problem or "directive" in fault.problem:
        return fault.here('a line that begins with "%" is a YAML directive; remove it, or quote the text')
    return None


_RULES: tuple[Callable[[_Fault], Misread | None], ...] = (
    _template,
    _variable,
    _tab,
    _special,
    _open_quote,
    _escape,
    _block_text,
    _colon,
    _dash,
    _question_mark,
    _no_colon,
    _open_bracket,
    _after_quote,
    _stray,
    _indentation,
    _document_start,
    _version,
)
"""In the order of how sure each is."""
