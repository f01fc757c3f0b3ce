"""`hub doctor`: is everything all right?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import click

from hub.commands import Section
from hub.errors import ConfigError, StoreError
from hub.health.doctor import CheckResult, Level, examine
from hub.health.facts import Facts, FileFacts, doctor_facts, without_store
from hub.humanize import counted
from hub.process import start
from hub.rules.reload import current
from hub.rules.versions import kept_files
from hub.settings import Settings, load_settings
from hub.terminal.printing import inline, say, say_json
from hub.transport.http import ignored_proxies

SECTION = Section.LOOK

_MARKS = {
    Level.GOOD: click.style("✓", fg="green"),
    Level.WARNING: click.style("!", fg="yellow", bold=True),
    Level.PROBLEM: click.style("✗", fg="red", bold=True),
}


@click.command("doctor", short_help="Check database, disk, clock, worker and destinations.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON, for tools.")
def command(as_json: bool) -> None:
    """Check everything: configuration, database, disk, clock, worker, destinations, and that nothing is lost.

    Works whether or not the hub runs, and changes nothing. Exit code 1 means that something needs you.
    """
    settings = load_settings()
    facts = _look_up(settings)
    results = list(examine(facts, settings.config_path.as_posix()))
    is_good = all(result.level is not Level.PROBLEM for result in results)
    if as_json:
        say_json({"ok": is_good, "findings": [_as_json(result) for result in results]})
    else:
        for line in _lines(results):
            say(line)
    if not is_good:
        raise click.exceptions.Exit(1)


def _look_up(settings: Settings) -> Facts:
    try:
        with closing(start.open_existing(settings)) as store:
            return doctor_facts(store, _files(settings, lambda: kept_files(store)), settings)
    except StoreError as error:
        return without_store(_files(settings, lambda: None), error)


def _files(settings: Settings, kept: Callable[[], bytes | None]) -> FileFacts:
    """Return the facts about the version that serves; with every problem where none can."""
    ignored = ignored_proxies(settings.environment)
    try:
        return replace(current(settings, kept).facts(), ignored=ignored)
    except ConfigError as error:
        return FileFacts(config=None, problems=error.problems, ignored=ignored)


def _as_json(result: CheckResult) -> dict[str, str]:
    return {
        "check": result.check,
        "level": result.level,
        "found": result.text,
        "advice": result.advice,
    }


def _lines(results: Sequence[CheckResult]) -> Iterator[str]:
    width = max(len(result.check) for result in results)
    for result in results:
        yield f"{_MARKS[result.level]} {result.check:<{width}}  {inline(result.text)}"
        if result.advice:
            yield f"  {'':<{width}}  {click.style('→ ' + inline(result.advice), dim=True)}"
    yield ""
    yield _summary(results)


def _summary(results: Sequence[CheckResult]) -> str:
    problems = sum(result.level is Level.PROBLEM for result in results)
    warnings = sum(result.level is Level.WARNING for result in results)
    if not problems and not warnings:
        return click.style("everything is all right", fg="green")
    counts = [counted(problems, "problem")] if problems else ["no problem"]
    return ", ".join(counts + ([counted(warnings, "warning")] if warnings else []))
