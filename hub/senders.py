"""The threads in which a worker renders and sends, and where they leave what they finished."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from hub.destinations.base import Destination, find_destination
from hub.models import Claim, DestinationConfig, Settlement
from hub.plan import News, Sent


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
    """Where sender threads leave what they finished; whoever waits for it is woken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._news = News()

    def ring(self) -> None:
        self._bell.set()

    def wait(self, seconds: float) -> None:
        """Return when something was put here or somebody rang, at the latest after `seconds`."""
        self._bell.wait(seconds)

    def gather(self, count: int, seconds: float) -> None:
        """Return when `count` things are here, at the latest after `seconds`."""
        ends = time.monotonic() + seconds
        while self._count() < count and (left := ends - time.monotonic()) > 0:
            self._bell.clear()
            if self._count() < count:
                self._bell.wait(left)

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
        self._bell.set()

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
        self._bell.clear()
        with self._lock:
            news, self._news = self._news, News()
            return news


class Places:
    """Destinations ready to send, one for each configuration; connections stay open between attempts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[DestinationConfig, Destination]] = {}

    def type_of(self, config: DestinationConfig) -> type[Destination]:
        found = find_destination(config.type)
        if found is None:
            raise LookupError(f"no destination type {config.type}: the configuration was not checked")
        return found

    def place(self, config: DestinationConfig) -> Destination:
        with self._lock:
            known = self._open.get(config.name)
            if known is None or known[0] is not config:
                # One that an attempt still uses is not closed here; it goes with its last user.
                known = (config, self.type_of(config)(config.options, config.name))  # type: ignore[arg-type]
                self._open[config.name] = known
            return known[1]

    def close(self) -> None:
        for _, place in self._open.values():
            place.close()
