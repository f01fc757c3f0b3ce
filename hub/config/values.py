"""The kinds of values that users write in routes.yaml, each with its reading and its JSON Schema."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from hub.durations import UNIT_SECONDS, parse_duration
from hub.humanize import kind_of
from hub.model.delivery import LONGEST_TIMEOUT_SECONDS
from hub.model.destination import RateLimit
from hub.model.problem import Code
from hub.templating.times import time_zone

_DURATION = re.compile(r"[0-9]{1,8}[smhd]")
_RATE_LIMIT = re.compile(r"([0-9]{1,6})/([smh])")
_PATTERN = re.compile(r"[A-Za-z0-9_.:*-]{1,200}")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
OWN_PAGES = (
    *("healthz", "readyz", "metrics", "login", "logout", "static"),
    *("events", "deliveries", "destinations", "routes", "try", "audit"),
)
OWN_API_PAGES = ("events", "deliveries", "destinations", "findings", "audit", "stats", "retry")


def _problem(code: Code, message: str) -> PydanticCustomError:
    # pydantic formats the message with its context, so the text goes in as a value.
    return PydanticCustomError(code.value, "{text}", {"text": message})


def duration_seconds(value: Any) -> float:
    """Return the seconds of a duration such as `10s` or `2h`; anything else is refused with what to write."""
    if not (isinstance(value, str) and _DURATION.fullmatch(value)):
        is_number = isinstance(value, int) and not isinstance(value, bool)
        advice = (
            f"a duration needs a unit: write {value}s" if is_number else "write a duration such as 10s or 2h"
        )
        raise _problem(Code.BAD_DURATION, f"{advice} (units: s, m, h, d)")
    duration = parse_duration(value)
    if not duration:
        raise _problem(Code.BAD_DURATION, "a duration must be above zero and at most 3650d")
    return duration.total_seconds()


def _attempt_seconds(value: Any) -> float:
    seconds = duration_seconds(value)
    if seconds > LONGEST_TIMEOUT_SECONDS:
        raise _problem(Code.BAD_DURATION, "one attempt may take at most 10m")
    return seconds


def _rate_limit(value: Any) -> RateLimit:
    matched = _RATE_LIMIT.fullmatch(value) if isinstance(value, str) else None
    if matched is None or int(matched[1]) == 0:
        message = "write a rate limit such as 50/s, 100/m or 1000/h: a number above zero, a slash, a unit"
        raise _problem(Code.BAD_RATE_LIMIT, message)
    return RateLimit(count=int(matched[1]), seconds=float(UNIT_SECONDS[matched[2]]))


def _time_zone(value: Any) -> str:
    try:
        return time_zone(value)
    except ValueError as error:
        raise _problem(Code.BAD_VALUE, str(error)) from None


def _one_or_list(value: Any) -> Any:
    if not isinstance(value, str | list):
        raise _problem(Code.WRONG_TYPE, f"must be a text or a list of texts, not {kind_of(value)}")
    return [value] if isinstance(value, str) else value


def is_pattern(text: str) -> bool:
    """Return whether a text has the form of an event type or pattern."""
    return bool(_PATTERN.fullmatch(text)) and "**" not in text and text.count("*") <= 4


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        raise _problem(Code.WRONG_TYPE, f"an event type must be text, not {kind_of(value)}")
    if "," in value or " " in value:
        raise _problem(Code.BAD_PATTERN, "this is one text; write several event types as a list: [a, b]")
    if not _PATTERN.fullmatch(value):
        message = (
            'an event type has only letters, digits and . _ - : and "*" for anything, at most 200 characters'
        )
        raise _problem(Code.BAD_PATTERN, message)
    if not is_pattern(value):
        raise _problem(Code.BAD_PATTERN, 'a pattern has at most four "*", and no two side by side')
    return value


def _source_path(value: Any) -> str:
    if not isinstance(value, str):
        raise _problem(Code.WRONG_TYPE, "must be text such as /api/webhooks")
    if not value.startswith("/"):
        raise _problem(Code.BAD_PATH, 'must begin with "/", such as /api/webhooks')
    if value == "/":
        raise _problem(Code.BAD_PATH, "the status page is there; take another path, such as /api/webhooks")
    if value.endswith("/"):
        raise _problem(
            Code.BAD_PATH, 'must not end with "/"; requests whose path does are taken all the same'
        )
    if not _PATH.fullmatch(value) or any(part in (".", "..") for part in value.split("/")):
        message = "has only letters, digits and . _ ~ - between its slashes, such as /api/webhooks"
        raise _problem(Code.BAD_PATH, message)
    first, second = [*value.split("/"), ""][1:3]
    if first in OWN_PAGES or (first == "api" and second in OWN_API_PAGES):
        raise _problem(
            Code.BAD_PATH, "the hub's own pages are there; take another path, such as /api/webhooks"
        )
    return value


def _secret_given(value: Any) -> Any:
    """Return the secrets of a source; refuses one that is empty."""
    secrets: list[str] = _one_or_list(value)
    if not all(isinstance(secret, str) for secret in secrets):
        raise _problem(Code.WRONG_TYPE, "must be a text or a list of texts")
    if not secrets or not all(secrets):
        raise _problem(Code.BAD_VALUE, "is empty; write ${NAME} and set that variable")
    return secrets


def _extra_events(value: Any) -> list[str]:
    if not isinstance(value, list | dict):
        raise _problem(Code.WRONG_TYPE, '"extra_events" must be a list of event types')
    for name in value:
        if "*" in _pattern(name):
            raise _problem(Code.BAD_PATTERN, '"extra_events" takes whole event types, without "*"')
    return list(value)


_TEXT = {"type": "string"}


def _one_or_more(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


_PATTERN_SCHEMA = {"type": "string", "pattern": f"^{_PATTERN.pattern}$"}
_DURATION_SCHEMA = {"type": "string", "pattern": "^[0-9]{1,8}[smhd]$"}

Duration = Annotated[float, PlainValidator(duration_seconds), WithJsonSchema(_DURATION_SCHEMA)]
AttemptDuration = Annotated[float, PlainValidator(_attempt_seconds), WithJsonSchema(_DURATION_SCHEMA)]
RateLimitText = Annotated[
    RateLimit,
    PlainValidator(_rate_limit),
    WithJsonSchema({"type": "string", "pattern": f"^{_RATE_LIMIT.pattern}$"}),
]
Pattern = Annotated[str, PlainValidator(_pattern), WithJsonSchema(_PATTERN_SCHEMA)]
Patterns = Annotated[
    list[Pattern],
    Field(min_length=1),
    BeforeValidator(_one_or_list),
    WithJsonSchema(_one_or_more(_PATTERN_SCHEMA)),
]
OptionalPatterns = Annotated[
    list[Pattern],
    BeforeValidator(_one_or_list),
    WithJsonSchema({"anyOf": [_PATTERN_SCHEMA, {"type": "array", "items": _PATTERN_SCHEMA}]}),
]
Texts = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    Field(min_length=1),
    BeforeValidator(_one_or_list),
    WithJsonSchema(_one_or_more(_TEXT)),
]
SourcePath = Annotated[
    str, PlainValidator(_source_path), WithJsonSchema({"type": "string", "pattern": f"^{_PATH.pattern}$"})
]
Secrets = Annotated[list[str], PlainValidator(_secret_given), WithJsonSchema(_one_or_more(_TEXT))]
EventTypes = Annotated[
    list[str],
    PlainValidator(_extra_events),
    WithJsonSchema({"anyOf": [{"type": "array", "items": _PATTERN_SCHEMA}, {"type": "object"}]}),
]
TimeZone = Annotated[str, PlainValidator(_time_zone), WithJsonSchema(_TEXT)]
Retry = Annotated[list[Duration], Field(max_length=50)]
TextList = Annotated[list[str], BeforeValidator(_one_or_list), WithJsonSchema(_one_or_more(_TEXT))]
