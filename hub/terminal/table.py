"""Rows under headings, as wide as the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence

import click

from hub.strings import shortened

NARROWEST_LAST_COLUMN = 20


def terminal_width() -> int | None:
    """Return the columns of the terminal; None where the output goes elsewhere and nothing is cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def clip(text: str, width: int | None) -> str:
    """Return the text within a width, `…` for the rest; None cuts nothing."""
    return text if width is None else shortened(text, max(width, 1))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], width: int | None) -> Iterator[str]:
    """Yield rows under headings, each column as wide as its longest cell; the last is cut at the width."""
    cells = [list(row) for row in rows]
    widths = [max(map(_width, column)) for column in zip(headings, *cells, strict=True)]
    widths[-1] = 0
    before_last = sum(widths) + 2 * (len(widths) - 1)
    last_width = None if width is None else max(width - before_last, NARROWEST_LAST_COLUMN)
    yield click.style(_row(headings, widths), bold=True)
    for row in cells:
        yield _row([*row[:-1], clip(row[-1], last_width)], widths)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - _width(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip()


def _width(cell: str) -> int:
    return len(click.unstyle(cell))
