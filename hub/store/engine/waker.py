"""Wake-ups for the workers of a PostgreSQL: many requests become one NOTIFY a pause."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.005, 0.02
"""A NOTIFY makes commits queue for one lock, so many wake-ups become one: the more arrives together, the
longer the pause is.
"""


class Waker:
    """A sender of one NOTIFY per pause: with something that is committed, or alone when the pause ends.

    It stands for every wake-up that was requested before it began: their rows were committed by then.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._has_requests = threading.Event()
        self._closed = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._requested = self._served = 0
        self._began_at, self._pause = float("-inf"), PAUSE_SECONDS

    def begin(self, count: int) -> int | None:
        """Begin a NOTIFY that goes with the commit of so many events, and a pause; None within one.

        Returns the number of wake-ups that it stands for, for `committed`.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._began_at < self._pause:
                return None
            self._began_at = now
            self._pause = min(PAUSE_SECONDS * count, LONGEST_PAUSE_SECONDS)
            return self._requested

    def committed(self, requested: int) -> None:
        """Note that the first so many wake-ups have reached the workers."""
        with self._lock:
            self._served = max(self._served, requested)

    def request(self) -> None:
        """Request a wake-up for what is committed by now: it goes when the pause ends, or with another."""
        with self._lock:
            self._requested += 1
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="wake", daemon=True)
                self._thread.start()
        self._has_requests.set()

    def close(self) -> None:
        """End the thread that waits for pauses to end."""
        self._closed = True
        self._has_requests.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._closed:
            self._has_requests.wait()
            self._has_requests.clear()
            # Once more for one that went along meanwhile and has yet to be committed.
            for _ in range(2):
                time.sleep(max(self._goes_alone_at() - time.monotonic(), 0))
            with self._lock:
                requested = self._requested
                if self._closed or self._served >= requested:
                    continue
                self._began_at = time.monotonic()
            # Workers look by themselves too; a wake-up that fails costs a moment, not an event.
            with contextlib.suppress(Exception):
                self._notify()
                self.committed(requested)

    def _goes_alone_at(self) -> float:
        """Return the time after the pause; where many come together, the next of them goes first."""
        ends_at = self._began_at + self._pause
        return ends_at if self._pause <= PAUSE_SECONDS else ends_at + PAUSE_SECONDS
