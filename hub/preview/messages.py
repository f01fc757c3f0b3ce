"""A message -> its parts as its reader meets them, and those as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from hub.catalog.redaction import Redaction
from hub.destinations.base import ShownContext, parts_of
from hub.model.destination import DestinationConfig
from hub.model.event import Event
from hub.model.parts import Part, PartKind
from hub.preview.drawing import indented_json
from hub.preview.renderings import Rendering
from hub.terminal.printing import indented, inline


def shown_context(
    destination: DestinationConfig | None,
    event_id: str,
    event_type: str,
    payload: str,
    delivery_id: str = "",
) -> ShownContext:
    """Return the facts beside a message; `destination` is None where that is gone."""
    return ShownContext(
        destination=destination.name if destination else "",
        written=destination.written if destination else {},
        event_id=event_id,
        event_type=event_type,
        payload=payload,
        delivery_id=delivery_id,
    )


def rendered_parts(rendering: Rendering, event: Event, redaction: Redaction) -> tuple[Part, ...]:
    """Return the parts of a rendering's message without secrets; none where it has no message."""
    if rendering.message is None:
        return ()
    payload = redaction.text(event.payload.decode("utf-8", "replace"))
    context = shown_context(rendering.destination, event.id, event.type, payload)
    return parts_of(redaction.anything(rendering.message), rendering.destination.type, context)


def message_lines(rendering: Rendering, event: Event, redaction: Redaction) -> Iterator[str]:
    """Yield the message of a rendering, nothing where it has none."""
    for part in rendered_parts(rendering, event, redaction):
        if part.label:
            yield inline(part.label)
        yield from indented(_text(part), "  " if part.label else "")


def _text(part: Part) -> str:
    """Return the words of a part in lines: each field on its own, JSON indented, HTML as it is sent."""
    match part.kind:
        case PartKind.JSON:
            return indented_json(part.text)
        case PartKind.HTML:
            return part.text
        case PartKind.HEADERS | PartKind.FIELDS:
            pairs = (f"{'  ' if part.text else ''}{name}: {inline(value)}" for name, value in part.pairs)
            return "\n".join([*([inline(part.text)] if part.text else ()), *pairs])
    return part.words
