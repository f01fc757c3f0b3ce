"""One-time secrets of events (invitation links, codes): masked when shown, blanked once they are spent.

What is sensitive without being spent (backup codes, nonces) is masked alone.

Those in the catalog's own samples are none: everybody has them, and who tries a template wants to see them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from markupsafe import escape

from hub.catalog.event_types import find_event_type, sample_data
from hub.catalog.paths import Slot, Step, parse, slots
from hub.model.event import shallow
from hub.strings import map_strings

MASK = "••••••"

_TELLING_CHARACTERS = 4
"""A secret shorter than this is masked in its own field only: everywhere it would garble other text."""


def has_secrets(name: str) -> bool:
    """Return whether events of that type may hold a one-time secret."""
    return bool(_paths(name, is_shown=False))


def hides(name: str) -> bool:
    """Return whether events of that type may hold what is never shown: a secret, or something sensitive."""
    return bool(_paths(name, is_shown=True))


def secret_values(name: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the texts at the secret paths of that event type in a whole body, longest first.

    Numbers are returned as their text. Of a secret object or list, every text and number in it is one.
    """
    texts = {text for holder, key in _secret_slots(name, body) for text in _texts(holder[key])}
    return tuple(sorted(texts, key=lambda text: (-len(text), text)))


def hidden_values(name: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the same of all that is never shown, sensitive values included."""
    slots = _secret_slots(name, body, is_shown=True)
    texts = {text for holder, key in slots for text in _texts(holder[key])}
    return tuple(sorted(texts, key=lambda text: (-len(text), text)))


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every occurrence of a secret replaced by `MASK`."""
    wanted = sorted({secret for secret in secrets if secret and secret in text}, key=len, reverse=True)
    # One pass: a mask is never searched for the next secret.
    return re.sub("|".join(map(re.escape, wanted)), MASK, text) if wanted else text


def mask_body(name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's body without what is never shown, in its fields or quoted elsewhere.

    It is a deep copy where it had any, so that the body stays as it was.
    """
    return _without(hidden_values(name, body), name, body, is_shown=True)


def _without(values: Iterable[str], name: str, body: Mapping[str, Any], *, is_shown: bool) -> dict[str, Any]:
    if not values:
        return dict(body)
    telling = [text for text in values if len(text) >= _TELLING_CHARACTERS]
    copy: dict[str, Any] = map_strings(body, str)
    for holder, key in _secret_slots(name, copy, is_shown=is_shown):
        if _texts(holder[key]):
            holder[key] = MASK
    masked: dict[str, Any] = map_strings(copy, lambda text: mask(text, telling)) if telling else copy
    return masked


def blank_secrets(name: str, payload: bytes) -> bytes:
    """Return a stored payload without its secrets; the very same bytes where it has none."""
    if not has_secrets(name):
        return payload
    try:
        body = json.loads(shallow(payload.decode()))
    except (ValueError, RecursionError):
        # Nothing that was accepted looks like this; what cannot be searched is not kept.
        return b"{}"
    secrets = secret_values(name, body) if isinstance(body, dict) else ()
    return json_bytes(_without(secrets, name, body, is_shown=False)) if secrets else payload


def json_bytes(value: Any) -> bytes:
    """Return the value as compact JSON in UTF-8; ASCII only where a lone surrogate leaves no other way."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _secret_slots(name: str, body: Mapping[str, Any], is_shown: bool = False) -> list[Slot]:
    """Return the slots of one-time secrets; with `is_shown` of all that is never shown."""
    data = body.get("data")
    if not isinstance(data, dict):
        return []
    # Few events of a type that may hold a secret have one, and every one is asked.
    paths = [steps for key, steps in _paths(name, is_shown=is_shown) if data.get(key) is not None]
    reached = [slot for steps in paths for slot in slots(data, steps)]
    sample_id, known = _of_sample(name) if reached else (None, frozenset())
    if sample_id != data.get("id"):
        return reached
    return [(holder, key) for holder, key in reached if not known.issuperset(_texts(holder[key]))]


@lru_cache(maxsize=1000)
def _of_sample(name: str) -> tuple[Any, frozenset[str]]:
    """Return the id in the sample of an event type, and the texts at its secret paths."""
    data = sample_data(name)
    reached = [slot for _, steps in _paths(name, is_shown=True) for slot in slots(data, steps)]
    return data["id"], frozenset(text for holder, key in reached for text in _texts(holder[key]))


@lru_cache(maxsize=1000)
def _paths(name: str, *, is_shown: bool) -> tuple[tuple[str, tuple[Step, ...]], ...]:
    """Return the paths below data that hold one-time secrets, each with its first key.

    With `is_shown` those of what is sensitive, too.
    """
    event_type = find_event_type(name)
    entries = () if event_type is None else event_type.secret + (event_type.sensitive if is_shown else ())
    return tuple((re.split(r"\W", path)[0], parse(path)) for path in entries)


def _texts(value: Any) -> list[str]:
    """Return every non-empty text and number in a value, however deep."""
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


def written_forms(secret: str) -> set[str]:
    """Return a secret as messages may hold it: as it is, escaped for Slack or HTML, in JSON, or in a URL."""
    return {
        secret,
        str(escape(secret)),
        secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
    }
