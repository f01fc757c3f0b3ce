"""The log: one line per thing that happened, its name first, fields after; to stderr, as text or JSON."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog


def set_up_logs(form: str, level: str) -> None:
    """Send everything that is logged to stderr; `form` is `text` or `json`."""
    render = _as_json if form == "json" else _as_text
    stderr = cast(TextIO, _Forgiving(sys.stderr))
    logger = structlog.WriteLogger(stderr)
    structlog.configure(
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
            structlog.processors.add_log_level,
            structlog.processors.ExceptionRenderer(),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *names: logger,
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=stderr, level=logging.WARNING, format="%(name)s: %(message)s", force=True)


class _Forgiving:
    """A stream that loses what it cannot write: a log on a full disk must not stop what it tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


def _as_json(logger: Any, method: str, fields: MutableMapping[str, Any]) -> str:
    """`{"event": "event.received", "at": …, "level": …, …}`."""
    ordered = {"event": None, "at": None, "level": None, **fields}
    return json.dumps({key: value for key, value in ordered.items() if value is not None}, default=str)


def _as_text(logger: Any, method: str, fields: MutableMapping[str, Any]) -> str:
    """`10:03:07 event.received source=clerk …`; a value cannot forge a field or a line."""
    at, level, name = fields.pop("at"), fields.pop("level"), fields.pop("event")
    exception = fields.pop("exception", None)
    shown = "".join(f" {key}={_quoted(value)}" for key, value in fields.items() if value is not None)
    mark = f" {level.upper()}" if level in ("warning", "error", "critical") else ""
    trace = f"\n{exception}" if exception else ""
    return f"{at[11:19]}{mark} {name}{shown}{trace}"


def _quoted(value: Any) -> str:
    text = str(value)
    plain = text.isascii() and text.isprintable() and text and not set(text) & set(' "=\\')
    return text if plain else json.dumps(text)
