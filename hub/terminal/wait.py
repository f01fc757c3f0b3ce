"""The reason why a delivery waits, as the API has it, on a line of a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.terminal.printing import inline


def wait_in_words(why: Mapping[str, Any] | None) -> str:
    """Return the reason to wait; nothing where it does not wait."""
    return "" if why is None else inline(why["text"])


def obstacle_in_words(why: Mapping[str, Any] | None) -> str:
    """Return the same as the end of a sentence about something that was to happen now."""
    return f"; it waits: {wait_in_words(why)}" if why is not None and why["code"] != "due" else ""
