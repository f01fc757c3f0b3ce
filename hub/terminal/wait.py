"""The reason why a delivery waits, as the API has it, on a line of a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.humanize import ago
from hub.terminal.printing import inline, parse_time


def wait_in_words(why: Mapping[str, Any] | None, now: datetime) -> str:
    """Return the reason to wait and the distance of its end; nothing where it does not wait."""
    if why is None:
        return ""
    text = inline(why["text"])
    until = parse_time(why["until"]) if why["until"] else now
    return f"{text}; next {ago(until, now)}" if until > now else text


def obstacle_in_words(why: Mapping[str, Any] | None, now: datetime) -> str:
    """Return the same as the end of a sentence about something that was to happen now."""
    return f"; it waits: {wait_in_words(why, now)}" if why is not None and why["code"] != "due" else ""
