"""The age of an event: past its `max_age` nothing of it is sent, whatever is owed."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.humanize import period, span
from hub.model.event import Event


def valid_until(event: Event, max_age_seconds: float | None) -> datetime | None:
    """Return the moment from which an event is too old, by its own timestamp; None where it never is."""
    return None if max_age_seconds is None else event.timestamp + timedelta(seconds=max_age_seconds)


def too_old(event: Event, until: datetime | None, now: datetime) -> str | None:
    """Return the reason why nothing of an event is sent any more; None where it is young enough."""
    if until is None or now < until:
        return None
    age = span((now - event.timestamp).total_seconds())
    longest = period((until - event.timestamp).total_seconds())
    number, _, unit = longest.partition(" ")
    return f"too old: it was {age} old and may be {number if age.partition(' ')[2] == unit else longest}"
