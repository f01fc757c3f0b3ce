"""A message that would go out, in the forms in which expectations look at it."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hub.destinations.base import parts_of
from hub.model.delivery import RAW
from hub.model.event import Event
from hub.model.parts import Part, PartKind, Role
from hub.preview.messages import shown_context
from hub.preview.renderings import Rendering

_BESIDE_THE_TEXT = (PartKind.HEADERS, PartKind.HTML)


@dataclass(frozen=True, kw_only=True)
class ActualMessage:
    """One rendering of a case's event."""

    rendering: Rendering
    event: Event

    @property
    def name(self) -> str:
        """Destination, type and route: `team (slack) by signups`."""
        destination = self.rendering.destination
        return f"{destination.name} ({destination.type}) by {self.rendering.route}"

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The message as its reader meets it."""
        destination, event = self.rendering.destination, self.event
        context = shown_context(destination, event.id, event.type, event.payload.decode("utf-8", "replace"))
        return parts_of(self.rendering.message or {}, destination.type, context)

    @property
    def text(self) -> str:
        """The text as its writer wrote it, or the body; without headers, small print, and HTML beside it."""
        return "\n".join(part.text or part.words for part in self._texts)

    @property
    def words(self) -> str:
        """The same as people read it, without the signs that make it bold."""
        return "\n".join(part.words for part in self._texts)

    @property
    def _texts(self) -> Sequence[Part]:
        texts = [part for part in self.parts if part.kind not in _BESIDE_THE_TEXT and part.role != Role.NOTE]
        return texts or self.parts

    @property
    def texts(self) -> list[str]:
        """The texts that an expectation is looked for in: as people read them, and as they are sent."""
        words = [part.words for part in self.parts]
        strings = "\n".join(_strings(self.rendering.message or {}))
        return ["\n".join(words), *words, self.text, strings, html.unescape(strings)]

    @property
    def json(self) -> Any:
        """The body, parsed, or the message as it is kept. Raises ValueError where the body is no JSON.

        Of a form the fields; what is there several times is a list.
        """
        message = self.rendering.message or {}
        if "form" in message:
            return _fields(message["form"])
        is_body = message.get(RAW) or "body" in message
        return json.loads(self.text) if is_body else message

    @property
    def shown(self) -> str | None:
        """The text, to be shown beside a mismatch."""
        return None if self.rendering.message is None else self.text


def _strings(value: Any) -> Iterator[str]:
    """Yield every text in a message that people read."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != "type":
                yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _fields(form: list[list[str]]) -> dict[str, Any]:
    values: dict[str, list[str]] = {}
    for name, value in form:
        values.setdefault(name, []).append(value)
    return {name: items if len(items) > 1 else items[0] for name, items in values.items()}
