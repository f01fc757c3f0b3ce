"""The statements that every event and every cycle of a worker needs, as text: one file a dialect.

A statement begins with `-- name: NAME`; the comment below it says what it does and which index it uses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n?", re.MULTILINE)
_VALUE = re.compile(r"(?<![:\w]):([a-z_]+)")


@cache
def statements(dialect: str) -> Mapping[str, str]:
    """Return the text of each statement of a dialect (`sqlite` or `postgres`) by its name."""
    text = files(__name__).joinpath(f"{dialect}.sql").read_text("utf-8")
    _, *parts = _NAME.split(text)
    return {name: _COMMENT.sub("", body).strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


@cache
def scripts() -> Mapping[str, tuple[str, ...]]:
    """Return the statements behind each name of SQLite's, in the order in which they run."""
    return {name: tuple(text.split(";\n")) for name, text in statements("sqlite").items()}


@cache
def numbered() -> Mapping[str, tuple[bytes, tuple[str, ...]]]:
    """Return PostgreSQL's statements as its protocol takes them: `$1` for a value, and the values' names."""
    return {name: _number(text) for name, text in statements("postgres").items()}


def _number(text: str) -> tuple[bytes, tuple[str, ...]]:
    names = tuple(dict.fromkeys(_VALUE.findall(text)))
    return _VALUE.sub(lambda value: f"${names.index(value[1]) + 1}", text).encode(), names
