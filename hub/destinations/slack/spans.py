"""Slack's mrkdwn and rich text -> spans, as its readers see them.

From https://docs.slack.dev/messaging/formatting-message-text: bold, italic and struck text within its signs,
which stand at the borders of words, code in backticks, names of emoji between colons, and everything else in
angle brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from hub.destinations.slack.emoji import with_emoji
from hub.destinations.slack.mrkdwn import unescape
from hub.model.parts import Span

_STYLES = {"*": "bold", "_": "italic", "~": "strike"}
_PATTERN = (
    r"```(?P<block>.+?)```"
    r"|`(?P<code>[^`\n]+)`"
    r"|<(?P<inside>[^<>]+)>"
    r"|(?<!\w)(?P<sign>%s)(?=\S)(?P<styled>[^\n]*?\S)(?P=sign)(?!\w)"
)


@cache
def _token(signs: str) -> re.Pattern[str]:
    """Return the pattern of what is no plain text where these signs begin a style."""
    return re.compile(_PATTERN % (f"[{signs}]" if signs else "(?!)"), re.DOTALL)


def spans_of(text: str) -> tuple[Span, ...]:
    """Return the spans of a text in mrkdwn, its escapes undone."""
    return tuple(span for span in _spans(text, Span(text="")) if span.text)


def span_of(item: Mapping[str, Any]) -> Span:
    """Return an element of a section of rich text as a span."""
    style = item.get("style")
    styles = {name: True for name in _STYLES.values() if isinstance(style, Mapping) and style.get(name)}
    is_code = isinstance(style, Mapping) and bool(style.get("code"))
    text, url = item.get("text"), item.get("url")
    match item.get("type"):
        case "emoji":
            text = with_emoji(f":{item.get('name')}:")
        case "broadcast":
            text = f"@{item.get('range')}"
        case "user" | "usergroup":
            text = f"@{item.get('user_id') or item.get('usergroup_id')}"
        case "channel":
            text = f"#{item.get('channel_id')}"
        case "date":
            text = item.get("fallback")
    url = url if isinstance(url, str) else ""
    return Span(text=text if isinstance(text, str) else url, url=url, code=is_code, **styles)


def _spans(text: str, style: Span) -> Iterator[Span]:
    """Yield the spans of a text that stands within a style; no style stands within itself."""
    signs = "".join(sign for sign, name in _STYLES.items() if not getattr(style, name))
    index = 0
    for token in _token(signs).finditer(text):
        yield replace(style, text=with_emoji(unescape(text[index : token.start()])))
        index = token.end()
        if token["sign"]:
            inner: dict[str, Any] = {_STYLES[token["sign"]]: True}
            yield from _spans(token["styled"], replace(style, **inner))
        elif token["inside"]:
            yield _reference(token["inside"], style)
        else:
            yield replace(style, text=unescape(token["block"] or token["code"]), code=True)
    yield replace(style, text=with_emoji(unescape(text[index:])))


def _reference(inside: str, style: Span) -> Span:
    """Return what stands in angle brackets: a link, a date, or a mention."""
    target, _, label = inside.partition("|")
    label = with_emoji(unescape(label))
    match target[0]:
        case "!":
            return replace(style, text=label or f"@{target[1:].partition('^')[0]}")
        case "@" | "#":
            return replace(style, text=f"{target[0]}{label}" if label else target)
    url = unescape(target)
    return replace(style, text=label or url.removeprefix("mailto:"), url=url)
