"""`hub check`: everything that is wrong with the user's files, before it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from hub.commands._excerpt import excerpt
from hub.config import read_config
from hub.models import Config, Problem, Severity
from hub.settings import load_settings

COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow"}


class NoSuchFile(click.ClickException):
    """Wrong usage in one line."""

    exit_code = 2


@click.command("check")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--templates", type=click.Path(path_type=Path), help="The folder with the templates.")
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON, for tools.")
def command(file: Path | None, templates: Path | None, strict: bool, as_json: bool) -> None:
    """Check the configuration in FILE and the templates, and print every problem with its line.

    Needs no secret and no database. Exit code 1 means that there are errors.
    """
    settings = load_settings()
    if file is not None and not file.is_file():
        raise NoSuchFile(f"there is no file {file}; name a routes.yaml")
    path = file or settings.config_path
    config, problems = read_config(path, templates or settings.templates_path, settings.environment)
    if as_json:
        click.echo(json.dumps([vars(problem) for problem in problems], indent=2))
    else:
        _print(problems, path)
        click.echo(_summary(path, config, problems))
    if any(strict or problem.severity is Severity.ERROR for problem in problems):
        raise click.exceptions.Exit(1)


def _print(problems: Sequence[Problem], path: Path) -> None:
    texts: dict[str, str] = {}
    for problem in problems:
        if problem.file not in texts:
            texts[problem.file] = _text_of(problem.file)
        click.echo(_coloured(problem))
        is_template = problem.file != path.as_posix()
        for line in excerpt(texts[problem.file], problem, is_template=is_template):
            click.echo(click.style(line, dim=True))


def _text_of(file: str) -> str:
    """The text of a file that has problems; nothing where it cannot be read, which is the problem then."""
    try:
        with Path(file).open("rb") as opened:
            return opened.read(1024 * 1024).decode("utf-8-sig", "replace")
    except OSError:
        return ""


def _coloured(problem: Problem) -> str:
    place = click.style(f"{problem.file}:{problem.line}:{problem.column}:", bold=True)
    what = click.style(f"{problem.severity}[{problem.code}]:", fg=COLOURS[problem.severity], bold=True)
    return f"{place} {what} {problem.message}"


def _summary(path: Path, config: Config | None, problems: Sequence[Problem]) -> str:
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    counts = [_count(errors, "error"), _count(len(problems) - errors, "warning")]
    found = ", ".join(count for count in counts if not count.startswith("0 ")) or "no problems"
    if config is None:
        return f"{path}: {found}"
    parts = [_count(len(config.routes), "route"), _count(len(config.destinations), "destination")]
    return f"{path}: {', '.join(parts)}, {found}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
