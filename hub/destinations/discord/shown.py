"""A kept message -> the parts that its readers in Discord see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.model.delivery import Message
from hub.model.parts import Part, PartKind, Role, Span
from hub.model.summary import COLOURS, Tone
from hub.templating.markdown import spans

_TONES: Mapping[int, Tone] = {int(colour[1:], 16): tone for tone, colour in COLOURS.items()}


def parts(message: Message) -> Iterator[Part]:
    """Yield the name it is sent under, its content, and the parts of each embed."""
    embeds = [embed for embed in message.get("embeds") or () if isinstance(embed, Mapping)]
    yield Part(label="sent as", text=str(message.get("username") or ""), role=Role.NOTE)
    yield _rich(message.get("content"), role=Role.HEADING if embeds else Role.BODY)
    for embed in embeds:
        yield from _embed(embed)


def _embed(embed: Mapping[str, Any]) -> Iterator[Part]:
    colour = embed.get("color")
    tone = _TONES.get(colour) if isinstance(colour, int) else None
    author, footer, image = (_mapping(embed.get(key)) for key in ("author", "footer", "image"))
    yield Part(text=str(author.get("name") or ""), role=Role.NOTE, tone=tone)
    url = str(embed.get("url") or "")
    title = [Span(text=span.text, bold=True, url=url or span.url) for span in _spans(embed.get("title"))]
    yield Part(kind=PartKind.RICH, spans=tuple(title), role=Role.HEADING, tone=tone)
    yield _rich(embed.get("description"), tone=tone)
    fields = [field for field in embed.get("fields") or () if isinstance(field, Mapping)]
    pairs = [(_rich(field.get("name")).words, _rich(field.get("value"))) for field in fields]
    named = tuple((name, value.words) for name, value in pairs if name)
    yield Part(kind=PartKind.FIELDS, pairs=named, tone=tone)
    for _, value in (pair for pair in pairs if not pair[0]):
        yield Part(kind=PartKind.RICH, spans=value.spans, role=Role.NOTE, tone=tone)
    yield Part(label="image", text=str(image.get("url") or ""), tone=tone)
    yield Part(text=str(footer.get("text") or ""), role=Role.NOTE, tone=tone)


def _rich(text: Any, role: Role = Role.BODY, tone: Tone | None = None) -> Part:
    return Part(kind=PartKind.RICH, spans=_spans(text), role=role, tone=tone)


def _spans(text: Any) -> tuple[Span, ...]:
    return tuple(spans(text)) if isinstance(text, str) else ()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
