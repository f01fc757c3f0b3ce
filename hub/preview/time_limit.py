"""A limit on the processor time of a user's regular expression."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LIMIT_SECONDS = 1.0


class TimeLimitExceeded(Exception):
    """The block was left before its end."""


@contextmanager
def time_limit(seconds: float = LIMIT_SECONDS) -> Iterator[None]:
    """Raise TimeLimitExceeded once so much processor time has gone into the block; for the main thread alone.

    Python's `re` has no limit of its own, but it looks for signals while it goes back and forth.
    """

    def stop(_: int, __: FrameType | None) -> None:
        raise TimeLimitExceeded

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
