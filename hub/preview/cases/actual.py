"""A message that would go out, in the forms in which expectations look at it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.destinations.base import find_destination
from hub.model.delivery import RAW
from hub.model.event import Event
from hub.preview.renderings import Rendering

_TAG = re.compile("<[^<>]*>")


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

    @property
    def text(self) -> str:
        """The text that people read, or the body."""
        message = self.rendering.message or {}
        if message.get(RAW):
            return self.event.payload.decode("utf-8", "replace")
        if "body" in message:
            return str(message["body"])
        if "form" in message:
            return "\n".join(f"{name}={value}" for name, value in message["form"])
        return self._readable(str(message.get("text", "")))

    @property
    def parts(self) -> list[str]:
        """The texts that an expectation is looked for in: as people read them, and as they are sent."""
        message = self.rendering.message or {}
        strings = "\n".join(_strings(message))
        parts = [self.text, strings, html.unescape(strings)]
        if message.get("html"):
            parts.append(html.unescape(_TAG.sub("", message["html"])))
        return parts

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
        """Its text and the strings of its blocks, to be shown beside a mismatch."""
        message = self.rendering.message
        if message is None:
            return None
        if not message.get("blocks"):
            return self.text
        return f"{self.text}\n{self._readable(chr(10).join(_strings(message['blocks'])))}"

    def _readable(self, text: str) -> str:
        destination = find_destination(self.rendering.destination.type)
        return destination.readable(text) if destination else text


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
