"""psycopg's connections, bounded in time, with prepared statements and pipelines that are safe to halt in.

Imported where a PostgreSQL is connected to: its driver is an extra.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.generators import send

ANSWER_SECONDS = 6
"""A server that was halted, or a network that takes bytes and passes none on, does not fail by itself."""

_PREPARED_AFTER = 3
"""A statement that ran so often on a connection is not planned again, which takes longer than running it."""


class Connection(psycopg.Connection[Any]):
    """One on which nothing waits longer than `answer_seconds` for an answer; None waits for ever."""

    answer_seconds: float | None = ANSWER_SECONDS

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
        self._pipeline = _Pipeline(self)
        try:
            with self._pipeline as pipeline:
                yield pipeline
        finally:
            self._pipeline = None


class _Pipeline(psycopg.Pipeline):
    """Nothing follows the Sync at its end.

    PostgreSQL times an idle transaction from its answer to a Sync until the next message. psycopg sends a
    request to flush behind it, which has no answer: a process halted then would keep its locks for ever.
    """

    def _fetch_gen(self, *, flush: bool) -> Any:
        if flush:
            # What the socket did not take at once still has to go.
            yield from send(self.pgconn)
        yield from super()._fetch_gen(flush=False)


def connect(*arguments: Any, **named: Any) -> Connection:
    """A connection, prepared statements on it where they can be."""
    connection = Connection.connect(*arguments, **named)
    if _is_direct(connection):
        connection.prepare_threshold = _PREPARED_AFTER
    return connection


def _is_direct(connection: Connection) -> bool:
    """Whether the server itself is at the other end.

    A pooler gives its clients a process number of its own, because it lends them one server process after
    the other. A statement that was prepared on one of them is not known to the next.
    """
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.rollback()
    return row is not None and row[0] == connection.info.backend_pid
