"""Lines and JSON on standard output, with the text of strangers made fit for a terminal or a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from hub import strings


def say(line: str = "", *, err: bool = False, ends_line: bool = True) -> None:
    """Print a line; a character that the terminal's encoding lacks becomes `?` instead of an error."""
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    click.echo(line.encode(encoding, "replace").decode(encoding), err=err, nl=ends_line)


def say_json(value: Any) -> None:
    """Print a JSON document. In ASCII: nothing in it can act on a terminal."""
    click.echo(json.dumps(value, indent=2))


def inline(value: Any) -> str:
    """Return a value of strangers as it may stand on a line of a terminal; None becomes nothing."""
    return strings.one_line("" if value is None else str(value))


def indented(text: str, indent: str = "  ") -> Iterator[str]:
    """Yield the lines of a stranger's text, indented, without control characters."""
    for line in text.expandtabs(4).splitlines():
        yield f"{indent}{strings.printable(line, instead='?')}".rstrip()


def parse_time(text: str) -> datetime:
    """Return the time that the API wrote, in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
