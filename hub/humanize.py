"""Times, spans and counts as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def utc(moment: datetime) -> str:
    """A moment to the second, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float) -> str:
    """A span in its largest unit, and from hours on the next one: `40 ms`, `3 min`, `2 h 5 min`."""
    if 0 < seconds < 1:
        return f"{max(round(seconds * 1000), 1)} ms"
    whole = int(seconds)
    for (unit, size), (smaller, smaller_size) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // smaller_size if size > 60 else 0
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def ago(moment: datetime, now: datetime) -> str:
    """How far a moment is from now: `3 min ago`, `in 5 s`, `just now`."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 delivery`, `3 deliveries`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
