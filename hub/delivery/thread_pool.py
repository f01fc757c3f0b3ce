"""The threads in which a worker renders and sends, and where they leave what they finished."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from queue import SimpleQueue

from hub.delivery.batch import News, Sent
from hub.model.delivery import Claim, Settlement
from hub.store.store import Listener


class Senders:
    """Threads that render and send; unlike an executor's, one that hangs lets its process end."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, work: Callable[[], None]) -> None:
        """Do some work as soon as a thread is free; it raises nothing."""
        if len(self._threads) < self._count:
            self._threads.append(threading.Thread(target=self._run, name="send", daemon=True))
            self._threads[-1].start()
        self._jobs.put(work)

    def close(self) -> None:
        """Let the threads end once they have done what they are at."""
        for _ in self._threads:
            self._jobs.put(None)

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            work()


class Inbox:
    """Where sender threads leave what they finished; the one thread that waits for it is woken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # It rings while there is something to read, so that it can be waited for together with a listener.
        self._bell, self._button = socket.socketpair()
        self._bell.setblocking(False)
        self._button.setblocking(False)
        self._is_rung = False
        self._news = News()
        self._wakes: list[Collection[str]] = []

    def ring(self, due: Collection[str] = ()) -> None:
        """Wake whoever waits, for destinations that something is due for, or for whatever there is.

        Safe to call from a signal handler.
        """
        self._wakes.append(due)
        if not self._is_rung:
            self._is_rung = True
            with contextlib.suppress(OSError):
                # Nobody waits any more.
                self._button.send(b"!")

    def wait(self, seconds: float, listener: Listener | None = None) -> None:
        """Return when something was put here, somebody rang or the listener heard something.

        At the latest that is after `seconds`.
        """
        waiting = select.poll()
        waiting.register(self._bell, select.POLLIN)
        number = listener.fileno() if listener else None
        if number is not None:
            waiting.register(number, select.POLLIN)
        ready = [each for each, _ in waiting.poll(seconds * 1000)]
        if listener and number in ready:
            listener.hear()

    def gather(self, count: int, seconds: float) -> None:
        """Return when `count` things are here, at the latest after `seconds`."""
        ends = time.monotonic() + seconds
        while self._count() < count and (left := ends - time.monotonic()) > 0:
            self._silence()
            if self._count() < count:
                self.wait(left)

    def _count(self) -> int:
        return len(self._news.rendered) + len(self._news.sent) + len(self._news.settled)

    def put(
        self, *, rendered: Claim | None = None, sent: Sent | None = None, settled: Settlement | None = None
    ) -> None:
        self.put_back(
            News(
                rendered=(rendered,) if rendered else (),
                sent=(sent,) if sent else (),
                settled=(settled,) if settled else (),
            )
        )
        self.ring()

    def put_back(self, news: News) -> None:
        """Add news without waking anybody."""
        with self._lock:
            self._news = News(
                rendered=self._news.rendered + news.rendered,
                sent=self._news.sent + news.sent,
                settled=self._news.settled + news.settled,
            )

    def take(self) -> News:
        """Everything that is here; it rings again for what comes after."""
        self._silence()
        with self._lock:
            news, self._news = self._news, News()
            wakes, self._wakes = self._wakes, []
        named = [name for due in wakes for name in due]
        known = all(wakes) and len(set(named)) == len(named)
        return replace(news, due=frozenset(named)) if known else news

    def close(self) -> None:
        self._bell.close()
        self._button.close()

    def _silence(self) -> None:
        """For who looks at what is here next: what comes after that rings again."""
        with contextlib.suppress(BlockingIOError):
            self._bell.recv(16)
        self._is_rung = False
