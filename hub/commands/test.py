"""`hub test`: the user's tests of the routes, expected messages beside actual ones."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from hub.catalog.redaction import Redaction
from hub.commands import Section
from hub.errors import ConfigError
from hub.humanize import counted
from hub.ingest.route import load_rules
from hub.model.config import Config
from hub.model.problem import Problem, Severity
from hub.preview.cases.case import Case
from hub.preview.cases.file import read_cases
from hub.preview.cases.judge import CaseResult, judge
from hub.preview.cases.mismatch import Mismatch
from hub.rules.load import load_config
from hub.settings import Settings, load_settings
from hub.strings import shortened
from hub.terminal.junit import JUnitCase, write_junit
from hub.terminal.printing import indented, inline, say, say_json
from hub.terminal.problems import NoSuchFile, count_problems, show_problems

SECTION = Section.WRITE

SHOWN_LINES = 20
SHOWN_WIDTH = 300


@click.command("test", short_help="Run the cases of routes.test.yaml.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("-k", "word", metavar="TEXT", help="Run only cases with this in their name.")
@click.option(
    "--junit",
    "junit_path",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the results as JUnit XML, for CI.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON, for tools.")
def command(file: Path | None, word: str | None, junit_path: Path | None, as_json: bool) -> None:
    """Run the cases in FILE: each takes an event and lists every message that must come of it.

    FILE is config/routes.test.yaml by default, beside routes.yaml. Nothing is sent; needs no secret and no
    database. Exit code 1 means that a case failed, that a file has errors, or that there was no case.

    \b
    Examples:
      hub test
      hub test -k payment
    """
    settings = load_settings()
    if file is not None and not file.exists():
        raise NoSuchFile(f"there is no file {file}; name a routes.test.yaml")
    path = file or settings.config_path.with_suffix(".test.yaml")
    config, cases, problems = _read(settings, path)
    chosen = [case for case in cases if word is None or word.lower() in case.name.lower()]
    if config is None or any(problem.severity is Severity.ERROR for problem in problems):
        _refuse(problems, settings.config_path, path, junit_path, as_json=as_json)
        raise click.exceptions.Exit(1)
    if not as_json:
        show_problems(problems, settings.config_path)
    rules = load_rules(config)
    results = _Results(path, rules.redaction, quiet=as_json)
    for case in chosen:
        began = time.monotonic()
        results.add(judge(case, rules, settings.public_url), time.monotonic() - began)
    if as_json:
        say_json(results.document)
    else:
        say(_summary(path, results, word))
    if junit_path is not None:
        write_junit(junit_path, path.as_posix(), results.junit_cases)
    if results.failed or not chosen:
        raise click.exceptions.Exit(1)


def _read(settings: Settings, path: Path) -> tuple[Config | None, Sequence[Case], Sequence[Problem]]:
    """Return the configuration, the cases for it, and the problems of either."""
    try:
        config = load_config(settings.config_path, settings.templates_path, settings.environment)
    except ConfigError as error:
        return None, (), [problem for problem in error.problems if problem.severity is Severity.ERROR]
    cases, problems = read_cases(path, config)
    return config, cases, problems


def _refuse(
    problems: Sequence[Problem], routes: Path, path: Path, junit_path: Path | None, *, as_json: bool
) -> None:
    """Print the reasons why nothing was run."""
    if as_json:
        say_json([vars(problem) for problem in problems])
    else:
        show_problems(problems, routes)
        say(f"{count_problems(problems)}, no case was run")
    if junit_path is not None:
        errors = (
            JUnitCase(
                name=f"{problem.file}:{problem.line}:{problem.column}", line=problem.line, error=str(problem)
            )
            for problem in problems
            if problem.severity is Severity.ERROR
        )
        write_junit(junit_path, path.as_posix(), errors)


class _Results:
    """The results so far, each printed as its case ends."""

    def __init__(self, path: Path, redaction: Redaction, *, quiet: bool) -> None:
        self.junit_cases: list[JUnitCase] = []
        self.document: list[dict[str, Any]] = []
        self.failed = 0
        self._path = path
        self._redaction = redaction
        self._quiet = quiet

    def add(self, result: CaseResult, seconds: float) -> None:
        case = result.case
        redaction = self._redaction.of_event(case.event.type, case.event.payload)
        mismatches = [mismatch.redacted(redaction) for mismatch in result.mismatches]
        lines = [line for mismatch in mismatches for line in _lines(mismatch, self._path)]
        failure = click.unstyle("\n".join(lines)) if lines else None
        self.failed += failure is not None
        self.junit_cases.append(
            JUnitCase(name=inline(case.name), line=case.line, seconds=seconds, failure=failure)
        )
        self.document.append(
            {
                "name": case.name,
                "file": self._path.as_posix(),
                "line": case.line,
                "passed": result.passed,
                "differences": [_item(mismatch) for mismatch in mismatches],
            }
        )
        if not self._quiet:
            sign = click.style("✓", fg="green") if result.passed else click.style("✗", fg="red")
            for line in (f"{sign} {inline(case.name)}", *(f"  {line}" for line in lines)):
                say(line)


def _item(mismatch: Mismatch) -> dict[str, Any]:
    return {
        "line": mismatch.line,
        "column": mismatch.column,
        "said": inline(mismatch.message),
        "expected": mismatch.expected,
        "actual": mismatch.actual,
    }


def _lines(mismatch: Mismatch, path: Path) -> Iterator[str]:
    """Yield a mismatch for a terminal: its position and message, then expected beside actual."""
    position = click.style(f"{path}:{mismatch.line}:{mismatch.column}:", bold=True)
    yield f"{position} {inline(mismatch.message)}"
    for label, text, colour in (("expected", mismatch.expected, "green"), ("actual", mismatch.actual, "red")):
        if text is not None:
            for number, line in enumerate(_excerpt(text)):
                shown = click.style(line, fg=colour) if line else ""
                yield f"  {label if number == 0 else '':<8}  {shown}".rstrip()


def _excerpt(text: str) -> list[str]:
    lines = [shortened(line, SHOWN_WIDTH) for line in indented(text, "")] or ["(nothing)"]
    if len(lines) > SHOWN_LINES:
        lines = [*lines[:SHOWN_LINES], f"… and {len(lines) - SHOWN_LINES} more lines"]
    return lines


def _summary(path: Path, results: _Results, word: str | None) -> str:
    if not results.junit_cases:
        return f"{path}: no case" + (f' has "{inline(word)}" in its name' if word else "; add one")
    ending = f"{results.failed} failed" if results.failed else "all passed"
    colour = "red" if results.failed else "green"
    return f"{path}: {counted(len(results.junit_cases), 'case')}, {click.style(ending, fg=colour)}"
