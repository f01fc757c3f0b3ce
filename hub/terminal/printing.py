"""How commands show things: tables, times and hostile text, readable on a terminal and in a pipe."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from hub import strings

NARROWEST_LAST_COLUMN = 20

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def say(line: str = "", *, err: bool = False) -> None:
    """Print a line; what the terminal's encoding lacks becomes `?` instead of an error."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    click.echo(line.encode(encoding, "replace").decode(encoding), err=err)


def say_json(value: Any) -> None:
    """Print a JSON document. In ASCII: nothing in it can act on a terminal."""
    click.echo(json.dumps(value, indent=2))


def one_line(value: Any) -> str:
    """Text of strangers as it may stand on a line of a terminal: no control characters, single spaces."""
    return strings.one_line("" if value is None else str(value))


def block(text: str, indent: str = "  ") -> Iterator[str]:
    """Text of strangers over several lines, indented, without control characters."""
    for line in text.expandtabs(4).splitlines():
        yield f"{indent}{strings.printable(line, instead='?')}".rstrip()


def unset(names: Sequence[str]) -> str:
    """`A is not set`, `A, B and C are not set`."""
    if len(names) == 1:
        return f"{names[0]} is not set"
    return f"{', '.join(names[:-1])} and {names[-1]} are not set"


def cut(text: str, width: int | None) -> str:
    """The text within a width, `…` for what is left out; None cuts nothing."""
    return text if width is None or len(text) <= width else text[: max(width - 1, 0)] + "…"


def terminal_width() -> int | None:
    """The columns of the terminal; None where the output goes elsewhere and nothing needs to be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], width: int | None) -> Iterator[str]:
    """Rows under headings, each column as wide as its longest cell; the last is cut at the width."""
    cells = [list(row) for row in rows]
    widths = [max(map(_width, column)) for column in zip(headings, *cells, strict=True)]
    widths[-1] = 0
    before_last = sum(widths) + 2 * (len(widths) - 1)
    room = None if width is None else max(width - before_last, NARROWEST_LAST_COLUMN)
    yield click.style(_row(headings, widths), bold=True)
    for row in cells:
        yield _row([*row[:-1], cut(row[-1], room)], widths)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _width(cell: str) -> int:
    return len(click.unstyle(cell))


def moment(text: str | None) -> datetime | None:
    """A time as the API writes it."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def distance(at: datetime | None, now: datetime) -> str:
    """How far away a moment is: `3 min ago`, `in 2 h`."""
    if at is None:
        return ""
    seconds = (at - now).total_seconds()
    size, unit = next(((s, u) for s, u in _UNITS if abs(seconds) >= s), (1, "s"))
    count = round(abs(seconds) / size)
    if count == 0:
        return "now"
    return f"in {count} {unit}" if seconds > 0 else f"{count} {unit} ago"
