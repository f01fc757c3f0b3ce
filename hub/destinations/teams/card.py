"""Adaptive Cards: that of the built-in message, that of a text, and cards made to fit.

https://adaptivecards.io/explorer has the elements; which of them read Markdown, and that none reads HTML, is
https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hub.errors import TemplateError
from hub.model.delivery import MESSAGE_LIMIT_BYTES
from hub.model.summary import Summary, Tone
from hub.strings import one_line, printable_lines
from hub.templating.escapes import Escape, OwnLink, plain
from hub.templating.markdown import cut
from hub.templating.structures import Keys
from hub.transport.http import json_bytes

Card = dict[str, Any]

LIMIT_BYTES = 20_000
"""Teams takes about 28 KB with all that is around a card; 413 was seen from 21 KB on."""

LINES_LIMIT = 100
HEADLINE_LIMIT, WARNING_LIMIT = 150, 300
SHORTEST = 40
"""The texts of a card that is too large keep at least so many characters."""

STYLES: Mapping[Tone, str] = {Tone.GOOD: "good", Tone.BAD: "attention", Tone.WATCH: "warning"}
"""The style of a container for each tone that has one."""

_FRAME: Mapping[str, Any] = {
    "type": "AdaptiveCard",
    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
    "version": "1.4",
    "msteams": {"width": "Full"},
}
_SIGN = re.compile(r"[\\*_\[\]()#`~]")
_LINE_BEGINS = re.compile(r"^(\s*\d{0,9})(?=[.]|(?<!\d)[+>-])", re.MULTILINE)
"""Behind this stands a sign that begins a list or a quotation; brackets are escaped everywhere."""

_CUTTABLE = frozenset({"text", "title", "value", "fallbackText", "speak", "altText", "label", "placeholder"})
_NO_MARKDOWN = frozenset({"actions", "selectAction", "inlines"})


def escape(value: Any) -> str:
    """Return the value as text in which no Markdown of a card begins: no link, no list, no heading."""
    if isinstance(value, OwnLink):
        return str(value)
    return _LINE_BEGINS.sub(r"\1\\", _SIGN.sub(r"\\\g<0>", printable_lines(str(value))))


def escape_at(keys: Keys) -> Escape:
    """Return the escape for the string at these keys of a card: buttons and runs of text read no Markdown."""
    *above, key = keys or ("",)
    if "card" in above:  # of an Action.ShowCard
        above = above[len(above) - above[::-1].index("card") :]
    if _NO_MARKDOWN & {*above, key}:
        return plain
    reads_markdown = key in ("text", "fallbackText") or ("facts" in above and key in ("title", "value"))
    return escape if reads_markdown else plain


def whole(value: Any) -> Card:
    """Return the card that a user wrote with all that is around it; a list is its body."""
    if isinstance(value, list):
        value = {"body": value}
    if not isinstance(value, Mapping):
        raise TemplateError("card", None, "must be a card, a mapping with a body")
    return {**_FRAME, **value}


def text_card(text: str) -> Card:
    """Return a card of nothing but text: each line is a block of its own, or lines would run into one."""
    *lines, last = text.split("\n", LINES_LIMIT)
    blocks = [_text(line) for line in (*lines, last.replace("\n", " ")) if line.strip()]
    return {**_FRAME, "body": blocks}


def builtin(summary: Summary, warning: str | None, link: str) -> Card:
    """Return the card of the built-in message: its tone is the colour behind the headline."""
    headline = escape(one_line(summary.headline, HEADLINE_LIMIT)) or "An event"
    body: list[Card] = [
        {
            "type": "Container",
            "style": STYLES.get(summary.tone, "default"),
            "bleed": True,
            "items": [{**_text(headline), "weight": "Bolder", "size": "Medium"}],
        }
    ]
    if summary.fields:
        facts = [{"title": escape(label), "value": escape(value)} for label, value in summary.fields]
        body.append({"type": "FactSet", "facts": facts})
    time = _date(summary.at) if summary.at else escape(summary.time)
    notes = [" · ".join(filter(None, (escape(summary.details), time)))]
    notes += [f"⚠ {escape(one_line(warning, WARNING_LIMIT))}"] if warning else []
    body += [{**_text(note), "isSubtle": True, "size": "Small"} for note in notes if note]
    card = {**_FRAME, "fallbackText": headline, "body": body}
    actions = [{"type": "Action.OpenUrl", "title": "Open in the hub", "url": link}]
    return {**card, "actions": actions} if link else card


def fit(card: Card) -> Card:
    """Return a card within the limit: its texts are cut to one length, then what stands last in it goes."""
    if size(card) <= LIMIT_BYTES:
        return card
    length = _most(MESSAGE_LIMIT_BYTES, lambda length: size(_cut(card, length)) <= LIMIT_BYTES)
    short: Card = _cut(card, max(length, SHORTEST))
    if length >= SHORTEST:
        return short
    body = short.get("body") or []
    count = _most(len(body), lambda count: size({**short, "body": body[:count]}) <= LIMIT_BYTES)
    if count < 1:
        raise TemplateError("card", None, f"has more than {LIMIT_BYTES // 1000} KB, which Teams refuses")
    return {**short, "body": body[:count]}


def fit_text(text: str) -> str:
    """Return a text whose card is within the limit."""
    if size(text_card(text)) <= LIMIT_BYTES:
        return text
    return cut(text, _most(len(text), lambda length: size(text_card(cut(text, length))) <= LIMIT_BYTES))


def size(card: Card) -> int:
    """Return how many bytes are sent of a card."""
    return len(json_bytes(card))


def words(value: Any) -> Iterator[str]:
    """Yield the texts of a card in the order of reading, with their Markdown."""
    if isinstance(value, list):
        for item in value:
            yield from words(item)
    elif isinstance(value, Mapping):
        title = value.get("title")
        if isinstance(title, str) and isinstance(value.get("value"), str):
            yield f"{title}: {value['value']}"
        elif isinstance(value.get("text"), str):
            yield value["text"]
        for key, item in value.items():
            if key not in ("actions", "selectAction"):
                yield from words(item)


def _text(text: str) -> Card:
    return {"type": "TextBlock", "text": text, "wrap": True}


def _date(at: datetime) -> str:
    """Return a moment that Teams writes in the words and the time zone of each reader."""
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{{{{DATE({moment},SHORT)}}}} {{{{TIME({moment})}}}}"


def _cut(value: Any, length: int, key: str = "") -> Any:
    """Return a card whose texts have at most so many characters; what is no text, as a URL, stays whole."""
    if isinstance(value, str):
        return cut(value, length) if key in _CUTTABLE else value
    if isinstance(value, Mapping):
        return {name: _cut(item, length, name) for name, item in value.items()}
    return [_cut(item, length) for item in value] if isinstance(value, list) else value


def _most(highest: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number that fits, and with it all below; -1 where none does."""
    return bisect_left(range(highest + 1), True, key=lambda number: not fits(number)) - 1
