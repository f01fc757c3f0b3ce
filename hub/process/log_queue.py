"""The way of log lines to standard error: a bounded queue and one thread, and no reader stops the hub."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator

LIMIT_CHARACTERS = 4 * 1024 * 1024
"""What may wait for a reader, and as much again is being written: some twenty thousand lines."""

GATHER_SECONDS = 0.02
"""The time between two writes, in which lines gather: many of them cost one write."""

WRITE_BYTES = 4096
"""A pipe takes so many at once or not at all: lines of processes that share one do not cut each other."""

FLUSH_SECONDS = 1.0
"""The longest that the end of a process waits for its last lines to be taken."""


class QueuedStream(io.TextIOBase):
    """A text stream over a descriptor whose writers never wait, in any process that is forked from this one.

    What does not fit or cannot be written is dropped, counted, and told by `dropped_line` once it can be.
    """

    def __init__(
        self, descriptor: int, dropped_line: Callable[[int], str], limit_characters: int = LIMIT_CHARACTERS
    ) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._dropped_line = dropped_line
        self._limit = limit_characters
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Begin with nothing: what waited when a child was forked is written by its parent."""
        # Of a lock that the same thread may take again: a signal's handler may log in the middle of a line.
        self._changed = threading.Condition(threading.RLock())
        self._texts: list[str] = []
        self._size = self._dropped = 0
        self._is_writing = False
        self._thread: threading.Thread | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("a text stream takes text")
        with self._changed:
            # From the first that is dropped on all are, so that what was kept has no gaps.
            if self._dropped or self._size + len(text) > self._limit:
                self._dropped += text.count("\n")
                return len(text)
            self._texts.append(text)
            self._size += len(text)
            if self._thread is None:
                self._start()
            self._changed.notify()
        return len(text)

    def drain(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until all is written, but no longer than that."""
        with self._changed:
            self._changed.wait_for(lambda: not self._texts and not self._is_writing, seconds)

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # They are for the main thread, which may be waiting for one.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        lost = 0
        while True:
            texts, dropped = self._take()
            lost += dropped + sum(lines for data, lines in _pieces(texts) if not self._put(data))
            if lost and self._put(self._dropped_line(lost).encode()):
                lost = 0
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
            time.sleep(GATHER_SECONDS)

    def _take(self) -> tuple[list[str], int]:
        """Wait for texts; return them and how many lines did not fit after them."""
        with self._changed:
            self._changed.wait_for(lambda: self._texts)
            taken = self._texts, self._dropped
            self._texts, self._size, self._dropped = [], 0, 0
            self._is_writing = True
            return taken

    def _put(self, data: bytes) -> bool:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                # Another program made what we share with it non-blocking.
                select.select([], [self._descriptor], [])
            except OSError:
                return False
        return True


def _pieces(texts: Iterable[str]) -> Iterator[tuple[bytes, int]]:
    """Yield texts as bytes to be written at once, and how many lines these are; none is cut."""
    piece = bytearray()
    for text in texts:
        data = text.encode("utf-8", "backslashreplace")
        if piece and len(piece) + len(data) > WRITE_BYTES:
            yield bytes(piece), piece.count(b"\n")
            piece.clear()
        piece += data
    yield bytes(piece), piece.count(b"\n")


def queue_standard_error(dropped_line: Callable[[int], str]) -> None:
    """Let all that is written to `sys.stderr` go by a queue: log, libraries, warnings, tracebacks.

    A stream without a descriptor, which only tests have, stays as it is.
    """
    with contextlib.suppress(OSError):
        sys.stderr = QueuedStream(sys.stderr.fileno(), dropped_line)
        atexit.register(drain_log)


def drain_log() -> None:
    """Wait for the last lines of a process that ends, `FLUSH_SECONDS` at most."""
    if isinstance(sys.stderr, QueuedStream):
        sys.stderr.drain()


def end_process(status: int) -> None:
    """End this process at once, but for the last lines of its log."""
    drain_log()
    os._exit(status)
