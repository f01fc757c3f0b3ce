"""Text written by strangers, made fit for one line, and a change to every string in a JSON value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def one_line(text: str, limit: int | None = None, *, instead: str = " ") -> str:
    """Return the text without control characters, its white space collapsed, cut to `limit` characters.

    Line separators and the marks that turn the writing direction count as control characters: with them a
    name could forge a line. `instead` stands for each of them.
    """
    line = " ".join(printable(text, instead=instead).split())
    return line if limit is None else shortened(line, limit)


def printable(text: str, *, instead: str = " ") -> str:
    """Return the text with `instead` for every character that is not printed, line breaks included."""
    return "".join(char if char.isprintable() else instead for char in text)


def shortened(text: str, limit: int) -> str:
    """Return the text, cut with an ellipsis so that it has at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Return a JSON value with `change` applied to every string in it, keys not included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: map_strings(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [map_strings(item, change) for item in value]
    return value
