"""The threads in which a worker's attempts are made."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class ThreadPool:
    """Threads that render and send; unlike those of the library, one that hangs lets its process end."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job as soon as a thread is free; it raises nothing."""
        if len(self._threads) < self._size:
            self._threads.append(threading.Thread(target=self._run, name="send", daemon=True))
            self._threads[-1].start()
        self._jobs.put(job)

    def close(self) -> None:
        """Let the threads end once they have done what they are at."""
        for _ in self._threads:
            self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
