"""The filters that templates and conditions have beyond Jinja's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import jinja2
from markupsafe import Markup

_HTML_IN_JSON = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&'"})


class JsonText(Markup):
    """The result of `tojson`, which JSON bodies do not encode a second time."""

    __slots__ = ()


def to_datetime(value: Any, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    """Return a time as text, in UTC. Takes Clerk's milliseconds, seconds (below 1e11), or a datetime."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(form)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2.5e14:
        return ""
    return datetime.fromtimestamp(value if value < 1e11 else value / 1000, UTC).strftime(form)


def full_name(person: Any) -> str:
    """Return first and last name of a user or of `public_user_data`, else identifier, username or nothing."""
    if not isinstance(person, Mapping):
        return ""
    names = [str(person[key]) for key in ("first_name", "last_name") if person.get(key)]
    return " ".join(names) or str(person.get("identifier") or person.get("username") or "")


def primary_email(user: Any) -> str:
    """Return the address whose id is the user's `primary_email_address_id`, or nothing.

    The list may be empty, and its first entry need not be the primary one.
    """
    if not isinstance(user, Mapping):
        return ""
    wanted = user.get("primary_email_address_id")
    addresses = user.get("email_addresses")
    for address in addresses if isinstance(addresses, list) else ():
        if isinstance(address, Mapping) and wanted and address.get("id") == wanted:
            return str(address.get("email_address") or "")
    return ""


def to_json(value: Any, indent: int | None = None) -> JsonText:
    """Return the value as JSON, safe inside HTML too."""
    text = json.dumps(value, indent=indent, default=as_jsonable)
    return JsonText(text.translate(_HTML_IN_JSON))


def as_jsonable(value: Any) -> Any:
    """Return a JSON value for one that JSON does not know: null for a missing field, a list, or text."""
    if isinstance(value, jinja2.Undefined):
        return None
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return list(value)
    return str(value)


FILTERS: Mapping[str, Callable[..., Any]] = {
    "datetime": to_datetime,
    "full_name": full_name,
    "primary_email": primary_email,
    "tojson": to_json,
}
"""By name; `tojson` takes the place of Jinja's."""
