"""Keeps one-time secrets (invitation links, codes) from being shown, and blanks them once they are spent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from markupsafe import escape

from hub.catalog.event_types import find_event_type
from hub.catalog.paths import Place, expand, parse, places

MASK = "••••••"

_TELLING_CHARACTERS = 4
"""A secret shorter than this is masked in its own field only: everywhere it would garble other text."""


def has_secrets(name: str) -> bool:
    """Whether events of that type may hold a secret."""
    event_type = find_event_type(name)
    return event_type is not None and bool(event_type.secret)


def secret_values(name: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts at the secret paths of that event type in a whole body, longest first, numbers as their text.

    Where a secret field holds an object or a list, every text and number in it is one.
    """
    found = {text for holder, key in _secret_places(name, body) for text in _texts(holder[key])}
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every occurrence of a secret replaced by `MASK`."""
    wanted = sorted({secret for secret in secrets if secret and secret in text}, key=len, reverse=True)
    # One pass: a mask is never searched for the next secret.
    return re.sub("|".join(map(re.escape, wanted)), MASK, text) if wanted else text


def mask_body(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy of an event's body without its secrets, neither in their fields nor quoted elsewhere."""
    telling = [text for text in secret_values(name, body) if len(text) >= _TELLING_CHARACTERS]
    copy = _copied(body, str)
    for holder, key in _secret_places(name, copy):
        if _texts(holder[key]):
            holder[key] = MASK
    return _copied(copy, lambda text: mask(text, telling)) if telling else copy


def blank_secrets(name: str, payload: bytes) -> bytes:
    """A stored payload without its secrets; the very same bytes where it has none."""
    if not has_secrets(name):
        return payload
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        # Nothing that was accepted looks like this; what cannot be searched is not kept.
        return b"{}"
    if not isinstance(body, dict) or not secret_values(name, body):
        return payload
    return json_bytes(mask_body(name, body))


def json_bytes(value: Any) -> bytes:
    """The value as compact JSON in UTF-8; ASCII only where a lone surrogate leaves no other way."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _secret_places(name: str, body: Mapping[str, Any]) -> list[Place]:
    event_type = find_event_type(name)
    paths = [one for path in event_type.secret for one in expand(path)] if event_type else []
    return [place for path in paths for place in places(body.get("data"), parse(path))]


def _texts(value: Any) -> list[str]:
    """Every non-empty text and number in a value, however deep."""
    texts = []
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            todo += item.values()
        elif isinstance(item, list):
            todo += item
        elif item not in (None, "") and not isinstance(item, bool):
            texts.append(str(item))
    return texts


def _copied(body: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """A deep copy with every string changed. No recursion: a payload may be nested a thousand deep."""
    top = dict(body)
    todo: list[Any] = [top]
    while todo:
        holder = todo.pop()
        for key, item in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if isinstance(item, str):
                holder[key] = change(item)
            elif isinstance(item, dict | list):
                holder[key] = item.copy()
                todo.append(holder[key])
    return top


def written_forms(secret: str) -> set[str]:
    """A secret as messages may hold it: as it is, escaped for Slack or HTML, in JSON text, or in a URL."""
    return {
        secret,
        str(escape(secret)),
        secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
    }
