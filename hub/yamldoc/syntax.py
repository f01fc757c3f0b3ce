"""PyYAML's errors -> plain words, with the text to put into quotes.

PyYAML names the token that it did not expect; a person wants to know which character of theirs means
something else in YAML than they thought. No message repeats the user's text: it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import yaml

from hub.yamldoc.failure import LastScalar, ParserError, YamlSyntaxError

_SPECIAL = {
    "*": "unquoted it is a YAML alias",
    "&": "unquoted it is a YAML anchor",
    "!": "unquoted it is a YAML tag",
    "%": "unquoted it is a YAML directive",
    "@": "YAML reserves it",
    "`": "YAML reserves it",
}
_KEY_ONLY = re.compile(r"\s*(?:- +)*[\w.-]+\s*$")


def explain_alias(*, known: bool) -> str:
    """Return the message about `*name` where no finished value has that anchor.

    `known` says that the alias stands inside the value with that anchor.
    """
    if known:
        return "this alias stands inside the very value that it repeats; write that part out"
    return 'a value that begins with "*" must be in quotes (unquoted it is a YAML alias)'


def explain_tag(raw: str) -> str:
    """Return the message about a value with a tag; `raw` begins with it."""
    if raw.startswith("!!"):
        return 'tags such as "!!str" are not supported; use quotes for text'
    return 'a value that begins with "!" must be in quotes (unquoted it is a YAML tag)'


def explain(raised: yaml.YAMLError, text: str, last: LastScalar | None) -> YamlSyntaxError:
    """Return the error in plain words that PyYAML's error stands for; `last` is the last text before it."""
    if isinstance(raised, yaml.reader.ReaderError):
        return _unprintable(raised, text)
    if not isinstance(raised, yaml.MarkedYAMLError) or raised.problem_mark is None:
        return YamlSyntaxError(1, 1, "this is not YAML")
    error = ParserError(raised, text, last)
    for rule in _RULES:
        if explained := rule(error):
            return explained
    return error.here("the YAML cannot be read from here on; look for missing quotes or a wrong indentation")


def _unprintable(error: yaml.reader.ReaderError, text: str) -> YamlSyntaxError:
    before = text[: error.position]
    line_begins = before.rfind("\n") + 1
    message = f"the character {ord(text[error.position]):#06x} is not allowed in YAML; leave it out"
    return YamlSyntaxError(before.count("\n") + 1, len(before) - line_begins + 1, message)


def _template(error: ParserError) -> YamlSyntaxError | None:
    """Explain a value that begins like a template, in the line of the error or where its bracket opened."""
    for line in dict.fromkeys((error.line, error.start_line)):
        column = error.value_column(line)
        for opening, closing in (("{{", "}}"), ("{%", "%}"), ("{#", "#}")):
            if error.text(line).startswith(opening, column):
                message = f'a value that begins with "{opening}" must be in quotes: "{opening} … {closing}"'
                return YamlSyntaxError(line + 1, column + 1, message)
    return None


def _variable(error: ParserError) -> YamlSyntaxError | None:
    """Explain `${NAME}` between brackets, where `{` is a bracket as well."""
    if error.before.endswith("$") and error.text(error.line).startswith("{", error.column):
        message = 'between brackets a variable must be in quotes: "${NAME}"'
        return YamlSyntaxError(error.line + 1, error.column, message)
    return None


def _tab(error: ParserError) -> YamlSyntaxError | None:
    if "'\\t'" not in error.problem:
        return None
    if error.before.strip():
        return error.here("a tab stands here; put a space in its place")
    return error.here("a tab indents this line; indent with spaces")


def _special(error: ParserError) -> YamlSyntaxError | None:
    """Explain a value that begins with a character that YAML keeps for itself."""
    named = re.search(r"while scanning an? (?:alias|anchor|tag)", error.context)
    if not (named or "cannot start any token" in error.problem or "tag handle" in error.problem):
        return None
    line, column = (error.line, error.column)
    if named or "tag handle" in error.problem:
        line, column = error.start_line, error.start_column
    char = error.text(line)[column : column + 1]
    if char not in _SPECIAL:
        return None
    message = f'a value that begins with "{char}" must be in quotes ({_SPECIAL[char]})'
    return YamlSyntaxError(line + 1, column + 1, message)


def _open_quote(error: ParserError) -> YamlSyntaxError | None:
    """Explain a quote that is never closed, or closed by the opening quote of another line."""
    if "quoted scalar" in error.context and "unexpected" in error.problem:
        return error.at_start("the quote that opens here is never closed; close it")
    if error.last is None or error.last.quote not in ("'", '"'):
        return None
    start, end = error.last.start, error.last.end
    if start.line < end.line == error.line + 1:
        message = f"the quote that opens here is closed only in line {end.line}; close it where its text ends"
        return YamlSyntaxError(start.line, start.column, message)
    return None


def _escape(error: ParserError) -> YamlSyntaxError | None:
    if "double-quoted scalar" not in error.context:
        return None
    message = (
        "in double quotes a backslash begins an escape, and this is none; double it or use single quotes"
    )
    return error.here(message)


def _open_bracket(error: ParserError) -> YamlSyntaxError | None:
    matched = re.search(r"flow (sequence|mapping)", error.context)
    if not matched:
        return None
    opening, closing = ("[", "]") if matched[1] == "sequence" else ("{", "}")
    if "<stream end>" in error.problem or error.line > error.start_line:
        return error.at_start(f'the "{opening}" that opens here is not closed; put a "{closing}"')
    message = (
        f'a "," or the closing "{closing}" is missing before this; if it is all one text, put it into quotes'
    )
    return error.here(message)


def _colon(error: ParserError) -> YamlSyntaxError | None:
    """Explain a second `: ` in a line, or a line indented as if it went on with the text above."""
    if "mapping values are not allowed" not in error.problem:
        return None
    if _KEY_ONLY.match(error.before):
        column = len(error.before) - len(error.before.lstrip())
        above = error.text(error.line - 1) if error.line else ""
        if column > len(above) - len(above.lstrip()):
            message = "this line is indented deeper than the keys above it; give both the same indentation"
        else:
            message = (
                'the line above has no ": " between key and value, so this one cannot be read; add it there'
            )
        return YamlSyntaxError(error.line + 1, column + 1, message)
    column = error.value_column(error.line)
    message = 'a value with ": " inside must be in quotes'
    return YamlSyntaxError(error.line + 1, min(column, error.column) + 1, message)


def _dash(error: ParserError) -> YamlSyntaxError | None:
    if "sequence entries are not allowed" in error.problem:
        message = 'a list cannot begin in the line of its key; put each "- " item into a line of its own'
        return error.here(message)
    return None


def _question_mark(error: ParserError) -> YamlSyntaxError | None:
    if "mapping keys are not allowed" in error.problem:
        return error.here('a value that begins with "? " must be in quotes')
    return None


def _block_text(error: ParserError) -> YamlSyntaxError | None:
    if "block scalar" not in error.context:
        return None
    char = error.text(error.start_line)[error.start_column : error.start_column + 1]
    message = (
        f'"{char}" begins a text on the lines below; put this value into quotes or begin it one line lower'
    )
    return error.at_start(message)


def _no_colon(error: ParserError) -> YamlSyntaxError | None:
    if "could not find expected ':'" in error.problem:
        return error.at_start(
            'this line is no "key: value"; add the colon and a space, or quote the text above'
        )
    return None


def _after_quote(error: ParserError) -> YamlSyntaxError | None:
    """Explain text behind a closing quote or bracket."""
    before = error.before.rstrip()
    if "expected <block end>" not in error.problem or not before or _KEY_ONLY.match(error.before + "x"):
        return None
    if before[-1] in "'\"":
        message = "text follows the closing quote; put all of it into one pair of quotes, of the other kind"
        return error.here(message)
    if before[-1] in "]}":
        return error.here(f'text follows the closing "{before[-1]}"; put the whole value into quotes')
    return None


def _stray(error: ParserError) -> YamlSyntaxError | None:
    matched = re.search(r"found '([\]},\[{])'", error.problem)
    if matched:
        message = f'this "{matched[1]}" belongs to nothing; remove it, or put the text into quotes'
        return error.here(message)
    return None


def _indentation(error: ParserError) -> YamlSyntaxError | None:
    if "expected <block end>" not in error.problem:
        return None
    if "but found '-'" in error.problem:
        message = 'a "- " item stands among keys; indent it below the key that it belongs to'
    elif "but found '?'" in error.problem:
        message = 'a key stands among "- " items; give it the indentation of the keys it belongs to'
    else:
        message = "the indentation of this line fits no line above it; align it with those it belongs to"
    return error.here(message)


def _document_start(error: ParserError) -> YamlSyntaxError | None:
    if "expected '<document start>'" not in error.problem:
        return None
    message = "this line does not belong to what is above it; begin the keys of the file in the first column"
    return error.here(message)


def _version(error: ParserError) -> YamlSyntaxError | None:
    if "directive" in error.context or "YAML document" in error.problem or "directive" in error.problem:
        return error.here('a line that begins with "%" is a YAML directive; remove it, or quote the text')
    return None


_RULES: tuple[Callable[[ParserError], YamlSyntaxError | None], ...] = (
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
