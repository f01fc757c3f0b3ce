"""Slack's blocks: rendered, and made to fit Slack's limits.

The cap on the sum of all texts is not documented and lies near 10,000.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.destinations.slack.block_kit import (
    BLOCKS,
    BLOCKS_LIMIT,
    ELEMENTS,
    UNTYPED,
    Field,
    Kind,
    Shape,
)
from hub.destinations.slack.mrkdwn import cut, escape, escape_markdown
from hub.templating.escapes import Escape, plain
from hub.templating.renderer import Renderer

TOTAL_LIMIT = 7900
FALLBACK_LIMIT = 300

_ESCAPES: Mapping[Any, Escape] = {
    "link": plain,
    "markdown": escape_markdown,
    "raw_text": plain,
    "text": plain,
}
"""By the type of what holds a `text`; any other is a text object, or may be one."""

_WITH_CODE = ("markdown", "mrkdwn")
_ANYTHING = Field(shape=Shape.ANY)


def rendered(value: Any, renderer: Renderer, name: str) -> Any:
    """Return a structure of blocks with every string in it rendered, and escaped for the place it stands in.

    Only texts are escaped. The type that a text's escape follows is the rendered one.
    """
    if isinstance(value, list | tuple):
        return [rendered(item, renderer, f"{name}[{index}]") for index, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return renderer.structure(value, plain, name=name)
    text = value.get("text")
    others = {key: item for key, item in value.items() if key != "text" or not isinstance(text, str)}
    fields = {key: rendered(item, renderer, f"{name}.{key}") for key, item in others.items()}
    if isinstance(text, str):
        text_escape = _ESCAPES.get(str(fields.get("type")), escape)
        fields["text"] = renderer.structure(text, text_escape, name=f"{name}.text")
    return fields


def fit(blocks: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return the blocks within Slack's limits beside that text.

    What is too long is cut; what is empty, or too long a URL, is left out with all that needs it.
    """
    kinds = (BLOCKS.get(str(block.get("type"))) for block in blocks)
    fitted = [block for block in map(_fit_object, blocks, kinds) if block][:BLOCKS_LIMIT]
    budget = TOTAL_LIMIT - len(text)
    for part in (part for block in fitted for part in _texts(block)):
        part["text"] = cut(part["text"], max(budget, 1), has_code=part["type"] in _WITH_CODE)
        budget -= len(part["text"])
    return fitted


def words(blocks: list[dict[str, Any]]) -> str:
    """Return all texts of blocks, as they count against Slack's limit."""
    return "".join(part["text"] for block in blocks for part in _texts(block))


def fallback(blocks: list[dict[str, Any]]) -> str:
    """Return the text that a notification shows of blocks without a text of their own."""
    parts = (part for block in blocks for part in _texts(block) if part["text"].strip())
    texts = (escape(part["text"]) if _ESCAPES.get(part["type"]) is plain else part["text"] for part in parts)
    return cut(" ".join(texts), FALLBACK_LIMIT)


def _fit_object(value: Mapping[str, Any], kind: Kind | None) -> dict[str, Any] | None:
    """Return a block or element with its fields cut; None where it lacks one that it needs."""
    fields = kind.fields if kind else {}
    fitted = {key: _fit_value(item, fields.get(key, _ANYTHING)) for key, item in value.items()}
    for key, field in fields.items():
        is_dead_link = field.shape is Shape.LINK and key in fitted
        if fitted.get(key) is None and (field.required or is_dead_link):
            return None
    fitted = {key: item for key, item in fitted.items() if item is not None}
    return None if kind and kind.one_of and not any(key in fitted for key in kind.one_of) else fitted


def _fit_value(value: Any, field: Field) -> Any:
    """Return a field's value within its limit; None for an empty one, or a list of such."""
    if isinstance(value, str):
        return _fit_string(value, field)
    if isinstance(value, list):
        of_items = Field(shape=Shape.ANY, kinds=field.kinds, text_limit=field.text_limit)
        items = [item for item in (_fit_value(item, of_items) for item in value) if item is not None]
        return items[: field.limit] or None
    if not isinstance(value, Mapping):
        return value
    type_ = value.get("type")
    if type_ in ("plain_text", "mrkdwn") and isinstance(value.get("text"), str):
        return _fit_text(value, field.text_limit)
    (of_field,) = field.kinds if len(field.kinds) == 1 else ("",)
    return _fit_object(value, UNTYPED.get(of_field) if type_ is None else ELEMENTS.get(str(type_)))


def _fit_string(value: str, field: Field) -> str | None:
    if field.shape is Shape.ANY:
        return value
    if not value.strip():
        return None
    if field.limit is None or len(value) <= field.limit:
        return value
    if field.shape is Shape.WORDS:
        return cut(value, field.limit)
    # The beginning of a URL leads elsewhere.
    return None if field.shape is Shape.LINK else value[: field.limit]


def _fit_text(value: Mapping[str, Any], limit: int) -> dict[str, Any] | None:
    if not value["text"].strip():
        return None
    text = {**value, "text": cut(value["text"], limit, has_code=value["type"] in _WITH_CODE)}
    return {"verbatim": True, **text} if value["type"] == "mrkdwn" else text


def _texts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield everything with a type and a text inside a block, in the order of reading."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        if isinstance(value.get("text"), str) and isinstance(value.get("type"), str):
            yield value
        for item in value.values():
            yield from _texts(item)
