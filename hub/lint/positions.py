"""Jinja's syntax tree with the offset of every node in its text.

Jinja keeps the line of a token only. Here the tokens are given their offset in its place, and Jinja's own
parser hands it on to the nodes: `node.lineno` of these trees is an offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import jinja2
from jinja2 import nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

_NEWLINE = re.compile(r"\r\n|\r|\n")


def parse_template(environment: jinja2.Environment, source: str) -> nodes.Template:
    """Return the tree of a template; raises Jinja's TemplateSyntaxError."""
    return _parser(environment, source, None).parse()


def parse_expression(environment: jinja2.Environment, source: str) -> nodes.Expr:
    """Return the tree of a condition; raises Jinja's TemplateSyntaxError."""
    return _parser(environment, source, "variable").parse_expression()


def start(node: nodes.Node) -> int:
    """Return the offset of a whole expression, as people see it: of `data` in `data.a.b`."""
    while isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Call | nodes.Filter | nodes.Test):
        if node.node is None:
            break
        node = node.node
    return node.lineno


def original_offset(source: str, offset: int) -> int:
    """Return a tree's offset in the text as it was written: Jinja makes each line break one character."""
    if "\r" not in source:
        return offset
    for newline in _NEWLINE.finditer(source):
        if newline.start() >= offset:
            break
        offset += len(newline[0]) - 1
    return offset


def line_and_column(source: str, offset: int) -> tuple[int, int]:
    """Return line and column, from 1, of an offset in a text as it was written."""
    before = _NEWLINE.sub("\n", source[:offset])
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _parser(environment: jinja2.Environment, source: str, state: str | None) -> Parser:
    parser = Parser(environment, "")
    lexer = environment.lexer
    tokens = _with_offsets(lexer.tokeniter(source, None, None, state), _NEWLINE.sub("\n", source))
    parser.stream = TokenStream(lexer.wrap(tokens), None, None)
    return parser


def _with_offsets(tokens: Iterable[tuple[int, str, str]], source: str) -> Iterator[tuple[int, str, str]]:
    """Replace the lines of tokens by their offsets; between two of them Jinja drops white space at most."""
    offset = 0
    for _, kind, text in tokens:
        offset = max(source.find(text, offset), offset)
        yield offset, kind, text
        offset += len(text)
