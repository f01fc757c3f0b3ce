"""psycopg's connections, bounded in time, with prepared statements and pipelines that are safe to halt in.

Imported where a PostgreSQL is connected to: its driver is an extra.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.generators import send

ANSWER_SECONDS = 6
"""A server that was halted, or a network that takes bytes and passes none on, does not fail by itself."""

_PREPARED_AFTER = 3
"""A statement that ran so often on a connection is prepared: to plan it takes longer than to run it."""

_PLANS_KEPT_SECONDS = 1.0
"""The server keeps the plan of a prepared statement until its statistics change. One that was made for an
empty table would serve while a full one is drained.
"""


class Connection(psycopg.Connection[Any]):
    """One on which nothing waits longer than `answer_seconds` for an answer; None waits for ever."""

    answer_seconds: float | None = ANSWER_SECONDS
    is_direct = False
    """Whether the server itself is at the other end, and no pooler: it keeps what a session is told."""

    _planned_at = float("-inf")

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        began = time.monotonic()
        try:
            return super().wait(gen, interval=interval, timeout=timeout or self.answer_seconds)
        except psycopg.OperationalError:
            if self.answer_seconds and time.monotonic() - began >= self.answer_seconds:
                self.pgconn.finish()
            raise

    @contextmanager
    def pipeline(self) -> Iterator[psycopg.Pipeline]:
        """What is executed within goes in one round trip; it has its results at the end of the block."""
        with self._run(_Pipeline(self)) as pipeline:
            yield pipeline

    @contextmanager
    def _pipeline_nolock(self) -> Iterator[psycopg.Pipeline]:
        """The same within `executemany`."""
        with self._run(_Pipeline(self, _no_lock=True)) as pipeline:
            yield pipeline

    @contextmanager
    def _run(self, pipeline: psycopg.Pipeline) -> Iterator[psycopg.Pipeline]:
        self._pipeline = pipeline
        try:
            with pipeline:
                yield pipeline
        finally:
            self._pipeline = None

    def plans_are_old(self) -> bool:
        """Whether it is time to discard them; then they count as new."""
        now = time.monotonic()
        is_time = now - self._planned_at > _PLANS_KEPT_SECONDS
        self._planned_at = now if is_time else self._planned_at
        return is_time


class _Pipeline(psycopg.Pipeline):
    """Everything goes at once, at the end, and nothing follows the Sync there.

    psycopg sends each statement by itself: for each the server is woken, and reads and answers it, which
    takes longer than most statements do.

    PostgreSQL times an idle transaction from its answer to a Sync until the next message. psycopg sends a
    request to flush behind it, which has no answer: a process halted then would keep its locks for ever.
    """

    def _communicate_gen(self) -> Any:
        if self._is_at_its_end():
            yield from self._send_gen()

    def _fetch_gen(self, *, flush: bool) -> Any:
        is_at_its_end = self._is_at_its_end()
        if not is_at_its_end:
            yield from self._send_gen()
        yield from super()._fetch_gen(flush=flush and not is_at_its_end)

    def _send_gen(self) -> Any:
        while self.command_queue:
            self.command_queue.popleft()()
        yield from send(self.pgconn)

    def _is_at_its_end(self) -> bool:
        """Whether the last that it waits for is a Sync's answer."""
        return bool(self.result_queue) and self.result_queue[-1] is None


def connect(*arguments: Any, settings: Mapping[str, str], **named: Any) -> Connection:
    """A connection; where it is direct, with these settings and with prepared statements.

    A pooler gives its clients a process number of its own, because it lends them one server process after
    the other. What one of them was told is not known to the next.
    """
    connection = Connection.connect(*arguments, **named)
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.is_direct = row is not None and row[0] == connection.info.backend_pid
    if connection.is_direct:
        connection.prepare_threshold = _PREPARED_AFTER
        calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
        connection.execute(f"SELECT {calls}")
    connection.commit()
    return connection
