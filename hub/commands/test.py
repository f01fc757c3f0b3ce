"""`hub test`: the user's tests of the routes: what must come of an event, beside what would."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from hub.catalog.redaction import Redaction, redaction_of
from hub.errors import ConfigError
from hub.ingest.route import load_rules
from hub.model.config import Config
from hub.model.problem import Problem, Severity
from hub.preview.cases.case import Case
from hub.preview.cases.file import read_cases
from hub.preview.cases.judge import Difference, Verdict, judge
from hub.rules.load import load_config
from hub.settings import Settings, load_settings
from hub.terminal.junit import Result, write_junit
from hub.terminal.printing import block, cut, one_line, say, say_json
from hub.terminal.problems import NoSuchFile, counted, plural, show_problems

SHOWN_LINES = 20
SHOWN_WIDTH = 300


@click.command("test")
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
    """
    settings = load_settings()
    if file is not None and not file.is_file():
        raise NoSuchFile(f"there is no file {file}; name a routes.test.yaml")
    path = file or settings.config_path.with_suffix(".test.yaml")
    config, cases, problems = _read(settings, path)
    chosen = [case for case in cases if word is None or word.lower() in case.name.lower()]
    if config is None or any(problem.severity is Severity.ERROR for problem in problems):
        _refuse(problems, settings.config_path, path, junit_path, as_json=as_json)
        raise click.exceptions.Exit(1)
    if not as_json:
        show_problems(problems, settings.config_path)
    run = _Run(path, redaction_of(settings.environment), quiet=as_json)
    rules = load_rules(config)
    for case in chosen:
        began = time.monotonic()
        run.take(judge(case, rules, settings.public_url), time.monotonic() - began)
    if as_json:
        say_json(run.document)
    else:
        say(_summary(path, run, word))
    if junit_path is not None:
        write_junit(junit_path, path.as_posix(), run.results)
    if run.failed or not chosen:
        raise click.exceptions.Exit(1)


def _read(settings: Settings, path: Path) -> tuple[Config | None, Sequence[Case], Sequence[Problem]]:
    """The configuration, the cases, and what is wrong with either; the cases are judged by the first."""
    try:
        config = load_config(settings.config_path, settings.templates_path, settings.environment)
    except ConfigError as error:
        return None, (), [each for each in error.problems if each.severity is Severity.ERROR]
    cases, problems = read_cases(path, config)
    return config, cases, problems


def _refuse(
    problems: Sequence[Problem], routes: Path, path: Path, junit_path: Path | None, *, as_json: bool
) -> None:
    """Say why nothing was run."""
    if as_json:
        say_json([vars(problem) for problem in problems])
    else:
        show_problems(problems, routes)
        say(f"{counted(problems)}, no case was run")
    if junit_path is not None:
        results = (
            Result(
                name=f"{problem.file}:{problem.line}:{problem.column}", line=problem.line, error=str(problem)
            )
            for problem in problems
            if problem.severity is Severity.ERROR
        )
        write_junit(junit_path, path.as_posix(), results)


class _Run:
    """What came of the cases so far, each printed as it ends."""

    def __init__(self, path: Path, masks: Redaction, *, quiet: bool) -> None:
        self.results: list[Result] = []
        self.document: list[dict[str, Any]] = []
        self.failed = 0
        self._path = path
        self._masks = masks
        self._quiet = quiet

    def take(self, verdict: Verdict, seconds: float) -> None:
        case = verdict.case
        masks = self._masks.of_event(case.event.type, case.event.payload)
        differences = [_masked(each, masks) for each in verdict.differences]
        lines = [line for each in differences for line in _lines(each, self._path)]
        failure = click.unstyle("\n".join(lines)) if lines else None
        self.failed += failure is not None
        self.results.append(
            Result(name=one_line(case.name), line=case.line, seconds=seconds, failure=failure)
        )
        self.document.append(
            {
                "name": case.name,
                "file": self._path.as_posix(),
                "line": case.line,
                "passed": verdict.passed,
                "differences": [vars(each) for each in differences],
            }
        )
        if not self._quiet:
            sign = click.style("✓", fg="green") if verdict.passed else click.style("✗", fg="red")
            for line in (f"{sign} {one_line(case.name)}", *(f"  {line}" for line in lines)):
                say(line)


def _masked(difference: Difference, masks: Redaction) -> Difference:
    return Difference(
        line=difference.line,
        column=difference.column,
        said=one_line(masks.text(difference.said)),
        expected=masks.optional(difference.expected),
        actual=masks.optional(difference.actual),
    )


def _lines(difference: Difference, path: Path) -> Iterator[str]:
    """A difference on a terminal: where, what, and expected beside actual."""
    place = click.style(f"{path}:{difference.line}:{difference.column}:", bold=True)
    yield f"{place} {difference.said}"
    for label, text, colour in (
        ("expected", difference.expected, "green"),
        ("actual", difference.actual, "red"),
    ):
        if text is not None:
            for number, line in enumerate(_shortened(text)):
                shown = click.style(line, fg=colour) if line else ""
                yield f"  {label if number == 0 else '':<8}  {shown}".rstrip()


def _shortened(text: str) -> list[str]:
    lines = [cut(line, SHOWN_WIDTH) for line in block(text, "")] or ["(nothing)"]
    if len(lines) > SHOWN_LINES:
        lines = [*lines[:SHOWN_LINES], f"… and {len(lines) - SHOWN_LINES} more lines"]
    return lines


def _summary(path: Path, run: _Run, word: str | None) -> str:
    if not run.results:
        return f"{path}: no case" + (f' has "{one_line(word)}" in its name' if word else "; add one")
    ending = f"{run.failed} failed" if run.failed else "all passed"
    colour = "red" if run.failed else "green"
    return f"{path}: {plural(len(run.results), 'case')}, {click.style(ending, fg=colour)}"
