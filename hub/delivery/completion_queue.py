"""The queue in which threads leave what they completed, and what wakes the worker that waits for it."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Iterable

from hub.delivery.batch import Completion
from hub.store.store import Listener


class CompletionQueue:
    """Completions, in the order in which they came; the one thread that waits for them is woken.

    Of several of one claim the first counts: at a stop its attempt is given up that may have just ended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Readable while there is something to take, so that it can be waited for together with a listener.
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._is_woken = False
        self._completions: dict[tuple[str, str], Completion] = {}

    def wake(self) -> None:
        """Wake whoever waits. Safe to call from a signal handler."""
        if not self._is_woken:
            self._is_woken = True
            with contextlib.suppress(OSError):
                # Nobody waits any more.
                self._writer.send(b"!")

    def put(self, completion: Completion) -> None:
        """Add a completion, and wake."""
        with self._lock:
            self._completions.setdefault((completion.claim.id, completion.claim.token), completion)
        self.wake()

    def put_back(self, completions: Iterable[Completion]) -> None:
        """Add completions without waking anybody."""
        with self._lock:
            for completion in completions:
                self._completions.setdefault((completion.claim.id, completion.claim.token), completion)

    def take(self) -> tuple[Completion, ...]:
        """Remove and return everything that is here; what comes after wakes again."""
        self._clear()
        with self._lock:
            completions, self._completions = self._completions, {}
        return tuple(completions.values())

    def wait(self, seconds: float, listener: Listener | None = None) -> None:
        """Return when something was put here, somebody woke or the listener heard something.

        At the latest that is after `seconds`.
        """
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        number = listener.fileno() if listener else None
        if number is not None:
            poll.register(number, select.POLLIN)
        ready = [descriptor for descriptor, _ in poll.poll(seconds * 1000)]
        if listener and number in ready:
            listener.hear()

    def gather(self, count: int, seconds: float) -> None:
        """Return when `count` completions are here, at the latest after `seconds`."""
        ends_at = time.monotonic() + seconds
        while len(self._completions) < count and (remaining := ends_at - time.monotonic()) > 0:
            self._clear()
            if len(self._completions) < count:
                self.wait(remaining)

    def close(self) -> None:
        """Let go of the sockets."""
        self._reader.close()
        self._writer.close()

    def _clear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._reader.recv(16)
        self._is_woken = False
