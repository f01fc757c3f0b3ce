"""The summary of an event: the text of the built-in message, for sends without a template."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Any

from hub.catalog.event_types import EventType, find_event_type
from hub.catalog.labels import is_secret_name, is_time_name, label_of, sentence_of, words_of
from hub.catalog.masking import mask_body
from hub.catalog.money import money
from hub.catalog.paths import Step, expand, parse, values
from hub.model.event import Event
from hub.model.summary import Earlier, Summary
from hub.strings import one_line

TEST = "hub.test"
PROBLEM = "hub.problem"

VALUE_LIMIT_CHARACTERS = 200
_LIST_LIMIT = 10
_PLAIN_FIELDS_LIMIT = 8
_PROBLEM_LINES_LIMIT = 20


@dataclass(frozen=True, kw_only=True)
class _SummaryField:
    """A field of a summary. `steps` lead to objects, of each of which `write` gives the text."""

    label: str
    steps: tuple[Step, ...]
    write: Callable[[Mapping[str, Any]], str]


def summarise(event: Event, zone: tzinfo = UTC, earlier: Earlier | None = None) -> Summary:
    """Return the headline and the telling fields of any event; never fails and never shows a secret field.

    Every text is one line of at most 200 characters, and untrusted.
    """
    data = _body(event).get("data")
    if event.type == PROBLEM:
        return _problem(data)
    if event.type == TEST:
        return Summary(headline="[TEST] Message from the hub", fields=_plain_fields(data))
    event_type = find_event_type(event.type)
    if event_type is None:
        headline = _line(sentence_of(event.type)) or "Event"
        return Summary(headline=headline, fields=_plain_fields(data))
    fields = ((field.label, _text_of(field, data)) for field in _summary_fields(event_type.notify))
    return Summary(headline=_headline(event_type, data), fields=_filled(fields))


def _line(text: str) -> str:
    return one_line(text, VALUE_LIMIT_CHARACTERS)


def _body(event: Event) -> dict[str, Any]:
    """Return the event's body with its secrets masked; empty where it cannot be read."""
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
    shown = lines[:_PROBLEM_LINES_LIMIT] if isinstance(lines, list) else []
    fields = _filled(_problem_line(line) for line in shown)
    return Summary(headline=_text(data.get("headline")) or "The hub has a problem", fields=fields)


def _problem_line(line: Any) -> tuple[str, str]:
    if isinstance(line, dict):
        return _text(line.get("label")), _text(line.get("text"))
    return "Problem", _text(line)


def _plain_fields(data: Any) -> tuple[tuple[str, str], ...]:
    """Return the first few scalars of data, for unknown types; none whose name may be that of a secret."""
    if not isinstance(data, dict):
        return ()
    scalars = (
        (_line(words_of(key)), _value(key, value))
        for key, value in data.items()
        if not isinstance(value, dict | list) and not is_secret_name(key)
    )
    return _filled(scalars)[:_PLAIN_FIELDS_LIMIT]


def _filled(fields: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((label, value) for label, value in fields if label and value)


# -- fields ---------------------------------------------------------------------------------------


@cache
def _summary_fields(notify: tuple[str, ...]) -> tuple[_SummaryField, ...]:
    """Return the fields that an event type's notify paths ask for; two that make one phrase become one."""
    paths = [path for entry in notify for path in expand(entry)]
    fields = []
    while paths:
        path = paths.pop(0)
        parent, _, key = path.rpartition(".")
        other, label, write = _PHRASES.get(key, ("", "", None))
        partner = f"{parent}.{other}" if parent else other
        if write is not None and partner in paths:
            paths.remove(partner)
        else:
            label, write = label_of(path), _writer_of(key)
        fields.append(_SummaryField(label=label, steps=parse(parent) if parent else (), write=write))
    return tuple(fields)


def _text_of(field: _SummaryField, data: Any) -> str:
    return _joined([field.write(value) for value in values(data, field.steps) if isinstance(value, dict)])


def _writer_of(key: str) -> Callable[[Mapping[str, Any]], str]:
    if key == "amount_formatted":
        return _formatted_amount
    return lambda value: _value(key, value.get(key))


def _full_name(person: Mapping[str, Any]) -> str:
    return _line(f"{_text(person.get('first_name'))} {_text(person.get('last_name'))}")


def _role(person: Mapping[str, Any]) -> str:
    return _text(person.get("role_name")) or _text(person.get("role"))


def _price(price: Mapping[str, Any]) -> str:
    return money(price.get("amount"), price.get("currency")) or _text(price.get("amount"))


def _formatted_amount(price: Mapping[str, Any]) -> str:
    amount = _text(price.get("amount_formatted"))
    return _line(f"{amount} {_text(price.get('currency')).upper()}") if amount else ""


_PHRASES: Mapping[str, tuple[str, str, Callable[[Mapping[str, Any]], str]]] = {
    "first_name": ("last_name", "Name", _full_name),
    "role": ("role_name", "Role", _role),
    "amount": ("currency", "Price", _price),
}
"""By a key: the key beside it that completes it, the label of both together, and their text."""


# -- values as text -------------------------------------------------------------------------------


def _value(key: str, value: Any) -> str:
    """Return a value as its name suggests: times as dates, a list's items one after the other."""
    if isinstance(value, list):
        return _joined([_value(key, item) for item in value if not isinstance(item, list)])
    return (_date(value) if is_time_name(key) else "") or _text(value)


def _joined(texts: list[str]) -> str:
    filled = list(dict.fromkeys(text for text in texts if text))
    more = len(filled) - _LIST_LIMIT
    return _line(", ".join(filled[:_LIST_LIMIT]) + (f" and {more} more" if more > 0 else ""))


def _text(value: Any) -> str:
    """Return a scalar in words; nothing for null, objects and lists."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _line(str(value)) if isinstance(value, str | int | float) else ""


def _date(value: Any) -> str:
    """Return Clerk's milliseconds (below 1e11: seconds) as a date; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 2.5e14:
        return ""
    seconds = value if value < 1e11 else value / 1000
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
