"""Group commit: one transaction, and one fsync, for all writes that arrive at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from hub.errors import StoreError, StoreUnavailable

T = TypeVar("T")
W = TypeVar("W")

GROUP_LIMIT = 64
"""The most writes that share one commit: it bounds the wait of the first of them."""

PATIENCE_SECONDS, COMMIT_SECONDS = 3.0, 9.0
"""The longest waits of a write, for its turn and then for its commit: a sender hears 503 within 15 s."""

CUT_SECONDS = 1.0
"""A connection that is found cut within so long is worth a second try; one that hung is not."""


class Collided(StoreUnavailable):
    """A transaction that the database ended because of another: a second try may work at once."""


class ConnectionCut(StoreUnavailable):
    """A connection that broke: nobody knows whether what was sent on it was committed."""


class _Job(Generic[W, T]):
    """A write that waits to be committed; `signal` is free once it is, or once its thread `leads`."""

    def __init__(self, write: W) -> None:
        self.write = write
        self.leads = False
        self.signal = threading.Lock()
        self.signal.acquire()
        self.is_done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class GroupCommit(Generic[W, T]):
    """Writes that are committed together: one thread leads and commits for all who wait.

    `commit`, the store's `_insert_all` for events and `_do_all` for other writes, does a whole group in one
    transaction and returns a result for each. One fsync serves them all, and threads queue within the process
    instead of fighting for the database's lock. Each waits for a lock of its own: behind a common one, those
    already served would stand in the way of the next who leads.

    Where a write `is_repeatable`, committed twice is committed once, so a group whose connection was cut is
    committed again on another.

    A write that waits longer than `patience_seconds` for its turn is withdrawn. One that a leader has taken
    may be committed after its thread gave up waiting: a second try must find that it is known.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[W]], Sequence[T]],
        patience_seconds: float = PATIENCE_SECONDS,
        commit_seconds: float = COMMIT_SECONDS,
        *,
        is_repeatable: bool = False,
    ) -> None:
        self._commit = commit
        self._is_repeatable = is_repeatable
        self._patience_seconds = patience_seconds
        self._commit_seconds = commit_seconds
        self._queueing = threading.Lock()
        self._waiting: list[_Job[W, T]] = []
        self._is_led = False

    def run(self, write: W) -> T:
        """Commit a write, with others or alone; return its result, or raise its error or StoreUnavailable."""
        job: _Job[W, T] = _Job(write)
        with self._queueing:
            self._waiting.append(job)
            job.leads, self._is_led = not self._is_led, True
        if not job.leads:
            self._wait(job)
        if not job.is_done:
            self._lead()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # done without an error: it is a T

    def _wait(self, job: _Job[W, T]) -> None:
        """Return once a write is committed or leads; raise StoreUnavailable where that takes too long."""
        if job.signal.acquire(timeout=self._patience_seconds):
            return
        with self._queueing:
            if job in self._waiting and not job.leads:
                self._waiting.remove(job)
                raise StoreUnavailable(
                    "the database is too slow", reason="a write waited too long for its turn"
                )
        if not job.signal.acquire(timeout=self._commit_seconds):
            raise StoreUnavailable("the database does not answer", reason="a commit takes too long")

    def _lead(self) -> None:
        """Commit for all who wait, this thread the first of them; then the first who came since leads."""
        with self._queueing:
            batch, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
        given_up: list[_Job[W, T]] = []
        try:
            self._commit_all(batch)
        finally:
            with self._queueing:
                if batch[0].error and _is_common(batch[0].error):
                    given_up, self._waiting = self._waiting, []
                following = self._waiting[:1]
                self._is_led = bool(following)
                for job in following:
                    job.leads = True
            for job in given_up:
                # They have waited as long as a database that does not answer takes: no longer.
                job.error, job.is_done = batch[0].error, True
            for job in (*following, *batch, *given_up):
                job.signal.release()

    def _commit_all(self, batch: list[_Job[W, T]], *, is_second: bool = False) -> None:
        began_at = time.monotonic()
        try:
            results = self._commit([job.write for job in batch])
        except BaseException as error:  # noqa: BLE001 - it is raised again in the threads that asked
            is_cut = isinstance(error, ConnectionCut) and time.monotonic() - began_at < CUT_SECONDS
            if self._is_repeatable and is_cut and not is_second:
                self._commit_all(batch, is_second=True)
                return
            if len(batch) > 1 and not _is_common(error):
                # One of them is at fault: each by itself, so that its neighbours do not fail with it.
                for job in batch:
                    self._commit_all([job])
                return
            for job in batch:
                job.error, job.is_done = error, True
        else:
            for job, result in zip(batch, results, strict=True):
                job.result, job.is_done = result, True


def _is_common(error: BaseException | None) -> bool:
    """Return True for an error that every write would have met."""
    return isinstance(error, StoreError) and not isinstance(error, Collided)
