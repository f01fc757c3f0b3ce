"""Slack's Block Kit: blocks made to fit Slack's limits, and the layout of the built-in message.

Limits from https://docs.slack.dev/reference/block-kit/blocks; the cap on the sum of all texts is not
documented and lies near 10,000.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.destinations.slack.mrkdwn import cut, escape
from hub.model.event import Summary
from hub.strings import one_line, shortened

BLOCKS_LIMIT = 50
SECTION_LIMIT = 3000
HEADER_LIMIT = 150
FIELDS_LIMIT = 10
FIELD_LIMIT = 2000
TOTAL_LIMIT = 7900
FALLBACK_LIMIT = 300
VALUE_LIMIT = 200

_TEXT_TYPES = ("mrkdwn", "plain_text")


def fit(blocks: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return the blocks within Slack's limits beside that text: long texts are cut, empty ones left out."""
    fitted = [block for block in (_fit_block(block) for block in blocks) if block]
    budget = TOTAL_LIMIT - len(text)
    for part in (part for block in fitted for part in _texts(block)):
        part["text"] = cut(part["text"], max(budget, 1))
        budget -= len(part["text"])
    return fitted


def fallback(blocks: list[dict[str, Any]]) -> str:
    """Return the text that a notification shows of blocks without a text of their own."""
    texts = (text["text"] for block in blocks for text in _texts(block))
    return cut(" ".join(text for text in texts if text.strip()), FALLBACK_LIMIT)


def builtin(summary: Summary, note: str | None, link: str) -> tuple[str, list[dict[str, Any]]]:
    """Return text and blocks of the built-in message: headline, fields in two columns, link and note."""
    headline = one_line(summary.headline, HEADER_LIMIT) or "An event"
    fields = [(label, one_line(value, VALUE_LIMIT)) for label, value in summary.fields if value.strip()]
    # Names are written by strangers, and * _ ~ have no escape in mrkdwn: plain text shows them as they are.
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": escape(headline), "emoji": False}}
    ]
    if fields:
        columns = [_mrkdwn(f"*{escape(label)}*\n{escape(value)}") for label, value in fields[:FIELDS_LIMIT]]
        blocks.append({"type": "section", "fields": columns})
    details = [f"<{escape(link)}|Open in the hub>"] if link else []
    details += [f":warning: {escape(one_line(note, VALUE_LIMIT))}"] if note else []
    if details:
        blocks.append({"type": "context", "elements": [_mrkdwn(detail) for detail in details]})
    lines = [headline, *(f"{label}: {value}" for label, value in fields)]
    return escape(shortened("\n".join(lines), 1000)), blocks


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _fit_block(block: dict[str, Any]) -> dict[str, Any] | None:
    """Return the block with its texts cut; None where it has nothing to show."""
    limit = HEADER_LIMIT if block.get("type") == "header" else SECTION_LIMIT
    fitted = {
        key: _fit_value(value, FIELD_LIMIT if key == "fields" else limit) for key, value in block.items()
    }
    fitted = {key: value for key, value in fitted.items() if value is not None}
    if isinstance(fitted.get("fields"), list):
        fitted["fields"] = fitted["fields"][:FIELDS_LIMIT]
    kind = fitted.get("type")
    if kind == "header" and "text" not in fitted:
        return None
    if kind == "section" and not fitted.get("text") and not fitted.get("fields"):
        return None
    if kind == "context" and not fitted.get("elements"):
        return None
    return fitted


def _fit_value(value: Any, limit: int) -> Any:
    """Return a value with the text objects in it cut; None for an empty one, or a list of such."""
    if isinstance(value, list):
        return [item for item in (_fit_value(item, limit) for item in value) if item is not None] or None
    if not isinstance(value, Mapping):
        return value
    if not _is_text(value):
        fitted = {key: _fit_value(item, limit) for key, item in value.items()}
        return {key: item for key, item in fitted.items() if item is not None}
    if not value["text"].strip():
        return None
    text = {**value, "text": cut(value["text"], limit)}
    return {"verbatim": True, **text} if value["type"] == "mrkdwn" else text


def _texts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every text object inside a block, in the order of reading."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        if _is_text(value):
            yield value
        else:
            for item in value.values():
                yield from _texts(item)


def _is_text(value: Mapping[str, Any]) -> bool:
    return value.get("type") in _TEXT_TYPES and isinstance(value.get("text"), str)
