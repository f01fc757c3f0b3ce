"""A kept message -> the parts that its readers in Slack see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.destinations.slack.mrkdwn import unescape
from hub.model.delivery import Message
from hub.model.parts import Part, Role


def parts(message: Message) -> Iterator[Part]:
    """Yield the words of each block, then the text that notifications show; without blocks that is all."""
    blocks = message.get("blocks") or []
    text = unescape(str(message.get("text") or ""))
    for block in blocks:
        yield Part(text=_block(block))
    yield Part(text=text, label="in notifications" if blocks else "", role=Role.NOTE if blocks else Role.BODY)


def _block(block: Any) -> str:
    """Return the words of a block, without its layout."""
    if not isinstance(block, Mapping):
        return ""
    texts = [block.get("text"), *_list(block.get("fields")), *_list(block.get("elements"))]
    texts.append(block.get("accessory"))
    return "\n".join(filter(None, map(_words, texts)))


def _words(item: Any) -> str:
    if isinstance(item, str):
        return unescape(item)
    if not isinstance(item, Mapping):
        return ""
    words = _words(item.get("text"))
    return f"{words} <{item['url']}>" if isinstance(item.get("url"), str) else words


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
