"""psycopg's connections, bounded in time, and a way to run many statements in one round trip.

Imported where a PostgreSQL is connected to: its driver is an extra.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.generators import execute, fetch_many, send
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

_Key: TypeAlias = tuple[bytes, tuple[int, ...]]

ANSWER_SECONDS = 6
"""A server that was halted, or a network that takes bytes and passes none on, does not fail by itself."""

_PREPARED_AT_MOST = 200
"""So many statements of `exchange` are prepared, each at once: it is asked again, and to plan it takes longer
than to run it.
"""

_STALE = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.FeatureNotSupported)
"""What is prepared is gone, or no longer fits its table: it is to be prepared again."""

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

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._numbers = itertools.count()
        self._names: dict[_Key, bytes] = {}

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        began = time.monotonic()
        try:
            return super().wait(gen, interval=interval, timeout=timeout or self.answer_seconds)
        except psycopg.OperationalError:
            if self.answer_seconds and time.monotonic() - began >= self.answer_seconds:
                self.pgconn.finish()
            raise

    def exchange(self, statements: Sequence[tuple[str, Any]]) -> list[list[tuple[Any, ...]]]:
        """Run statements, with psycopg's placeholders, in one round trip; returns the rows of each.

        Where no transaction is under way it is one, all of it. Nothing is run after the first that fails,
        whose error is raised.

        psycopg's own pipeline takes longer, sends each statement by itself, and asks the server to flush
        behind the Sync. PostgreSQL times an idle transaction from its answer to a Sync until the next
        message: a process halted then would keep its locks for ever.
        """
        asked = [_Asked(self, sql, values) for sql, values in statements]
        if len(asked) == 1 and asked[0].key in self._names:
            # A pipeline of one gains nothing, and takes longer.
            return [self._exchanged_alone(asked[0])]
        self.pgconn.enter_pipeline_mode()
        try:
            steps = [step for each in asked for step in self._send(each)]
            self.pgconn.pipeline_sync()
            results = self.wait(_results_of(self.pgconn, len(steps)))
            self.pgconn.exit_pipeline_mode()
        except BaseException:
            # Whoever used it next would read the answers to these.
            self.pgconn.finish()
            raise
        rows = []
        for number, ((each, prepares), result) in enumerate(zip(steps, results, strict=True)):
            if result.status == ExecStatus.FATAL_ERROR:
                for later, was_to_be in steps[number:]:
                    if was_to_be:
                        del self._names[later.key]
                raise self._error(result)
            if not prepares:
                rows.append(each.rows(result))
        return rows

    def _exchanged_alone(self, asked: _Asked) -> list[tuple[Any, ...]]:
        self.pgconn.send_query_prepared(self._names[asked.key], asked.parameters, asked.formats)
        (result,) = self.wait(execute(self.pgconn))
        if result.status == ExecStatus.FATAL_ERROR:
            raise self._error(result)
        return asked.rows(result)

    def _error(self, result: PGresult) -> psycopg.Error:
        error = psycopg.errors.error_from_result(result, encoding=self.info.encoding)
        if isinstance(error, _STALE):
            self._names.clear()
        return error

    def _send(self, asked: _Asked) -> Iterator[tuple[_Asked, bool]]:
        """Put it on its way, and what prepares it before, where it is new.

        Yields each that will have a result, and whether it only prepares.
        """
        name = self._names.get(asked.key)
        if name is None and self.is_direct and len(self._names) < _PREPARED_AT_MOST:
            name = self._names[asked.key] = b"hub_%d" % next(self._numbers)
            self.pgconn.send_prepare(name, *asked.key)
            yield asked, True
        if name is None:
            sql, types = asked.key
            self.pgconn.send_query_params(sql, asked.parameters, types, asked.formats)
        else:
            self.pgconn.send_query_prepared(name, asked.parameters, asked.formats)
        yield asked, False

    def plans_are_old(self) -> bool:
        """Whether it is time to discard them; then they count as new."""
        now = time.monotonic()
        is_time = now - self._planned_at > _PLANS_KEPT_SECONDS
        self._planned_at = now if is_time else self._planned_at
        return is_time


class _Asked:
    """A statement with its parameters as the server takes them; `key` is what it is prepared by."""

    def __init__(self, connection: Connection, sql: str, values: Any) -> None:
        text, names = _numbered(sql)
        given = [values[name] for name in names] if names else values or ()
        self._transformer = Transformer(connection)
        self.parameters = self._transformer.dump_sequence(given, [PyFormat.AUTO] * len(given))
        self.formats = self._transformer.formats or ()
        self.key: _Key = (text, self._transformer.types or ())

    def rows(self, result: PGresult) -> list[tuple[Any, ...]]:
        self._transformer.set_pgresult(result)
        return self._transformer.load_rows(0, result.ntuples, tuple)


@lru_cache(maxsize=1000)
def _numbered(sql: str) -> tuple[bytes, list[str]]:
    """The statement with placeholders as the server numbers them, and their names where they have any."""
    names: list[str] = []
    numbers = itertools.count(1)

    def number(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "%" if found[0] == "%%" else f"${next(numbers)}"
        if found["name"] not in names:
            names.append(found["name"])
        return f"${names.index(found['name']) + 1}"

    return re.sub(r"%(?:%|s|\((?P<name>\w+)\)s)", number, sql).encode(), names


def _results_of(connection: PGconn, count: int) -> Generator[Any, Any, list[PGresult]]:
    """Send what waits, and read so many results and that of the Sync."""
    yield from send(connection)
    results = []
    for _ in range(count):
        results += yield from fetch_many(connection)
    yield from fetch_many(connection)
    return results


def connect(*arguments: Any, settings: Mapping[str, str], **named: Any) -> Connection:
    """A connection; where it is direct, with these settings and with prepared statements.

    psycopg prepares none by itself, for with its own it would now and then discard all there are.

    A pooler gives its clients a process number of its own, because it lends them one server process after
    the other. What one of them was told is not known to the next.
    """
    connection = Connection.connect(*arguments, prepare_threshold=None, **named)
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.is_direct = row is not None and row[0] == connection.info.backend_pid
    if connection.is_direct:
        calls = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
        connection.execute(f"SELECT {calls}")
    connection.commit()
    return connection
