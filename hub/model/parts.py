"""The parts of a message as its reader meets them, whatever the place: for pages, previews and tests."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.model.summary import Tone

_TAG = re.compile("<[^<>]*>")


class PartKind(StrEnum):
    """The kind of a part, by which it is drawn."""

    TEXT = "text"
    RICH = "rich"
    HTML = "html"
    FIELDS = "fields"
    JSON = "json"
    HEADERS = "headers"


class Role(StrEnum):
    """The place of a part in its message: the note is small print, or stands beside the message."""

    HEADING = "heading"
    BODY = "body"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of rich text. `url` is set where it is a link."""

    text: str
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a message, without the escapes of its place.

    `text` is that of the kinds text, HTML and JSON, the request line above headers, and of rich text how its
    writer wrote it, where that is known. `spans` are those of rich text, `pairs` those of fields and headers.
    `tone` is set where the place shows its colour beside the part. `label` is empty where the part speaks for
    itself.
    """

    kind: PartKind = PartKind.TEXT
    label: str = ""
    text: str = ""
    spans: tuple[Span, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    role: Role = Role.BODY
    tone: Tone | None = None

    @property
    def words(self) -> str:
        """All that is read in the part, as plain text; a link has its URL behind it."""
        match self.kind:
            case PartKind.RICH:
                return "".join(_span_words(self.spans))
            case PartKind.FIELDS | PartKind.HEADERS:
                lines = [self.text, *(f"{label}: {value}" for label, value in self.pairs)]
                return "\n".join(line for line in lines if line)
            case PartKind.HTML:
                return html.unescape(_TAG.sub("", self.text))
        return self.text


def every_text(message: Mapping[str, Any]) -> Iterator[Part]:
    """Yield a part for each key of a message, whatever its type: a text as it is, a structure as JSON."""
    for key, value in message.items():
        label = key.replace("_", " ").capitalize()
        if isinstance(value, str):
            yield Part(label=label, text=value)
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            yield Part(label=label, text=", ".join(value))
        elif isinstance(value, list | dict):
            yield Part(kind=PartKind.JSON, label=label, text=json.dumps(value, ensure_ascii=False))


def _span_words(spans: tuple[Span, ...]) -> Iterator[str]:
    for span in spans:
        yield span.text if span.url in ("", span.text) else f"{span.text} <{span.url}>"
