"""Problems of the user's files at their places, each with two lines of source, no secret in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hub.catalog.redaction import Redaction
from hub.config.files import Files
from hub.model.problem import Problem
from hub.terminal.excerpt import without_secret

SOURCE_LINE_LIMIT = 200
"""So many characters are shown of a line of a file."""


@dataclass(frozen=True, kw_only=True)
class SourceLine:
    """A line of a file, without secrets."""

    number: int
    text: str


@dataclass(frozen=True, kw_only=True)
class ShownProblem:
    """A problem at its place, with two lines of source where the file is known."""

    place: str
    severity: str
    message: str
    lines: tuple[SourceLine, ...]


def shown_problems(
    problems: Iterable[Problem], files: Files | None, redaction: Redaction
) -> list[ShownProblem]:
    """Return problems with their lines of source; `files` is None where those are not known."""
    return [
        ShownProblem(
            place=f"{_short(problem.file, files)}:{problem.line}",
            severity=problem.severity.value,
            message=problem.message,
            lines=_source_lines(problem, files, redaction),
        )
        for problem in problems
    ]


def _short(file: str, files: Files | None) -> str:
    """Return the name of a file as short as it says which one is meant."""
    is_routes = files is None or file == files.path.as_posix()
    return file.rpartition("/")[2] if is_routes else file


def _source_lines(problem: Problem, files: Files | None, redaction: Redaction) -> tuple[SourceLine, ...]:
    """Return the line of a problem and the one before it, else the one behind."""
    if files is None:
        return ()
    is_routes = problem.file == files.path.as_posix()
    name = problem.file.removeprefix(f"{files.templates_folder.as_posix()}/")
    content = files.content if is_routes else files.templates.get(name, b"")
    lines = content.decode("utf-8", "replace").splitlines()
    first = max(problem.line - 2, 0)
    if problem.line > len(lines):
        return ()
    return tuple(
        SourceLine(
            number=number,
            text=redaction.text(without_secret(lines, number - 1) if is_routes else lines[number - 1])[
                :SOURCE_LINE_LIMIT
            ],
        )
        for number in range(first + 1, min(first + 2, len(lines)) + 1)
    )
