"""The built-in message of an event: what a destination says where no template was written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from hub.catalog.event_types import EventType, find_event_type
from hub.catalog.labels import is_secret_name, is_time_name, label_of, sentence_of, words_of
from hub.catalog.masking import mask_body
from hub.catalog.money import money
from hub.catalog.paths import Step, expand, parse, values
from hub.model.event import Event, Summary

TEST = "hub.test"
PROBLEM = "hub.problem"

VALUE_LIMIT_CHARACTERS = 200
_LIST_LIMIT = 10
_PLAIN_FIELDS_LIMIT = 8
_PROBLEM_LINES_LIMIT = 20

# Besides control characters: what reorders, hides or breaks a line, and halves of characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


@dataclass(frozen=True, kw_only=True)
class _Told:
    """One field of a message: what to say of each object that the steps lead to."""

    label: str
    steps: tuple[Step, ...]
    say: Callable[[Mapping[str, Any]], str]


def summarise(event: Event) -> Summary:
    """The headline and the telling fields of any event; never fails and never shows a secret field.

    Every text is one line of at most 200 characters, and untrusted.
    """
    data = _body(event).get("data")
    if event.type == PROBLEM:
        return _problem(data)
    if event.type == TEST:
        return Summary(headline="[TEST] Message from the hub", fields=_plain_fields(data))
    event_type = find_event_type(event.type)
    if event_type is None:
        headline = one_line(sentence_of(event.type)) or "Event"
        return Summary(headline=headline, fields=_plain_fields(data))
    fields = ((told.label, _tell(told, data)) for told in _telling(event_type.notify))
    return Summary(headline=_headline(event_type, data), fields=_filled(fields))


def one_line(text: str) -> str:
    """The text without anything that could break out of its line, cut to what a message can bear."""
    line = " ".join(_UNPRINTABLE.sub(" ", text).split())
    if len(line) <= VALUE_LIMIT_CHARACTERS:
        return line
    return line[: VALUE_LIMIT_CHARACTERS - 1].rstrip() + "…"


def _body(event: Event) -> dict[str, Any]:
    """The event's body with its secrets masked; empty where it cannot be read."""
    try:
        return mask_body(event.type, event.body)
    except (ValueError, RecursionError):
        return {}


def _headline(event_type: EventType, data: Any) -> str:
    status = data.get("status") if isinstance(data, dict) else None
    if isinstance(status, str):
        return event_type.headline_by_status.get(status, event_type.headline)
    return event_type.headline


def _problem(data: Any) -> Summary:
    data = data if isinstance(data, dict) else {}
    lines = data.get("lines")
    told = [_problem_line(line) for line in lines[:_PROBLEM_LINES_LIMIT]] if isinstance(lines, list) else []
    return Summary(headline=_text(data.get("headline")) or "The hub has a problem", fields=_filled(told))


def _problem_line(line: Any) -> tuple[str, str]:
    if isinstance(line, dict):
        return _text(line.get("label")), _text(line.get("text"))
    return "Problem", _text(line)


def _plain_fields(data: Any) -> tuple[tuple[str, str], ...]:
    """The first few scalars of data, for types that nothing is known of; no name that smells of a secret."""
    if not isinstance(data, dict):
        return ()
    scalars = (
        (one_line(words_of(key)), _value(key, value))
        for key, value in data.items()
        if not isinstance(value, dict | list) and not is_secret_name(key)
    )
    return _filled(scalars)[:_PLAIN_FIELDS_LIMIT]


def _filled(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((label, value) for label, value in fields if label and value)


# -- what to tell ---------------------------------------------------------------------------------


@cache
def _telling(notify: tuple[str, ...]) -> tuple[_Told, ...]:
    """The fields that an event type's notify paths ask for; two that make one phrase become one."""
    paths = [path for entry in notify for path in expand(entry)]
    told = []
    while paths:
        path = paths.pop(0)
        parent, _, key = path.rpartition(".")
        other, label, say = _PHRASES.get(key, ("", "", None))
        partner = f"{parent}.{other}" if parent else other
        if say is not None and partner in paths:
            paths.remove(partner)
        else:
            label, say = label_of(path), _sayer(key)
        told.append(_Told(label=label, steps=parse(parent) if parent else (), say=say))
    return tuple(told)


def _tell(told: _Told, data: Any) -> str:
    said = [told.say(found) for found in values(data, told.steps) if isinstance(found, dict)]
    return _joined(said)


def _sayer(key: str) -> Callable[[Mapping[str, Any]], str]:
    if key == "amount_formatted":
        return _formatted_amount
    return lambda found: _value(key, found.get(key))


def _full_name(found: Mapping[str, Any]) -> str:
    return one_line(f"{_text(found.get('first_name'))} {_text(found.get('last_name'))}")


def _role(found: Mapping[str, Any]) -> str:
    return _text(found.get("role_name")) or _text(found.get("role"))


def _price(found: Mapping[str, Any]) -> str:
    return money(found.get("amount"), found.get("currency")) or _text(found.get("amount"))


def _formatted_amount(found: Mapping[str, Any]) -> str:
    amount = _text(found.get("amount_formatted"))
    return one_line(f"{amount} {_text(found.get('currency')).upper()}") if amount else ""


_PHRASES: Mapping[str, tuple[str, str, Callable[[Mapping[str, Any]], str]]] = {
    "first_name": ("last_name", "Name", _full_name),
    "role": ("role_name", "Role", _role),
    "amount": ("currency", "Price", _price),
}
"""A key, the key beside it that completes it, and how both are told together."""


# -- values as text -------------------------------------------------------------------------------


def _value(key: str, value: Any) -> str:
    """A value as its name suggests: times as dates, a list's items one after the other."""
    if isinstance(value, list):
        return _joined([_value(key, item) for item in value if not isinstance(item, list)])
    return (_date(value) if is_time_name(key) else "") or _text(value)


def _joined(texts: list[str]) -> str:
    filled = list(dict.fromkeys(text for text in texts if text))
    more = len(filled) - _LIST_LIMIT
    return one_line(", ".join(filled[:_LIST_LIMIT]) + (f" and {more} more" if more > 0 else ""))


def _text(value: Any) -> str:
    """A scalar in words; nothing for null, objects and lists."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(str(value)) if isinstance(value, str | int | float) else ""


def _date(value: Any) -> str:
    """Clerk's milliseconds (below 1e11: seconds) as a date; nothing for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2.5e14:
        return ""
    seconds = value if value < 1e11 else value / 1000
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
