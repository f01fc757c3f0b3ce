"""The messages a test server received, and a way to wait for them that needs no sleep."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from servers.program import PATIENCE_SECONDS

T = TypeVar("T")


class Inbox(Generic[T]):
    """Messages in the order of their arrival; filled by a server's threads, read by anybody.

    `on_arrival` is called with each, after it was added, in the server's thread.
    """

    def __init__(self, on_arrival: Callable[[T], None] | None = None) -> None:
        self._items: list[T] = []
        self._changed = threading.Condition()
        self._on_arrival = on_arrival

    def add(self, item: T) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()
        if self._on_arrival is not None:
            self._on_arrival(item)

    def replace(self, old: T, new: T) -> None:
        """Put `new` where `old` stood."""
        with self._changed:
            self._items[self._items.index(old)] = new
            self._changed.notify_all()

    def all(self) -> list[T]:
        with self._changed:
            return list(self._items)

    def clear(self) -> None:
        with self._changed:
            self._items.clear()

    def wait_for(self, count: int, seconds: float = PATIENCE_SECONDS) -> list[T]:
        """Return all, as soon as there are `count`; raise TimeoutError after `seconds`."""
        return self.wait_until(lambda items: len(items) >= count, f"{count} to arrive", seconds)

    def wait_until(
        self, condition: Callable[[list[T]], bool], goal: str, seconds: float = PATIENCE_SECONDS
    ) -> list[T]:
        """Return all, as soon as `condition` holds for them; raise TimeoutError after `seconds`."""
        with self._changed:
            if not self._changed.wait_for(lambda: condition(self._items), seconds):
                raise TimeoutError(f"waited {seconds:g} s for {goal}; {len(self._items)} arrived")
            return list(self._items)
