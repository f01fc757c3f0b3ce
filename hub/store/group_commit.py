"""Many writes, one commit: one fsync serves all who ask at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from hub.errors import StoreUnavailable

T = TypeVar("T")
W = TypeVar("W")

GROUP_LIMIT = 64
"""So many writes at most share one commit: it bounds how long the first of them waits."""

PATIENCE_SECONDS, COMMIT_SECONDS = 3.0, 9.0
"""How long a write waits for its turn, and how long then for its commit: a sender hears 503 within 15 s."""


class Collided(StoreUnavailable):
    """Two transactions wait for each other and the database ended this one: it may work at once."""


class _Job(Generic[W, T]):
    """One thing that waits to be committed; `turn` is free once it is, or once its thread `leads`."""

    def __init__(self, what: W) -> None:
        self.what = what
        self.leads = False
        self.turn = threading.Lock()
        self.turn.acquire()
        self.done = False
        self.result: T | None = None
        self.error: BaseException | None = None


class GroupCommit(Generic[W, T]):
    """Commits together what is asked for together: one thread leads and does it for all who wait.

    `commit` does a whole group in one transaction and returns a result for each. One fsync serves them all,
    and threads queue within the process instead of fighting for the database's lock. Each waits for a lock
    of its own: behind a common one, those already served would stand in the way of the next who leads.

    What waits longer than `patience_seconds` for its turn is withdrawn. What a leader has taken may be
    committed after its thread gave up waiting: whoever asks again must find that it is known.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[W]], Sequence[T]],
        patience_seconds: float = PATIENCE_SECONDS,
        commit_seconds: float = COMMIT_SECONDS,
    ) -> None:
        self._commit = commit
        self._patience_seconds = patience_seconds
        self._commit_seconds = commit_seconds
        self._queueing = threading.Lock()
        self._waiting: list[_Job[W, T]] = []
        self._is_led = False

    def run(self, what: W) -> T:
        job: _Job[W, T] = _Job(what)
        with self._queueing:
            self._waiting.append(job)
            job.leads, self._is_led = not self._is_led, True
        if not job.leads:
            self._wait(job)
        if not job.done:
            self._lead()
        if job.error is not None:
            raise job.error
        return job.result  # type: ignore[return-value]  # done without an error: it is a T

    def _wait(self, job: _Job[W, T]) -> None:
        """Return once it is done or is to lead; raise StoreUnavailable where that takes too long."""
        if job.turn.acquire(timeout=self._patience_seconds):
            return
        with self._queueing:
            if job in self._waiting and not job.leads:
                self._waiting.remove(job)
                raise StoreUnavailable("the database is too slow: a write waited too long for its turn")
        if not job.turn.acquire(timeout=self._commit_seconds):
            raise StoreUnavailable("the database does not answer: a commit takes too long")

    def _lead(self) -> None:
        """Commit for all who wait, this thread the first of them; then the first who came since leads."""
        with self._queueing:
            batch, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
        given_up: list[_Job[W, T]] = []
        try:
            self._commit_all(batch)
        finally:
            with self._queueing:
                if batch[0].error and _is_everybodys(batch[0].error):
                    given_up, self._waiting = self._waiting, []
                following = self._waiting[:1]
                self._is_led = bool(following)
                for job in following:
                    job.leads = True
            for job in given_up:
                # They have waited as long as a database that does not answer takes; no longer.
                job.error, job.done = batch[0].error, True
            for job in (*following, *batch, *given_up):
                job.turn.release()

    def _commit_all(self, batch: list[_Job[W, T]]) -> None:
        try:
            results = self._commit([job.what for job in batch])
        except BaseException as error:  # noqa: BLE001 - it is raised again in the threads that asked
            if len(batch) > 1 and not _is_everybodys(error):
                # One of them is at fault: each by itself, so that its neighbours do not fail with it.
                for job in batch:
                    self._commit_all([job])
                return
            for job in batch:
                job.error, job.done = error, True
        else:
            for job, result in zip(batch, results, strict=True):
                job.result, job.done = result, True


def _is_everybodys(error: BaseException | None) -> bool:
    """Whether whoever asked would have met it."""
    return isinstance(error, StoreUnavailable) and not isinstance(error, Collided)
