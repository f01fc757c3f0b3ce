"""psycopg's connections, bounded in time, and many statements in one round trip: below its public interface.

It stands alone here because of one promise, that a process which is halted keeps no locks for longer than
seconds: PostgreSQL times an idle transaction from its answer to a Sync until the next message, and psycopg's
own pipeline sends one (a Flush) behind each Sync. It takes longer, too. Imported where a PostgreSQL is
connected to: its driver is an extra.
"""

from __future__ import annotations

import itertools
import select
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import psycopg
from psycopg.adapt import Transformer
from psycopg.generators import fetch_many, send
from psycopg.pq import Conninfo, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy.exc import InvalidatePoolError

from hub.store import failures

Value: TypeAlias = str | bytes | int | None
Statement: TypeAlias = tuple[bytes, Sequence[Value]]
"""A statement with `$1` for its first value. All but bytes go as text, and the server knows what it needs."""

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
    """True where the server itself is at the other end, and no pooler: it keeps what a session is told."""

    preamble: Sequence[bytes] = ()
    """What a transaction says first, because its session's settings may be somebody else's."""

    _planned_at = float("-inf")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._numbers = itertools.count()
        self._names: dict[bytes, bytes] = {}
        self._transformer = Transformer(self)

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        began = time.monotonic()
        try:
            return super().wait(gen, interval=interval, timeout=timeout or self.answer_seconds)
        except psycopg.OperationalError:
            if self.answer_seconds and time.monotonic() - began >= self.answer_seconds:
                self.pgconn.finish()
            raise

    def exchange(self, statements: Sequence[Statement]) -> list[list[tuple[Any, ...]]]:
        """Run statements in one round trip and return the rows of each.

        Where no transaction is under way it is one, all of it. Nothing is run after the first that fails,
        whose error is raised.
        """
        bound = [(statement, *_parameters(values)) for statement, values in statements]
        self.pgconn.enter_pipeline_mode()
        try:
            prepared = [was_new for statement in bound for was_new in self._send(*statement)]
            self.pgconn.pipeline_sync()
            results = self.wait(_results_of(self.pgconn, len(prepared)))
            self.pgconn.exit_pipeline_mode()
        except BaseException:
            # Whoever used it next would read the answers to these.
            self.pgconn.finish()
            raise
        rows = []
        for number, (new, result) in enumerate(zip(prepared, results, strict=True)):
            if result.status == ExecStatus.FATAL_ERROR:
                for later in filter(None, prepared[number:]):
                    del self._names[later]
                raise self._error(result)
            if new is None:
                self._transformer.set_pgresult(result)
                rows.append(self._transformer.load_rows(0, result.ntuples, tuple))
        return rows

    def _error(self, result: PGresult) -> psycopg.Error:
        error = psycopg.errors.error_from_result(result, encoding=self.info.encoding)
        if isinstance(error, _STALE):
            self._names.clear()
        return error

    def _send(
        self, statement: bytes, parameters: list[bytes | None], formats: list[int]
    ) -> Iterator[bytes | None]:
        """Put a statement on its way, and what prepares it before, where it is new.

        Yields once for each result that is to come: the statement that is prepared, or None for its answer.
        """
        name = self._names.get(statement)
        if name is None and self.is_direct and len(self._names) < _PREPARED_AT_MOST:
            name = self._names[statement] = b"hub_%d" % next(self._numbers)
            self.pgconn.send_prepare(name, statement)
            yield statement
        if name is None:
            self.pgconn.send_query_params(statement, parameters, None, formats)
        else:
            self.pgconn.send_query_prepared(name, parameters, formats)
        yield None

    def plans_are_old(self) -> bool:
        """Return True where it is time to discard them; then they count as new."""
        now = time.monotonic()
        is_time = now - self._planned_at > _PLANS_KEPT_SECONDS
        self._planned_at = now if is_time else self._planned_at
        return is_time


def _parameters(values: Sequence[Value]) -> tuple[list[bytes | None], list[int]]:
    """Return values as the server takes them, and the format of each: 1 is binary.

    Raises DataError for a text with NUL, where the server would take it to end.
    """
    parameters = [
        value if value is None or isinstance(value, bytes) else str(value).encode() for value in values
    ]
    formats = [int(isinstance(value, bytes)) for value in values]
    for parameter, is_binary in zip(parameters, formats, strict=True):
        if parameter and not is_binary and b"\0" in parameter:
            raise psycopg.DataError("PostgreSQL text cannot contain NUL")
    return parameters, formats


def _results_of(connection: PGconn, count: int) -> Generator[Any, Any, list[PGresult]]:
    """Send what waits, and read so many results and that of the Sync."""
    yield from send(connection)
    results = []
    for _ in range(count):
        results += yield from fetch_many(connection)
    yield from fetch_many(connection)
    return results


def known_options(options: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the options that libpq has, and the names of the others: those are of other libraries."""
    keywords = {default.keyword.decode() for default in Conninfo.get_defaults()}
    known = {name: value for name, value in options.items() if name in keywords}
    return known, [name for name in options if name not in keywords]


def is_direct(connection: psycopg.Connection[Any]) -> bool:
    """Return True where the server itself is at the other end.

    A pooler gives its clients a process number of its own, because it lends them one server process after
    the other. What one of them was told is not known to the next.
    """
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return row is not None and row[0] == connection.info.backend_pid


def replace_cut(connection: Connection, record: Any, proxy: Any) -> None:
    """Let SQLAlchemy's pool replace a connection that was cut while it was idle, and all as old.

    Asks nobody, so nothing was sent: on a connection that nobody uses there is nothing to read but that, or a
    notice. A new one is taken as it is.
    """
    if not record.info:
        record.info["is_used"] = True
        return
    poll = select.poll()
    try:
        poll.register(connection.pgconn.socket, select.POLLIN)
        while poll.poll(0):
            connection.pgconn.consume_input()
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def connect(parameters: Mapping[str, Any], settings: Mapping[str, str]) -> Connection:
    """Return a connection; where it is direct, with these settings and with prepared statements.

    psycopg prepares none by itself, for with its own it would now and then discard all there are.

    Raises StoreError: the one boundary for what libpq and psycopg meet while they connect.
    """
    try:
        connection = Connection.connect(**parameters, prepare_threshold=None)
        connection.is_direct = is_direct(connection)
        is_local = str(not connection.is_direct).lower()
        calls = ", ".join(f"set_config('{name}', '{value}', {is_local})" for name, value in settings.items())
        if connection.is_direct and calls:
            connection.execute(f"SELECT {calls}")
        elif calls:
            connection.preamble = (f"SELECT {calls}".encode(),)
        connection.commit()
        encoding = connection.info.parameter_status("server_encoding")
    except (psycopg.Error, OSError, ValueError) as error:
        raise failures.while_connecting(str(error)) from error
    if encoding not in ("UTF8", None):
        connection.close()
        raise failures.lacks_letters(encoding)
    return connection
