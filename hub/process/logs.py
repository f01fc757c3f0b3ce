"""The log: one line per thing that happened, its name first, fields after; to stderr, as text or JSON."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any, TextIO, cast

import structlog

from hub.process.log_queue import QueuedStream, queue_standard_error

Fields = MutableMapping[str, Any]


def set_up_server_logs(form: str, level: str) -> None:
    """Do as `set_up_logs` does, for a process that serves and its children: no reader of stderr stops them.

    Loggers are made once, for that costs as much as a line: nothing is set up anew after this.
    """
    render = _as_json if form == "json" else _as_text
    queue_standard_error(lambda count: render(None, "error", {"event": "log.dropped", "count": count}) + "\n")
    set_up_logs(form, level)


def set_up_logs(form: str, level: str) -> None:
    """Send everything that is logged to stderr; `form` is `text` or `json`."""
    is_queued = isinstance(sys.stderr, QueuedStream)
    stream = sys.stderr if is_queued else cast(TextIO, _Forgiving(sys.stderr))
    output = _Output(stream)
    structlog.configure(
        processors=[_as_json if form == "json" else _as_text],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: output,
        cache_logger_on_first_use=is_queued,
    )
    logging.basicConfig(stream=stream, level=logging.WARNING, format="%(name)s: %(message)s", force=True)


class _Output:
    """The end of a line's way; it has no lock that a child could inherit or a signal's handler wait for."""

    def __init__(self, stream: TextIO) -> None:
        self._write = stream.write

    def msg(self, line: str) -> None:
        self._write(line + "\n")

    debug = info = warning = error = critical = msg


class _Forgiving:
    """A stream that loses what it cannot write: a log on a full disk must not stop what it tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Nothing waits here."""


_with_exception = structlog.processors.ExceptionRenderer()
_encode = json.JSONEncoder(default=str).encode


def _as_json(logger: Any, level: str, fields: Fields) -> str:
    """`{"event": "event.received", "at": …, "level": …, …}`."""
    if "exc_info" in fields:
        fields = _with_exception(logger, level, fields)
    now = time.time_ns()
    at = f"{_date_and_time(now // 10**9)}.{now // 1000 % 10**6:06}Z"
    line = {"event": fields.pop("event"), "at": at, "level": level, **fields}
    return _encode({key: value for key, value in line.items() if value is not None})


def _as_text(logger: Any, level: str, fields: Fields) -> str:
    """`10:03:07 event.received source=clerk …`; a value cannot forge a field or a line."""
    if "exc_info" in fields:
        fields = _with_exception(logger, level, fields)
    name, exception = fields.pop("event"), fields.pop("exception", None)
    shown = "".join([f" {key}={_quoted(value)}" for key, value in fields.items() if value is not None])
    mark = f" {level.upper()}" if level in ("warning", "error", "critical") else ""
    trace = f"\n{exception}" if exception else ""
    return f"{_date_and_time(int(time.time()))[11:]}{mark} {name}{shown}{trace}"


@lru_cache(maxsize=1)
def _date_and_time(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _quoted(value: Any) -> str:
    text = str(value)
    plain = text.isascii() and text.isprintable() and text and not set(text) & set(' "=\\')
    return text if plain else json.dumps(text)
