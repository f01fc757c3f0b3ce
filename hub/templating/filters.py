"""What templates and conditions have beyond Jinja's own filters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import jinja2
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup


class JsonText(Markup):
    """What `tojson` returns, so that JSON bodies do not encode it twice."""

    __slots__ = ()


def to_datetime(value: Any, form: str = "%Y-%m-%d %H:%M UTC") -> str:
    """A time as text, in UTC. Takes Clerk's milliseconds, seconds (below 1e11), or a datetime."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(form)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2.5e14:
        return ""
    return datetime.fromtimestamp(value if value < 1e11 else value / 1000, UTC).strftime(form)


def full_name(person: Any) -> str:
    """First and last name of a user or of `public_user_data`; else identifier or username; else nothing."""
    if not isinstance(person, Mapping):
        return ""
    names = [str(person[key]) for key in ("first_name", "last_name") if person.get(key)]
    return " ".join(names) or str(person.get("identifier") or person.get("username") or "")


def primary_email(user: Any) -> str:
    """The address whose id is the user's `primary_email_address_id`, or nothing.

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
    """The value as JSON, safe inside HTML too."""
    return JsonText(htmlsafe_json_dumps(value, indent=indent, default=as_jsonable))


def as_jsonable(value: Any) -> Any:
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
"""What templates and conditions have beyond Jinja's own filters."""
