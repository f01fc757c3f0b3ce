"""The progress of a long run, on stderr: a bar on a terminal, elsewhere a line for what is done."""

from __future__ import annotations

import sys

from hub.humanize import span
from hub.terminal.printing import say

WIDTH = 30


def show(name: str, done: int, total: int | None, rate: float, remaining_seconds: float | None) -> None:
    """Draw how much of something is done, where stderr is a terminal."""
    if not sys.stderr.isatty():
        return
    filled = min(WIDTH * done // total, WIDTH) if total else 0
    of = f"{done:,}/{total:,}" if total is not None else f"{done:,}"
    rest = f", {span(remaining_seconds)} more" if remaining_seconds else ""
    speed = f", {rate:,.0f}/s" if rate else ""
    line = f"{name:<26} [{'#' * filled}{'-' * (WIDTH - filled)}] {of}{speed}{rest}"
    say(f"\r\033[K{line}", err=True, ends_line=False)


def clear() -> None:
    """Take the bar away, where there is one."""
    if sys.stderr.isatty():
        say("\r\033[K", err=True, ends_line=False)
