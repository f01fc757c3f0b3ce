"""Google Chat's two kinds of text: the markup of `text`, and the little HTML of cards.

https://developers.google.com/workspace/chat/format-messages has both; a webhook's text is read as Chat's own
markup, not as Markdown. That has no escape: `<users/all>` notifies everybody and `<url|words>` is a link, so
a stranger's `<` becomes a single angle quote there, and in labels, of which no page says that they are HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hub.model.parts import Span
from hub.strings import printable_lines
from hub.templating.escapes import OwnLink, html

_QUOTE = "\u2039"
"""It looks like the sign that it stands for, and means nothing."""

_TOKEN = re.compile(
    r"<(?P<url>https?://[^\s<>|]+)(?:\|(?P<label>[^<>]*))?>"
    r"|(?P<mark>```|`|(?<!\w)[*_~]|[*_~](?!\w))"
    r"|(?P<text>[^<`*_~]+|.)",
    re.DOTALL,
)


def escape(value: Any) -> str:
    """Return the value as text in which no mention and no disguised link can begin."""
    return str(value) if isinstance(value, OwnLink) else printable_lines(str(value)).replace("<", _QUOTE)


def escape_card(value: Any) -> str:
    """Return the value as text in the HTML of a card."""
    return html(str(value) if isinstance(value, OwnLink) else printable_lines(str(value)))


def spans(text: str) -> Iterator[Span]:
    """Yield a text in Chat's markup as it looks, in stretches that look alike."""
    marks: set[str] = set()
    for token in _TOKEN.finditer(text):
        mark = token["mark"]
        if mark and (mark in marks or text.find(mark, token.end()) >= 0):
            marks ^= {mark}
            continue
        yield Span(
            text=token["label"] or token["url"] or token[0],
            bold="*" in marks,
            italic="_" in marks,
            strike="~" in marks,
            code=bool(marks & {"`", "```"}),
            url=token["url"] or "",
        )
