"""Wakes the workers of a PostgreSQL where something may be due, about once a pause."""

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
    """Sends a NOTIFY once per pause: with something that is committed, or alone when the pause ends.

    One stands for every wake-up that was asked for before it began, because what those are about was
    committed by then.
    """

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._is_asked = threading.Event()
        self._closed = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = self._answered = 0
        self._began_at, self._pause = float("-inf"), PAUSE_SECONDS

    def begin(self, count: int) -> int | None:
        """Begin a NOTIFY that goes with the commit of so many events, and a pause; None within one.

        Returns how many wake-ups it stands for, to be handed to `committed`.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._began_at < self._pause:
                return None
            self._began_at = now
            self._pause = min(PAUSE_SECONDS * count, LONGEST_PAUSE_SECONDS)
            return self._asked

    def committed(self, asked: int) -> None:
        """Note that the workers heard of the first so many wake-ups."""
        with self._lock:
            self._answered = max(self._answered, asked)

    def ask(self) -> None:
        """Wake for what is committed by now: once the pause ends, if nothing else did until then."""
        with self._lock:
            self._asked += 1
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="wake", daemon=True)
                self._thread.start()
        self._is_asked.set()

    def close(self) -> None:
        """End the thread that waits for pauses to end."""
        self._closed = True
        self._is_asked.set()
        if self._thread is not None:
            self._thread.join(timeout=1)

    def _run(self) -> None:
        while not self._closed:
            self._is_asked.wait()
            self._is_asked.clear()
            # Once more for one that went along meanwhile and has yet to be committed.
            for _ in range(2):
                time.sleep(max(self._goes_alone_at() - time.monotonic(), 0))
            with self._lock:
                asked = self._asked
                if self._closed or self._answered >= asked:
                    continue
                self._began_at = time.monotonic()
            # Workers look by themselves too; a wake-up that fails costs a moment, not an event.
            with contextlib.suppress(Exception):
                self._notify()
                self.committed(asked)

    def _goes_alone_at(self) -> float:
        """After the pause; where many come together the next of them goes first."""
        ends_at = self._began_at + self._pause
        return ends_at if self._pause <= PAUSE_SECONDS else ends_at + PAUSE_SECONDS
