"""Problems of the user's files, each with its line and a caret."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from hub.humanize import counted
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


def count_problems(problems: Sequence[Problem]) -> str:
    """Return `1 error, 2 warnings`, or `no problems`."""
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    counts = [counted(errors, "error"), counted(len(problems) - errors, "warning")]
    return ", ".join(count for count in counts if not count.startswith("0 ")) or "no problems"


def _text_of(file: str) -> str:
    """Return the text of a regular file; nothing where it cannot be read, which is the problem then."""
    if not Path(file).is_file():
        return ""
    try:
        with Path(file).open("rb") as opened:
            return opened.read(SHOWN_BYTES).decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return ""


def _coloured(problem: Problem) -> str:
    position = click.style(f"{problem.file}:{problem.line}:{problem.column}:", bold=True)
    kind = click.style(f"{problem.severity}[{problem.code}]:", fg=COLOURS[problem.severity], bold=True)
    return f"{position} {kind} {problem.message}"
