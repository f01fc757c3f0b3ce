"""The Markdown of chats (Discord's, that of cards in Teams): cut, and read as its readers see it.

A backslash takes its meaning from a sign that is no letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from hub.model.parts import Span

BREAKER = "\u200b"
"""Zero width space: behind an @ no name is read as one, and nobody sees it."""

_TOKEN = re.compile(
    r"\\(?P<sign>[^A-Za-z0-9\s])"
    r"|<t:(?P<time>\d{1,12})(?::[a-zA-Z])?>"
    r"|\[(?P<label>(?:\\.|[^\[\]\\])+)\]\(<?(?P<url>https?://[^\s<>)]+)>?\)"
    r"|(?P<mark>```|`|\*\*|\*|__|(?<!\w)_|_(?!\w)|~~)"
    r"|(?P<text>[^\\<\[`*_~]+|.)",
    re.DOTALL,
)


def cut(text: str, limit: int) -> str:
    """Return the text with at most `limit` characters; no escape, time or link is cut in two."""
    if len(text) <= limit:
        return text
    end = limit - 1
    crossing = next(token for token in _TOKEN.finditer(text) if token.end() > end)
    if not crossing["text"]:
        end = crossing.start()
    return text[:end].rstrip().rstrip(BREAKER) + "…"


def spans(text: str) -> Iterator[Span]:
    """Yield the text as it looks, in stretches that look alike; times are in UTC, as no reader's is known."""
    marks: set[str] = set()
    for token in _TOKEN.finditer(text):
        mark, words, url = token["mark"], token["sign"] or token["text"] or "", ""
        if mark and (mark in marks or text.find(mark, token.end()) >= 0):
            marks ^= {mark}
            continue
        if token["time"]:
            words = f"{datetime.fromtimestamp(int(token['time']), UTC):%d %b %Y, %H:%M} UTC".lstrip("0")
        elif token["label"]:
            words, url = seen(token["label"]), token["url"]
        yield Span(
            text=(words or token[0]).replace(BREAKER, ""),
            bold="**" in marks,
            italic=bool(marks & {"*", "_"}),
            strike="~~" in marks,
            code=bool(marks & {"`", "```"}),
            url=url,
        )


def seen(text: str) -> str:
    """Return the text as its readers see it, without looks and links."""
    return "".join(span.text for span in spans(text))
