"""Events: verified requests from a source, and the words for them."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

HUB_SOURCE = "hub"
"""The source of the hub's own events; no source in routes.yaml may be called so."""

OBJECT_ID_LIMIT = 200
"""Characters of the longest id by which an object is looked up."""

DEPTH_LIMIT = 100
"""Brackets within brackets that conditions and templates see: far deeper nothing can be written again."""

_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is too large a number")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


parse_json: Callable[[str], Any] = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant).decode
"""Reads JSON as RFC 8259 has it. Raises ValueError also for NaN, Infinity and a number beyond all floats, as
1e999 is, and RecursionError for what is nested too deep.
"""


object_key: Callable[[str, str], str] = "{}/{}".format
"""Makes a key like `user/user_2x` of an object's kind, the beginning of its event types, and its id."""


def shallow(payload: str) -> str:
    """Return JSON with null for each list and object below `DEPTH_LIMIT` levels; the same text without such.

    Whoever may write into an event could nest it so deep that nothing reads it.
    """
    if payload.count("[") + payload.count("{") <= DEPTH_LIMIT:
        return payload
    kept: list[str] = []
    level = position = 0
    for token in _STRING_OR_BRACKET.finditer(payload):
        if token[0] in ("[", "{"):
            level += 1
            if level == DEPTH_LIMIT + 1:
                kept.append(payload[position : token.start()])
        elif token[0] in ("]", "}"):
            level -= 1
            if level == DEPTH_LIMIT:
                kept.append("null")
                position = token.end()
    rest = payload[position:] if level <= DEPTH_LIMIT else ""
    return "".join([*kept, rest])


def new_id(prefix: str, now: datetime) -> str:
    """Return an id like `evt_0192f1a2b3c4d5e6f7a8b9c0d1e2`, which sorts by time.

    Milliseconds come first, then 4096ths of one; 52 random bits follow. Ids of things that come one
    after the other sort in that order, however fast.
    """
    return f"{first_id(prefix, now)}{now.microsecond % 1000 * 4096 // 1000:03x}{random.getrandbits(52):013x}"


def first_id(prefix: str, moment: datetime) -> str:
    """Return a text that sorts before every id of that moment and later ones."""
    return f"{prefix}_{max((moment - _EPOCH) // timedelta(milliseconds=1), 0):012x}"


def made_at(id_: str) -> datetime:
    """Return the moment when an id was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=int(id_.partition("_")[2][:12], 16))


@dataclass(frozen=True, kw_only=True)
class Event:
    """One verified request from a source. `payload` is its body, byte for byte: a JSON object.

    `parsed` is that object where it was read already, to be verified.
    """

    id: str
    source: str
    message_id: str
    type: str
    payload: bytes
    received_at: datetime
    parsed: dict[str, Any] | None = field(default=None, repr=False, compare=False)

    @cached_property
    def body(self) -> dict[str, Any]:
        """The payload, parsed; below `DEPTH_LIMIT` levels it is null."""
        if self.parsed is not None:
            return self.parsed
        body = json.loads(shallow(self.payload.decode()))
        return body if isinstance(body, dict) else {}

    @property
    def data(self) -> Any:
        """The subject of the event; an empty mapping where the payload has none."""
        return self.body.get("data") or {}

    @property
    def timestamp(self) -> datetime:
        """The moment it happened, by its sender (in milliseconds; below 1e11 in seconds), else of receipt."""
        value = self.body.get("timestamp")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2.5e14:
            return self.received_at
        return datetime.fromtimestamp(value if value < 1e11 else value / 1000, UTC)

    @property
    def object_key(self) -> str | None:
        """The key of the object that it is about; None where `data.id` is no text, or one beyond all ids."""
        try:
            data = self.data
        except ValueError:
            return None
        object_id = data.get("id") if isinstance(data, dict) else None
        if not isinstance(object_id, str) or not 0 < len(object_id) <= OBJECT_ID_LIMIT:
            return None
        return object_key(self.type.partition(".")[0], object_id) if object_id.isprintable() else None
