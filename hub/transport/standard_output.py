"""Standard output under a wall clock: what is not read there holds no thread for longer than its attempt."""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from typing import TextIO

from hub.errors import Retry, Unknown

WRITE_BYTES = 4096
"""A pipe that has room takes as much without waiting."""

_printing = threading.Lock()


def print_within(seconds: float, line: str) -> None:
    """Print a whole line. Raises Retry where nothing of it was taken in time, Unknown where a part was."""
    ends_at = time.monotonic() + seconds
    if not _printing.acquire(timeout=seconds):
        raise _unread(began=False)
    try:
        _write(sys.stdout, line + "\n", ends_at)
    except (OSError, ValueError) as error:
        raise Retry("standard output is closed") from error
    finally:
        _printing.release()


def _write(stream: TextIO, text: str, ends_at: float) -> None:
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        # It has none in tests, or is closed, which the writing says.
        print(text, end="", file=stream, flush=True)
        return
    rest = memoryview(text.encode(stream.encoding or "utf-8", "replace"))
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    began = False
    while rest:
        if not room.poll(max(ends_at - time.monotonic(), 0) * 1000):
            raise _unread(began=began)
        rest = rest[os.write(descriptor, rest[:WRITE_BYTES]) :]
        began = True


def _unread(*, began: bool) -> Retry | Unknown:
    reason = "standard output is not read"
    return Unknown(f"{reason}: a part of the line was taken") if began else Retry(reason)
