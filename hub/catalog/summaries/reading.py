"""Values of a payload of any shape, read without surprise: what is not there or of another kind is empty."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from hub.catalog.summaries.facts import Data
from hub.humanize import day
from hub.strings import one_line

RAW_LIMIT_CHARACTERS = 1000
"""A text is cut to this before it is looked at: far more than any message has."""


def value(data: Any, *keys: str) -> Any:
    """Return the value that the keys lead to, one inside the other; None where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def text(data: Any, *keys: str) -> str:
    """Return the text or number that the keys lead to, on one line; empty for anything else."""
    scalar = value(data, *keys)
    if isinstance(scalar, bool) or not isinstance(scalar, str | int | float):
        return ""
    return line(str(scalar))


def line(anything: str) -> str:
    """Return a text of a stranger on one line, the beginning of a long one."""
    return one_line(anything[:RAW_LIMIT_CHARACTERS])


def mapping(data: Any, *keys: str) -> Data:
    """Return the object that the keys lead to; an empty one for anything else."""
    inner = value(data, *keys)
    return inner if isinstance(inner, Mapping) else {}


def items(data: Any, *keys: str) -> list[Data]:
    """Return the objects in the list that the keys lead to."""
    entries = value(data, *keys)
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def moment(data: Any, *keys: str) -> datetime | None:
    """Return the time that the keys lead to: Clerk's milliseconds, seconds below 1e11; None for no time."""
    number = value(data, *keys)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < 2.5e14:
        return None
    return datetime.fromtimestamp(number if number < 1e11 else number / 1000, UTC)


def date(zone: tzinfo, data: Any, *keys: str) -> str:
    """Return the day of the time that the keys lead to; empty where there is none."""
    at = moment(data, *keys)
    return day(at, zone) if at else ""


def count(data: Any, *keys: str) -> str:
    """Return the whole number that the keys lead to; empty for anything else."""
    number = value(data, *keys)
    return f"{number:,}" if isinstance(number, int) and not isinstance(number, bool) else ""


def canonical(anything: Any) -> str:
    """Return a JSON value as text, the same for two that are equal."""
    return json.dumps(anything, sort_keys=True)
