"""What a user's template or condition may cost: processor time, and the size of what it makes on its way.

Jinja's sandbox keeps templates from Python's internals, but not from loops without end or from texts of a
gigabyte. Every loop, call and filter asks here first.
"""

from __future__ import annotations

import math
import re
import string
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

MOST_SECONDS = 1.0
"""Of this thread's processor time, for one text, condition or structure."""

MOST_SIZE = 4 * 1024 * 1024
"""Characters and values that anything may hold together; a payload has at most 1 MiB."""

MOST_BITS = 64 * 1024

GROWING_METHODS = frozenset(
    ("center", "expandtabs", "join", "ljust", "replace", "rjust", "to_bytes", "translate", "zfill")
)
GROWING_FILTERS = frozenset(("batch", "center", "indent", "join", "replace", "slice", "tojson", "wordwrap"))
"""Whose result may be as long as their value times their arguments."""

_PERCENT = re.compile(r"%(?:\([^()]*\))?[^a-zA-Z%]*")
_WIDE = re.compile(r"[0-9]{5}|[*{]")


class _Clock(threading.local):
    """When to look at the processor time for the first time, and how much of it there may be then."""

    looks_at: float = math.inf
    ends: float = math.inf


_clock = _Clock()


class limited_time:  # noqa: N801 - read as `with limited_time():`
    """Within this block `check_time` raises once the time is used up; a block inside it shares its time."""

    __slots__ = ("_is_inside",)

    def __enter__(self) -> None:
        self._is_inside = _clock.looks_at != math.inf
        if not self._is_inside:
            _clock.looks_at = time.monotonic() + MOST_SECONDS

    def __exit__(self, *_: object) -> None:
        if not self._is_inside:
            _clock.looks_at = _clock.ends = math.inf


def check_time() -> None:
    """Raises OverflowError where this thread's time is used up.

    Processor time is slow to ask for, and never runs faster than the clock on the wall: it is looked at, and
    counts, from when that much has passed there.
    """
    if time.monotonic() < _clock.looks_at:
        return
    if _clock.ends == math.inf:
        _clock.ends = time.thread_time() + MOST_SECONDS
    elif time.thread_time() > _clock.ends:
        raise OverflowError(f"takes more than {MOST_SECONDS:g} s of processor time; make it simpler")


def counted(items: Iterable[Any]) -> Iterator[Any]:
    """The items, the time checked before each."""
    for item in items:
        check_time()
        yield item


def weighed(value: Any) -> Any:
    """The value; raises OverflowError where it is too large to be printed or passed on."""
    if isinstance(value, str | bytes):
        size = len(value)
    elif isinstance(value, dict | list | tuple | set | range):
        size = _size(value)
    else:
        return value
    if size > MOST_SIZE:
        raise OverflowError(f"makes something larger than {MOST_SIZE // 1024**2} MiB on its way")
    return value


def check_growth(value: Any, arguments: Iterable[Any]) -> None:
    """Raises OverflowError where a value that is repeated as its arguments say may become too large."""
    size = 1 if isinstance(value, int | float) else max(_size(value), 1)
    for argument in arguments:
        size *= max(_amount(argument), 1)
    if size > MOST_SIZE:
        raise OverflowError("the result may be too long")


def check_product(left: int, right: int) -> None:
    """Raises OverflowError where a product of whole numbers has too many digits."""
    if left.bit_length() + right.bit_length() > MOST_BITS:
        raise OverflowError("the result of * is too large")


def check_percent_format(text: str) -> None:
    """Raises OverflowError where a format for `%` pads to a width that is huge or given from outside."""
    if any(_WIDE.search(directive) for directive in _PERCENT.findall(text)):
        raise OverflowError("a width in this format is too large")


def check_format(text: str) -> None:
    """The same for `str.format`."""
    if any(spec and _WIDE.search(spec) for _, _, spec, _ in string.Formatter().parse(text)):
        raise OverflowError("a width in this format is too large")


def _amount(argument: Any) -> int:
    return min(abs(int(argument)), MOST_SIZE + 1) if _is_number(argument) else _size(argument)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and abs(value) < 1e18)


def _size(value: Any) -> int:
    """The characters and values in it, counted no further than what is too much."""
    size, waiting = 0, [value]
    while waiting and size <= MOST_SIZE:
        each = waiting.pop()
        size += 1
        if isinstance(each, str | bytes | range):
            size += len(each)
        elif isinstance(each, Mapping):
            waiting.extend(each)
            waiting.extend(each.values())
        elif isinstance(each, list | tuple | set):
            size += len(each)
            if size <= MOST_SIZE:
                waiting.extend(each)
    return size
