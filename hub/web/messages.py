"""A delivery's message -> the parts of it that a person reads, whatever its destination's type."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.models import RAW, Message


@dataclass(frozen=True, kw_only=True)
class Part:
    """A labelled piece of a message; `is_code` is shown as written, the rest as running text."""

    label: str
    text: str
    is_code: bool = False


def parts(message: Message) -> list[Part]:
    """What a message says, in the order in which its reader meets it."""
    return [part for part in _parts(message) if part.text]


def _parts(message: Message) -> Iterator[Part]:
    for label, key in (("From", "from"), ("To", "to"), ("Subject", "subject")):
        yield Part(label=label, text=_listed(message.get(key)))
    if "method" in message:
        words = (message["method"], message.get("path"), message.get("content_type"))
        yield Part(label="Request", text=" ".join(str(word) for word in words if word))
    if message.get(RAW):
        yield Part(label="Body", text="the event itself, byte for byte as it came")
    if isinstance(message.get("body"), str):
        yield Part(label="Body", text=_pretty(message["body"]), is_code=True)
    blocks = message.get("blocks")
    if isinstance(blocks, list):
        yield Part(label="Message", text="\n\n".join(filter(None, map(_block, blocks))))
        yield Part(label="In notifications", text=_slack_text(message.get("text")))
    else:
        yield Part(label="Text", text=_slack_text(message.get("text")))


def _block(block: Any) -> str:
    """The words of one of Slack's blocks, without its layout."""
    if not isinstance(block, Mapping):
        return ""
    texts = [block.get("text"), *_list(block.get("fields")), *_list(block.get("elements"))]
    if isinstance(block.get("accessory"), Mapping):
        texts.append(block["accessory"])
    return "\n".join(filter(None, map(_words, texts)))


def _words(item: Any) -> str:
    if isinstance(item, str):
        return _slack_text(item)
    if not isinstance(item, Mapping):
        return ""
    inner = item.get("text")
    words = _words(inner) if isinstance(inner, Mapping) else _slack_text(inner)
    return f"{words} <{item['url']}>" if isinstance(item.get("url"), str) else words


def _slack_text(text: Any) -> str:
    """Slack's text with its three escapes undone; other text has none of them."""
    return html.unescape(text) if isinstance(text, str) and "&" in text else str(text or "")


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value or "")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
