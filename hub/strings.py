"""Text written by strangers, made fit for one line, and a change to every string in a JSON value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_JOINER = "\u200d"


def one_line(text: str, limit: int | None = None, *, instead: str = " ") -> str:
    """Return the text without control characters, its white space collapsed, cut to `limit` characters.

    Line separators and the marks that turn the writing direction count as control characters: with them a
    name could forge a line. `instead` stands for each of them.
    """
    line = " ".join(printable(text, instead=instead).split())
    return line if limit is None else shortened(line, limit)


def printable(text: str, *, instead: str = " ") -> str:
    """Return the text with `instead` for every character that is not printed, line breaks included.

    The joiner inside emoji stays: it can neither end a line nor turn it.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == _JOINER else instead for char in text)


def shortened(text: str, limit: int) -> str:
    """Return the text, cut with an ellipsis so that it has at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """Return a copy of a JSON value with `change` applied to every string in it, keys not included."""
    # Without recursion: a payload may be nested a thousand deep.
    top: list[Any] = [value]
    open_containers: list[Any] = [top]
    while open_containers:
        container = open_containers.pop()
        for key, item in list(container.items() if isinstance(container, dict) else enumerate(container)):
            if isinstance(item, str):
                container[key] = change(item)
            elif isinstance(item, Mapping | list | tuple):
                container[key] = dict(item) if isinstance(item, Mapping) else list(item)
                open_containers.append(container[key])
    return top[0]
