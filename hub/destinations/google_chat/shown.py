"""A kept message -> the parts that its readers in Google Chat see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.destinations.google_chat.markup import spans
from hub.model.delivery import Message
from hub.model.parts import Part, PartKind, Role, Span
from hub.model.summary import COLOURS, Tone
from hub.model.thread import THREAD
from hub.templating import small_html

_SOFT = f'<font color="{COLOURS[Tone.PLAIN]}">'
"""The beginning of small print."""


def parts(message: Message) -> Iterator[Part]:
    """Yield the text, each card, the words of a notification where they are others, and the thread."""
    text = Part(kind=PartKind.RICH, spans=tuple(spans(str(message.get("text") or ""))))
    read = [text, *card_parts(message.get("cards"))]
    yield from read
    fallback = str(message.get("fallback_text") or "")
    is_read = fallback in {part.words for part in read}
    beside = {"in notifications": "" if is_read else fallback, "thread": message.get(THREAD)}
    for label, note in beside.items():
        yield Part(label=label, text=str(note or ""), role=Role.NOTE)


def card_parts(cards: Any) -> Iterator[Part]:
    """Yield the parts of cards, in the order of reading."""
    for item in cards if isinstance(cards, list) else ():
        card = item.get("card", item) if isinstance(item, Mapping) else {}
        header = _mapping(card.get("header"))
        yield Part(text=str(header.get("title") or ""), role=Role.HEADING)
        yield Part(text=str(header.get("subtitle") or ""), role=Role.NOTE)
        for section in _mappings(card.get("sections")):
            yield _rich(section.get("header"), role=Role.HEADING)
            yield from _widgets(section.get("widgets"))


def words(cards: Any) -> str:
    """Return all that is read in cards, as text; a link has its URL behind it."""
    lines = []
    for part in card_parts(cards):
        linked = "".join(f"{span.text} {span.url}" if span.url else span.text for span in part.spans)
        lines.append(linked if part.kind is PartKind.RICH else part.words)
    return "\n".join(line for line in lines if line.strip())


def _widgets(widgets: Any) -> Iterator[Part]:
    pairs: list[tuple[str, str]] = []
    for widget in _mappings(widgets):
        labeled = _mapping(widget.get("decoratedText"))
        if labeled.get("topLabel"):
            pairs.append((str(labeled["topLabel"]), _rich(labeled.get("text")).words))
            continue
        yield Part(kind=PartKind.FIELDS, pairs=tuple(pairs))
        pairs = []
        yield from _widget(widget)
    yield Part(kind=PartKind.FIELDS, pairs=tuple(pairs))


def _widget(widget: Mapping[str, Any]) -> Iterator[Part]:
    for kind in ("textParagraph", "decoratedText"):
        source = _mapping(widget.get(kind)).get("text")
        is_soft = isinstance(source, str) and source.startswith(_SOFT)
        yield _rich(source, role=Role.NOTE if is_soft else Role.BODY)
    buttons = _mappings(_mapping(widget.get("buttonList")).get("buttons"))
    yield Part(kind=PartKind.RICH, spans=tuple(_button(button) for button in buttons), role=Role.NOTE)
    yield Part(label="image", text=str(_mapping(widget.get("image")).get("imageUrl") or ""))
    for column in _mappings(_mapping(widget.get("columns")).get("columnItems")):
        yield from _widgets(column.get("widgets"))


def _button(button: Mapping[str, Any]) -> Span:
    url = _mapping(_mapping(button.get("onClick")).get("openLink")).get("url")
    return Span(text=str(button.get("text") or button.get("altText") or "button"), url=str(url or ""))


def _rich(source: Any, role: Role = Role.BODY) -> Part:
    spans_of = tuple(small_html.spans(source)) if isinstance(source, str) else ()
    return Part(kind=PartKind.RICH, spans=spans_of, role=role)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
