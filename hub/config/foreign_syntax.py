"""Operators and statements of other languages in templates and conditions, and what Jinja writes for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_OPERATORS: Mapping[str, str] = {
    "===": 'compare with "=="',
    "!==": 'compare with "!="',
    "&&": 'write "and"',
    "||": 'write "or"',
    "??": 'write "x | default(y)"',
    "?.": 'write "."; what is missing prints as nothing',
    "=>": 'a list is gone through with "for" or with filters such as map',
    "<>": 'compare with "!="',
    "!": 'write "not"',
    "?": 'write "a if condition else b"',
    "`": "put texts into quotes",
    "=": 'compare with "=="',
}
_STATEMENTS: Mapping[str, str] = {
    "else if": "elif",
    "elseif": "elif",
    "elsif": "elif",
    "elseif(": "elif",
    "foreach": "for x in list",
    "each": "for x in list",
    "unless": "if not",
    "end": "endif or endfor",
    "fi": "endif",
    "switch": "if and elif",
    "case": "elif",
    "range": "for x in list",
    "var": "set",
    "let": "set",
    "const": "set",
    "assign": "set",
}
_CODE = re.compile(r"\{#.*?#\}|(?P<open>\{\{|\{%)(?P<code>.*?)(?:\}\}|%\})", re.DOTALL)
_TOKEN = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<bracket>[(\[{])|(?P<closed>[)\]}])"""
    r"""|(?P<good>[=!<>]=(?!=))|(?P<operator>===|!==|&&|\|\||\?\?|\?\.|=>|<>|[!?`=])""",
    re.DOTALL,
)
_STATEMENT = re.compile(r"[-+]?\s*(?P<word>else\s+if|[A-Za-z]+)\b")


def foreign_syntax(source: str, *, is_condition: bool) -> Iterator[tuple[int, str]]:
    """Yield the offset of each word and operator that Jinja does not know, with a message that has its own.

    For a source that does not parse: nothing here is wrong in one that does.
    """
    if is_condition:
        yield from _operators(source, 0, is_assigned=False)
        return
    for match in _CODE.finditer(source):
        code, start = match["code"] or "", match.start("code")
        statement = _STATEMENT.match(code.replace("\n", " "), len(code) - len(code.lstrip()))
        word = " ".join(statement["word"].split()) if statement and match["open"] == "{%" else ""
        if statement and word in _STATEMENTS:
            yield start + statement.start("word"), f'there is no "{word}"; write "{_STATEMENTS[word]}"'
        elif match["open"]:
            yield from _operators(code, start, is_assigned=word in ("set", "with", "call", "macro"))


def _operators(code: str, start: int, *, is_assigned: bool) -> Iterator[tuple[int, str]]:
    depth = 0
    for match in _TOKEN.finditer(code):
        depth += bool(match["bracket"]) - bool(match["closed"])
        operator = match["operator"]
        # In brackets "=" names an argument.
        if operator and not (operator == "=" and (depth > 0 or is_assigned)):
            yield start + match.start(), f'"{operator}" is no operator here; {_OPERATORS[operator]}'
