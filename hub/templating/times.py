"""Times as messages and conditions write them, in the time zone of those who read them."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from hub.humanize import closest

DEFAULT_ZONE = "UTC"

ZONE: ContextVar[str] = ContextVar("zone", default=DEFAULT_ZONE)
"""The time zone of what is rendered or evaluated now; set before each. Macros see no variables, but this."""

_NO_ZONE = (LookupError, OSError, TypeError, ValueError)
"""The errors of a name that no time zone has, or that is none."""


def to_datetime(value: Any, form: str = "%Y-%m-%d %H:%M %Z", timezone: str | None = None) -> str:
    """Return a time as text. Takes Clerk's milliseconds, seconds (below 1e11), ISO 8601, or a datetime.

    Without `timezone` it is the destination's, in a condition that of `defaults`. Raises ValueError for a
    zone that there is none of, also in the place of the form.
    """
    name = ZONE.get() if timezone is None else timezone
    try:
        zone = ZoneInfo(name)
    except _NO_ZONE:
        raise ValueError(_no_zone(name)) from None
    if "%" not in form and "/" in form and form in available_timezones():
        raise ValueError(f"the form comes before the zone: datetime('%H:%M', '{form}')")
    if isinstance(value, str):
        value = _of_text(value)
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime(form)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2.5e14:
        return ""
    seconds = value if value < 1e11 else value / 1000
    return datetime.fromtimestamp(seconds, UTC).astimezone(zone).strftime(form)


def _of_text(text: str) -> datetime | None:
    """Return the time that a text has in ISO 8601, in UTC where it names no zone; None for any other."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    # The first and the last day there is would be outside all days in other zones.
    if not 1 < moment.year < 9999:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def time_zone(name: Any) -> str:
    """Return the name of a time zone; raises ValueError with what to write where there is none of it."""
    try:
        return ZoneInfo(name).key
    except _NO_ZONE:
        raise ValueError(_no_zone(name)) from None


def _no_zone(name: Any) -> str:
    if not isinstance(name, str):
        return "a time zone is a text such as Europe/Berlin"
    cities = {zone.rpartition("/")[2]: zone for zone in sorted(available_timezones())}
    city = closest(name.rpartition("/")[2].replace(" ", "_"), cities)
    meant = f'; did you mean "{cities[city]}"?' if city else "; write one such as Europe/Berlin"
    return f'there is no time zone "{name[:60]}"{meant}'
