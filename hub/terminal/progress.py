"""The progress of a long run: a bar on stderr, where that is a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hub.humanize import span
from hub.terminal.printing import inline, say

WIDEST = 30


def show(name: str, done: int, total: int | None, rate: float, remaining_seconds: float | None) -> None:
    """Draw how much of something is done, where stderr is a terminal."""
    if not sys.stderr.isatty():
        return
    line = bar(name, done, total, rate, remaining_seconds, shutil.get_terminal_size().columns)
    say(f"\r\033[K{line}", err=True, ends_line=False)


def bar(
    name: str, done: int, total: int | None, rate: float, remaining_seconds: float | None, columns: int
) -> str:
    """Return the line that is drawn: the bar takes what name and numbers leave of the terminal's columns."""
    of = f"{done:,}/{total:,}" if total is not None else f"{done:,}"
    rest = f", {span(remaining_seconds)} more" if remaining_seconds else ""
    speed = f", {rate:,.0f}/s" if rate else ""
    numbers = f"{of}{speed}{rest}"
    # A line that reached the last column would go on in one that is not cleared.
    width = min(columns - 1 - len(f"{name} [] {numbers}"), WIDEST)
    if width < 1:
        return f"{name} {numbers}"[: columns - 1]
    filled = min(width * done // total, width) if total else 0
    return f"{name} [{'#' * filled}{'-' * (width - filled)}] {numbers}"


def clear() -> None:
    """Take the bar away, where there is one."""
    if sys.stderr.isatty():
        say("\r\033[K", err=True, ends_line=False)


@contextmanager
def cleared() -> Iterator[None]:
    """Take the bar away behind a block, however it ends."""
    try:
        yield
    finally:
        clear()


def retry(reason: str, seconds: float) -> None:
    """Say on stderr why nothing happens now, and for how long; a second is not worth a word."""
    if seconds < 2:
        return
    clear()
    say(f"hub: {inline(reason)}; again in {span(seconds)}", err=True)
