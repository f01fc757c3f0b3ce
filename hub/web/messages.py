"""A delivery's message -> the parts of it that a person reads, whatever its destination's type."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.destinations.base import find_destination
from hub.model.delivery import RAW, Message
from hub.web.markup import pretty

ToText = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A labelled piece of a message; `is_code` is shown as written, the rest as running text."""

    label: str
    text: str
    is_code: bool = False


def parts(message: Message, type_: str | None) -> list[Part]:
    """Return the parts of a message in the order in which its reader meets them.

    `type_` is its destination's; None where that is gone. Its text is shown as that makes it readable.
    """
    destination = find_destination(type_) if type_ else None
    to_text = destination.readable if destination else str
    return [part for part in _parts(message, to_text) if part.text]


def _parts(message: Message, to_text: ToText) -> Iterator[Part]:
    for label, key in (("From", "from"), ("To", "to"), ("Subject", "subject")):
        yield Part(label=label, text=_listed(message.get(key)))
    if "method" in message:
        words = (message["method"], message.get("path"), message.get("content_type"))
        yield Part(label="Request", text=" ".join(str(word) for word in words if word))
    for label, key in (("Query", "query"), ("Headers", "headers"), ("Form", "form")):
        lines = (": ".join(map(str, entry)) for entry in _list(message.get(key)))
        yield Part(label=label, text="\n".join(lines), is_code=True)
    if message.get(RAW):
        yield Part(label="Body", text="the event itself, byte for byte as it came")
    if isinstance(message.get("body"), str):
        yield Part(label="Body", text=_pretty(message["body"]), is_code=True)
    blocks = message.get("blocks")
    text = to_text(str(message.get("text") or ""))
    if isinstance(blocks, list):
        yield Part(
            label="Message", text="\n\n".join(filter(None, (_block(block, to_text) for block in blocks)))
        )
        yield Part(label="In notifications", text=text)
    else:
        yield Part(label="Text", text=text)


def _block(block: Any, to_text: ToText) -> str:
    """Return the words of one of Slack's blocks, without its layout."""
    if not isinstance(block, Mapping):
        return ""
    texts = [block.get("text"), *_list(block.get("fields")), *_list(block.get("elements"))]
    texts.append(block.get("accessory"))
    return "\n".join(filter(None, (_words(item, to_text) for item in texts)))


def _words(item: Any, to_text: ToText) -> str:
    if isinstance(item, str):
        return to_text(item)
    if not isinstance(item, Mapping):
        return ""
    words = _words(item.get("text"), to_text)
    return f"{words} <{item['url']}>" if isinstance(item.get("url"), str) else words


def _pretty(body: str) -> str:
    try:
        return pretty(json.loads(body))
    except (ValueError, RecursionError):
        return body


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
