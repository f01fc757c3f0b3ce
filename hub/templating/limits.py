"""Limits on the cost of a user's template or condition: processor time, and sizes on the way.

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
from contextlib import contextmanager
from typing import Any

TIME_LIMIT_SECONDS = 1.0
"""Of this thread's processor time, for one text, condition or structure."""

SIZE_LIMIT = 4 * 1024 * 1024
"""Characters and values that anything may hold together; a payload has at most 1 MiB."""

BITS_LIMIT = 64 * 1024

GROWING_METHODS = frozenset(
    ("center", "expandtabs", "join", "ljust", "replace", "rjust", "to_bytes", "translate", "zfill")
)
GROWING_FILTERS = frozenset(("batch", "center", "indent", "join", "replace", "slice", "tojson", "wordwrap"))
"""Whose result may be as long as their value times their arguments."""

_PERCENT = re.compile(r"%(?:\([^()]*\))?[^a-zA-Z%]*")
_WIDE = re.compile(r"[0-9]{5}|[*{]")


class _Thread(threading.local):
    """The limit that this thread works under: when to look at its processor time first, and the end of it."""

    looks_at: float = math.inf
    ends_at: float = math.inf


_thread = _Thread()


@contextmanager
def time_limit() -> Iterator[None]:
    """Let `check_time` raise once the time of the block is used up; one inside it shares that."""
    if _thread.looks_at != math.inf:
        yield
        return
    _thread.looks_at = time.monotonic() + TIME_LIMIT_SECONDS
    try:
        yield
    finally:
        _thread.looks_at = _thread.ends_at = math.inf


def check_time() -> None:
    """Raise OverflowError where this thread's time is used up.

    Processor time is slow to ask for, and never runs faster than the clock on the wall: it is looked at, and
    counts, from when that much has passed there.
    """
    if time.monotonic() < _thread.looks_at:
        return
    if _thread.ends_at == math.inf:
        _thread.ends_at = time.thread_time() + TIME_LIMIT_SECONDS
    elif time.thread_time() > _thread.ends_at:
        raise OverflowError(f"takes more than {TIME_LIMIT_SECONDS:g} s of processor time; make it simpler")


def timed(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the items, the time checked before each."""
    for item in items:
        check_time()
        yield item


def within_size(value: Any) -> Any:
    """Return the value; raises OverflowError where it is too large to be printed or passed on."""
    if isinstance(value, str | bytes):
        size = len(value)
    elif isinstance(value, dict | list | tuple | set | range):
        size = _size(value)
    else:
        return value
    if size > SIZE_LIMIT:
        raise OverflowError(f"makes something larger than {SIZE_LIMIT // 1024**2} MiB on its way")
    return value


def check_growth(value: Any, arguments: Iterable[Any]) -> None:
    """Raise OverflowError where a value that is repeated as its arguments say may become too large."""
    size = 1 if isinstance(value, int | float) else max(_size(value), 1)
    for argument in arguments:
        size *= max(_amount(argument), 1)
    if size > SIZE_LIMIT:
        raise OverflowError("the result may be too long")


def check_product(left: int, right: int) -> None:
    """Raise OverflowError where a product of whole numbers has too many digits."""
    if left.bit_length() + right.bit_length() > BITS_LIMIT:
        raise OverflowError("the result of * is too large")


def check_percent_format(text: str) -> None:
    """Raise OverflowError where a format for `%` pads to a width that is huge or given from outside."""
    if any(_WIDE.search(directive) for directive in _PERCENT.findall(text)):
        raise OverflowError("a width in this format is too large")


def check_format(text: str) -> None:
    """Raise OverflowError where a format for `str.format` pads to a huge width or one given from outside."""
    if any(spec and _WIDE.search(spec) for _, _, spec, _ in string.Formatter().parse(text)):
        raise OverflowError("a width in this format is too large")


def _amount(argument: Any) -> int:
    return min(abs(int(argument)), SIZE_LIMIT + 1) if _is_number(argument) else _size(argument)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) or (isinstance(value, float) and abs(value) < 1e18)


def _size(value: Any) -> int:
    """Return the number of characters and values in it, counted no further than what is too much."""
    size, waiting = 0, [value]
    while waiting and size <= SIZE_LIMIT:
        part = waiting.pop()
        size += 1
        if isinstance(part, str | bytes | range):
            size += len(part)
        elif isinstance(part, Mapping):
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, list | tuple | set):
            size += len(part)
            if size <= SIZE_LIMIT:
                waiting.extend(part)
    return size
