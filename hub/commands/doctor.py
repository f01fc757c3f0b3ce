"""`hub doctor`: is everything all right?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import click

from hub.errors import StoreError
from hub.health.doctor import Finding, Level, examine_files, examine_store, look, store_problem
from hub.humanize import counted
from hub.model.config import Config
from hub.process import start
from hub.rules.load import read_config
from hub.settings import Settings, load_settings
from hub.terminal.printing import one_line, say, say_json

_MARKS = {
    Level.GOOD: click.style("✓", fg="green"),
    Level.WARNING: click.style("!", fg="yellow", bold=True),
    Level.PROBLEM: click.style("✗", fg="red", bold=True),
}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON, for tools.")
def command(as_json: bool) -> None:
    """Check everything: configuration, database, disk, clock, worker, destinations, and that nothing is lost.

    Works whether or not the hub runs, and changes nothing. Exit code 1 means that something needs you.
    """
    settings = load_settings()
    config, problems = read_config(settings.config_path, settings.templates_path, settings.environment)
    findings = list(examine_files(config, problems, settings.config_path.as_posix()))
    findings += _of_store(config, settings)
    is_good = all(finding.level is not Level.PROBLEM for finding in findings)
    if as_json:
        say_json({"ok": is_good, "findings": [vars(finding) for finding in findings]})
    else:
        for line in _lines(findings):
            say(line)
    if not is_good:
        raise click.exceptions.Exit(1)


def _of_store(config: Config | None, settings: Settings) -> list[Finding]:
    try:
        with closing(start.open_existing(settings)) as store:
            return list(examine_store(look(store), config, settings))
    except StoreError as error:
        return [store_problem(error)]


def _lines(findings: Sequence[Finding]) -> Iterator[str]:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        yield f"{_MARKS[finding.level]} {finding.check:<{width}}  {one_line(finding.found)}"
        if finding.advice:
            yield f"  {'':<{width}}  {click.style('→ ' + one_line(finding.advice), dim=True)}"
    yield ""
    yield _summary(findings)


def _summary(findings: Sequence[Finding]) -> str:
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    if not problems and not warnings:
        return click.style("everything is all right", fg="green")
    counts = [counted(problems, "problem")] if problems else ["no problem"]
    return ", ".join(counts + ([counted(warnings, "warning")] if warnings else []))
