"""A kept message -> the parts that its readers in Slack see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hub.destinations.slack.emoji import with_emoji
from hub.destinations.slack.mrkdwn import unescape
from hub.destinations.slack.posting import modes_of
from hub.destinations.slack.spans import span_of, spans_of
from hub.model.delivery import Message
from hub.model.parts import Part, PartKind, Role, Span
from hub.model.summary import COLOURS
from hub.model.thread import THREAD
from hub.strings import one_line

KEY_LIMIT = 120
"""As much is shown of a thread's key, which may be any text."""

_TONES = {colour: tone for tone, colour in COLOURS.items()}


def parts(message: Message) -> Iterator[Part]:
    """Yield the parts of blocks and attachments, and the text, which notifications show beside those."""
    blocks, attachments = _list(message.get("blocks")), _list(message.get("attachments"))
    first = [part for block in blocks for part in _block(block)]
    yield from first
    for attachment in attachments:
        tone = _TONES.get(str(attachment.get("color"))) if isinstance(attachment, Mapping) else None
        inner = _list(attachment.get("blocks")) if isinstance(attachment, Mapping) else []
        yield from (replace(part, tone=tone) for block in inner for part in _block(block))
    text = _mrkdwn(str(message.get("text") or ""))
    is_beside = bool(blocks or attachments)
    if [part.words for part in first] != [text.words]:
        yield replace(text, label="in notifications", role=Role.NOTE) if is_beside else text
    sender = " ".join(str(message[key]) for key in ("icon", "username") if message.get(key))
    yield replace(_plain_part(sender, Role.NOTE), label="posted as")
    if message.get(THREAD):
        words = f"{one_line(str(message[THREAD]), KEY_LIMIT)} ({', '.join(modes_of(message))})"
        yield Part(label="thread", text=words, role=Role.NOTE)


def _block(block: Any) -> Iterator[Part]:
    if not isinstance(block, Mapping):
        return
    match block.get("type"):
        case "header":
            yield _plain_part(block.get("text"), Role.HEADING)
        case "section":
            yield from _section(block)
        case "context":
            yield _rich(_joined(" ", map(_element, _list(block.get("elements")))), Role.NOTE)
        case "rich_text":
            yield _rich(_rich_text(block))
        case "image" | "video":
            yield _rich(_element(block))
        case "markdown":
            yield _plain_part(block)
        case _:
            yield _rich(_joined("\n", map(_element, _list(block.get("elements")))))


def _section(block: Mapping[str, Any]) -> Iterator[Part]:
    yield _text(block.get("text"))
    pairs = []
    for field in _list(block.get("fields")):
        label, _, value = "".join(span.text for span in _element(field)).partition("\n")
        if value:
            pairs.append((label.strip().removesuffix(":"), value))
        else:
            yield _rich(_element(field))
    yield Part(kind=PartKind.FIELDS, pairs=tuple(pairs))
    yield _rich(_element(block.get("accessory")))


def _text(text: Any) -> Part:
    is_mrkdwn = isinstance(text, Mapping) and text.get("type") == "mrkdwn"
    return _mrkdwn(str(text.get("text") or "")) if is_mrkdwn else _plain_part(text)


def _mrkdwn(text: str) -> Part:
    return Part(kind=PartKind.RICH, spans=spans_of(text), text=unescape(text))


def _element(element: Any) -> tuple[Span, ...]:
    """Return a text, a button as a link, a picture as its description, or what else has words."""
    if not isinstance(element, Mapping):
        return ()
    if element.get("type") == "mrkdwn":
        return spans_of(str(element.get("text") or ""))
    words = _plain(element.get("text") or element.get("title") or element.get("placeholder"))
    words = words or str(element.get("alt_text") or "") or _plain(element)
    url = element.get("url")
    return (Span(text=with_emoji(words), url=url if isinstance(url, str) else ""),) if words else ()


def _rich_text(block: Mapping[str, Any]) -> tuple[Span, ...]:
    """Return the words of rich text, each of its parts on lines of its own."""
    lines = []
    for part in _list(block.get("elements")):
        is_list = isinstance(part, Mapping) and part.get("type") == "rich_text_list"
        for line in _list(part.get("elements")) if is_list else [part]:
            items = _list(line.get("elements")) if isinstance(line, Mapping) else []
            bullet = (Span(text="• "),) if is_list else ()
            lines.append((*bullet, *(span_of(item) for item in items if isinstance(item, Mapping))))
    return _joined("\n", lines)


def _joined(separator: str, groups: Iterable[tuple[Span, ...]]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for group in filter(None, groups):
        spans += [Span(text=separator), *group] if spans else group
    return tuple(spans)


def _rich(spans: tuple[Span, ...], role: Role = Role.BODY) -> Part:
    return Part(kind=PartKind.RICH, spans=spans, role=role)


def _plain_part(item: Any, role: Role = Role.BODY) -> Part:
    text = _plain(item)
    return Part(kind=PartKind.RICH, spans=(Span(text=with_emoji(text)),), text=text, role=role)


def _plain(item: Any) -> str:
    """Return the words of a text object, or of a text."""
    text = item.get("text") if isinstance(item, Mapping) else item
    return unescape(text) if isinstance(text, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
