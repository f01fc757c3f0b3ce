"""When the workers of a PostgreSQL are told that something may be due, and what."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.store.repositories.events import Arrival, named

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.005, 0.02
"""A NOTIFY makes commits queue for one lock, so many wake-ups become one: the more arrives together, the
longer the pause is.
"""


@dataclass(frozen=True)
class Notice:
    """A NOTIFY, and how many wake-ups were asked for before it began: it stands for them."""

    asked: int
    stands_for_others: bool

    def says(self, arrivals: Sequence[Arrival]) -> str:
        """For which destinations something is due; nothing where it is not for a lone arrival's alone."""
        return "" if self.stands_for_others or len(arrivals) > 1 else named(arrivals[0])


class Notifier:
    """Tells the workers about once per pause: with something that is committed, or alone when it ends."""

    def __init__(self, notify: Callable[[], None]) -> None:
        self._notify = notify
        self._rung = threading.Event()
        self._closed = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asked = self._told = 0
        self._began_at, self._pause = float("-inf"), PAUSE_SECONDS

    def take_along(self, count: int) -> Notice | None:
        """Begin a NOTIFY that is to be committed with so many arrivals, and a pause; None within one."""
        with self._lock:
            now = time.monotonic()
            if now - self._began_at < self._pause:
                return None
            self._began_at = now
            self._pause = min(PAUSE_SECONDS * count, LONGEST_PAUSE_SECONDS)
            return Notice(self._asked, self._told < self._asked)

    def was_committed(self, notice: Notice) -> None:
        """The workers heard of it."""
        with self._lock:
            self._told = max(self._told, notice.asked)

    def ask(self) -> None:
        """Tell of what is committed by now: once the pause ends, if nothing else did until then."""
        with self._lock:
            self._asked += 1
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
                self._thread.start()
        self._rung.set()

    def _run(self) -> None:
        while not self._closed:
            self._rung.wait()
            self._rung.clear()
            # Once more for one that went along meanwhile and has yet to be committed.
            for _ in range(2):
                time.sleep(max(self._goes_alone_at() - time.monotonic(), 0))
            with self._lock:
                notice = Notice(self._asked, self._told < self._asked)
                if self._closed or not notice.stands_for_others:
                    continue
                self._began_at = time.monotonic()
            # Workers look by themselves too; a wake-up that fails costs a moment, not an event.
            with contextlib.suppress(Exception):
                self._notify()
                self.was_committed(notice)

    def _goes_alone_at(self) -> float:
        """After the pause; where many come together the next of them goes first."""
        ends_at = self._began_at + self._pause
        return ends_at if self._pause <= PAUSE_SECONDS else ends_at + PAUSE_SECONDS

    def close(self) -> None:
        self._closed = True
        self._rung.set()
        if self._thread is not None:
            self._thread.join(timeout=1)
