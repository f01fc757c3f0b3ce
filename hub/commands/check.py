"""`hub check`: every problem of the user's files, before they run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from hub.commands import Section
from hub.humanize import counted, enumerated
from hub.model.config import Config
from hub.model.problem import Problem, Severity
from hub.rules.load import read_config
from hub.rules.own_tables import check_databases
from hub.settings import load_settings
from hub.terminal.printing import say, say_json
from hub.terminal.problems import NoSuchFile, count_problems, show_problems
from hub.transport.http import IGNORED_PROXY, ignored_proxies

SECTION = Section.WRITE


@click.command("check", short_help="Print every problem of routes and templates, with its line.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--templates", type=click.Path(path_type=Path), help="The folder with the templates.")
@click.option("--strict", is_flag=True, help="Let warnings fail, too.")
@click.option("--database", is_flag=True, help="Look at your own tables in the mirrors' databases, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON, for tools.")
def command(file: Path | None, templates: Path | None, strict: bool, database: bool, as_json: bool) -> None:
    """Check the configuration in FILE and the templates, and print every problem with its line.

    Needs no secret and no database but with --database. Exit code 1 means that there are errors.

    \b
    Examples:
      hub check
      hub check other.yaml --strict
    """
    settings = load_settings()
    if file is not None and not file.exists():
        raise NoSuchFile(f"there is no file {file}; name a routes.yaml")
    path = file or settings.config_path
    folder = templates or settings.templates_path
    config, problems = read_config(path, folder, settings.environment)
    if database:
        problems = tuple(sorted({*problems, *check_databases(path, folder, settings.environment)}))
    if as_json:
        say_json([vars(problem) for problem in problems])
    else:
        show_problems(problems, path)
        say(_summary(path, config, problems))
        ignored = ignored_proxies(settings.environment)
        if ignored:
            say(f"note: {enumerated(ignored)} {IGNORED_PROXY}")
    if any(strict or problem.severity is Severity.ERROR for problem in problems):
        raise click.exceptions.Exit(1)


def _summary(path: Path, config: Config | None, problems: Sequence[Problem]) -> str:
    parts = [count_problems(problems)]
    if config is not None:
        parts = [
            counted(len(config.routes), "route"),
            counted(len(config.destinations), "destination"),
            *parts,
        ]
    return f"{path}: {', '.join(parts)}"
