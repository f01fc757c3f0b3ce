"""A kept message -> the parts that its readers in Teams see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from hub.destinations.teams.card import STYLES, text_card
from hub.model.delivery import Message
from hub.model.parts import Part, PartKind, Role, Span
from hub.model.summary import Tone
from hub.templating.markdown import spans

_TONES: Mapping[str, Tone] = {style: tone for tone, style in STYLES.items()}
_DATE = re.compile(
    r"\{\{DATE\(([^,()]+)(?:,\s*\w+)?\)\}\}(?:\s*\{\{TIME\(\1\)\}\})?|\{\{TIME\(([^()]+)\)\}\}"
)


def parts(message: Message) -> Iterator[Part]:
    """Yield the parts of a message's card, and its text where the card has not all of it."""
    card = message.get("card")
    if not isinstance(card, Mapping):
        yield from _elements(text_card(str(message.get("text") or ""))["body"], None)
        return
    yield from _elements(card.get("body"), None)
    yield from _actions(card.get("actions"), None)
    text = message.get("text") or ""
    yield Part(kind=PartKind.RICH, label="where cards are not shown", spans=_spans(text), role=Role.NOTE)


def _elements(value: Any, tone: Tone | None) -> Iterator[Part]:
    for element in value if isinstance(value, list) else ():
        if isinstance(element, Mapping):
            yield from _element(element, tone)


def _element(element: Mapping[str, Any], tone: Tone | None) -> Iterator[Part]:
    tone = _TONES.get(str(element.get("style")), tone)
    match element.get("type"):
        case "TextBlock":
            yield _text(element, tone)
        case "FactSet":
            facts = [fact for fact in element.get("facts") or () if isinstance(fact, Mapping)]
            pairs = tuple((_seen(fact.get("title")), _seen(fact.get("value"))) for fact in facts)
            yield Part(kind=PartKind.FIELDS, pairs=pairs, tone=tone)
        case "Image":
            yield Part(label="image", text=str(element.get("url") or ""), tone=tone)
        case "RichTextBlock":
            runs = element.get("inlines") or ()
            texts = (run if isinstance(run, str) else str(run.get("text") or "") for run in runs)
            yield Part(text="".join(texts), tone=tone)
    for key in ("items", "columns", "images"):
        yield from _elements(element.get(key), tone)
    yield from _actions(element.get("actions"), tone)


def _text(element: Mapping[str, Any], tone: Tone | None) -> Part:
    is_bold = str(element.get("weight")).lower() == "bolder"
    role = Role.HEADING if is_bold else Role.NOTE if element.get("isSubtle") else Role.BODY
    return Part(kind=PartKind.RICH, spans=_spans(element.get("text")), role=role, tone=tone)


def _actions(value: Any, tone: Tone | None) -> Iterator[Part]:
    for action in value if isinstance(value, list) else ():
        if isinstance(action, Mapping):
            span = Span(text=str(action.get("title") or ""), url=str(action.get("url") or ""))
            yield Part(kind=PartKind.RICH, spans=(span,), role=Role.NOTE, tone=tone)


def _spans(text: Any) -> tuple[Span, ...]:
    return tuple(spans(_DATE.sub(_moment, text))) if isinstance(text, str) else ()


def _seen(text: Any) -> str:
    return "".join(span.text for span in _spans(text))


def _moment(date: re.Match[str]) -> str:
    """Return a date in words, in UTC: no reader's time zone is known here."""
    try:
        return f"{datetime.fromisoformat(date[1] or date[2]):%d %b %Y, %H:%M} UTC".lstrip("0")
    except ValueError:
        return date[0]
