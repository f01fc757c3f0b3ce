"""Problems of the user's files as commands print them: each with its line and a caret, or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from hub.model.problem import Problem, Severity
from hub.terminal.excerpt import excerpt
from hub.terminal.printing import say

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
SHOWN_BYTES = 1024 * 1024


class NoSuchFile(click.ClickException):
    """Wrong usage in one line."""

    exit_code = 2


def show_problems(problems: Sequence[Problem], routes: Path) -> None:
    """Print problems, each with the line it points at; of `routes` no value that may be a secret."""
    texts: dict[str, str] = {}
    for problem in problems:
        if problem.file not in texts:
            texts[problem.file] = _text_of(problem.file)
        say(_coloured(problem))
        for line in excerpt(texts[problem.file], problem, may_be_secret=problem.file == routes.as_posix()):
            say(click.style(line, dim=True))


def counted(problems: Sequence[Problem]) -> str:
    """`1 error, 2 warnings`, or `no problems`."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    counts = [plural(errors, "error"), plural(len(problems) - errors, "warning")]
    return ", ".join(count for count in counts if not count.startswith("0 ")) or "no problems"


def plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _text_of(file: str) -> str:
    """The text of a file that has problems; nothing where it cannot be read, which is the problem then."""
    try:
        with Path(file).open("rb") as opened:
            return opened.read(SHOWN_BYTES).decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return ""


def _coloured(problem: Problem) -> str:
    place = click.style(f"{problem.file}:{problem.line}:{problem.column}:", bold=True)
    what = click.style(f"{problem.severity}[{problem.code}]:", fg=COLOURS[problem.severity], bold=True)
    return f"{place} {what} {problem.message}"
