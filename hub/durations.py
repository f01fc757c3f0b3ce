"""Durations as users write them: `10s`, `5m`, `2h`, `30d`."""

from __future__ import annotations

import re
from datetime import timedelta

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

LONGEST = timedelta(days=3650)

_DURATION = re.compile(r"([0-9]{1,8})([smhd])")


def parse_duration(text: str) -> timedelta | None:
    """Return the duration that a text says, zero included; None where it says none, or one past `LONGEST`."""
    matched = _DURATION.fullmatch(text)
    if matched is None:
        return None
    duration = timedelta(seconds=int(matched[1]) * UNIT_SECONDS[matched[2]])
    return duration if duration <= LONGEST else None
