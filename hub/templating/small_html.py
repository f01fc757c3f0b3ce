"""The little HTML that chats take (Telegram's text, Google's cards): cut, read as text, and as spans.

They know about twenty tags, the entities of XML and numbers, and no nesting that a stack could not hold.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hub.model.parts import Span

_TOKEN = re.compile(r"<(?P<end>/?)(?P<tag>[A-Za-z][\w-]*)(?P<rest>(?:\s[^<>]*)?)/?>|[^<]+|<")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_SIGN = re.compile(_ENTITY.pattern + "|.", re.DOTALL)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)

_BOLD, _ITALIC, _STRIKE, _CODE = {"b", "strong"}, {"i", "em"}, {"s", "strike", "del"}, {"code", "pre"}
_BREAK = "br"


@dataclass(frozen=True, kw_only=True)
class _Token:
    """A tag, or a stretch of text: `text` is what is seen of it, `source` how it is written."""

    source: str
    text: str = ""
    tag: str = ""
    is_end: bool = False
    rest: str = ""


def visible(source: str) -> str:
    """Return the text that a reader sees of HTML."""
    return "".join(token.text for token in _tokens(source))


def cut(source: str, limit: int, size: Callable[[str], int] = len) -> str:
    """Return the HTML with a visible text of at most `limit`, as `size` counts it; no tag is left open.

    `size` of a text is the sum over its characters.
    """
    tokens = list(_tokens(source))
    if sum(size(token.text) for token in tokens) <= limit:
        return source
    kept: list[str] = []
    open_tags: list[str] = []
    room = limit - size("…")
    for token in tokens:
        if room < size(token.text):
            kept.append(_beginning(token.source, room, size).rstrip())
            break
        room -= size(token.text)
        kept.append(token.source)
        if token.tag and not token.is_end and token.tag != _BREAK:
            open_tags.append(token.tag)
        elif token.is_end and open_tags:
            open_tags.pop()
    return "".join([*kept, "…", *(f"</{tag}>" for tag in reversed(open_tags))])


def spans(source: str) -> Iterator[Span]:
    """Yield the visible text as it looks, in stretches that look alike."""
    open_tags: list[_Token] = []
    for token in _tokens(source):
        if token.text:
            names = {tag.tag for tag in open_tags}
            yield Span(
                text=token.text,
                bold=bool(names & _BOLD),
                italic=bool(names & _ITALIC),
                strike=bool(names & _STRIKE),
                code=bool(names & _CODE),
                url=next((_href(tag) for tag in reversed(open_tags) if tag.tag == "a"), ""),
            )
        elif token.is_end and open_tags:
            open_tags.pop()
        elif token.tag:
            open_tags.append(token)


def _tokens(source: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(source):
        tag, written = (match["tag"] or "").lower(), match[0]
        if tag == _BREAK:
            yield _Token(source=written, text="\n", tag=tag)
        elif tag:
            yield _Token(source=written, tag=tag, is_end=bool(match["end"]), rest=match["rest"])
        else:
            yield _Token(source=written, text=_decoded(written))


def _decoded(source: str) -> str:
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), source)


def _href(tag: _Token) -> str:
    match = _HREF.search(tag.rest)
    return html.unescape(match[1] or match[2] or "") if match else ""


def _beginning(source: str, room: int, size: Callable[[str], int]) -> str:
    """Return as much of a text as has room, by what is seen of it, with no entity cut in two."""
    end = 0
    for sign in _SIGN.finditer(source):
        room -= size(_decoded(sign[0]))
        if room < 0:
            break
        end = sign.end()
    return source[:end]
