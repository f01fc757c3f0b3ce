"""Jinja's syntax tree in which every node knows the very character where it stands.

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
    """The tree of a template that is known to parse."""
    return _parser(environment, source, None).parse()


def parse_expression(environment: jinja2.Environment, source: str) -> nodes.Expr:
    """The tree of a condition that is known to parse."""
    return _parser(environment, source, "variable").parse_expression()


def start(node: nodes.Node) -> int:
    """Where what a person sees as one thing begins: `data` of `data.a.b`."""
    while isinstance(node, nodes.Getattr | nodes.Getitem | nodes.Call | nodes.Filter | nodes.Test):
        if node.node is None:
            break
        node = node.node
    return node.lineno


def original_offset(source: str, offset: int) -> int:
    """An offset in the text as it was written: Jinja reads every line break as one character."""
    if "\r" not in source:
        return offset
    for found in _NEWLINE.finditer(source):
        if found.start() >= offset:
            break
        offset += len(found[0]) - 1
    return offset


def line_and_column(source: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset in a tree's source."""
    before = _NEWLINE.sub("\n", source)[:offset]
    return before.count("\n") + 1, offset - before.rfind("\n")


def _parser(environment: jinja2.Environment, source: str, state: str | None) -> Parser:
    parser = Parser(environment, "")
    lexer = environment.lexer
    tokens = _placed(lexer.tokeniter(source, None, None, state), _NEWLINE.sub("\n", source))
    parser.stream = TokenStream(lexer.wrap(tokens), None, None)
    return parser


def _placed(tokens: Iterable[tuple[int, str, str]], source: str) -> Iterator[tuple[int, str, str]]:
    """The tokens with their offsets; between two of them Jinja drops white space at most."""
    offset = 0
    for _, kind, text in tokens:
        offset = max(source.find(text, offset), offset)
        yield offset, kind, text
        offset += len(text)
