"""`hub sync verify`: the mirror held against Clerk, row by row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import click

from hub.client.api import version_that_serves
from hub.commands.mirror.choosing import TO_HELP
from hub.commands.mirror.refusals import refusals
from hub.humanize import counted
from hub.process import start
from hub.settings import load_settings
from hub.sync.lease import reading
from hub.sync.repair import MaxDeletes
from hub.sync.runs import Outcome, opened, verify
from hub.sync.targets import find_target
from hub.terminal import progress
from hub.terminal.printing import inline, say, say_json

SHOWN = 20
"""So many rows of a table are named; --json names all."""


@click.command("verify", short_help="Compare the mirror with Clerk; --repair mends it.")
@click.option("--to", metavar="DESTINATION", help=TO_HELP)
@click.option("--repair", "repairs", is_flag=True, help="Write what differs, delete what is gone in Clerk.")
@click.option(
    "--max-deletes",
    metavar="SHARE",
    default="1%",
    show_default=True,
    help="The most rows of a table that --repair deletes: 1%, or a number.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for tools.")
def command(to: str | None, repairs: bool, max_deletes: str, as_json: bool) -> None:
    """Compare each row of the mirror with Clerk: missing, stale, extra. Exit code 1 where any differs still.

    A difference counts where the object was last changed more than 5 minutes ago, no delivery of it is owed
    to the mirror, and a second look finds it again. Nothing is deleted that Clerk has not said to be gone
    when asked for that very object.

    \b
    Examples:
      hub sync verify
      hub sync verify --repair --max-deletes 5%
    """
    most = _max_deletes(max_deletes) if repairs else None
    settings = load_settings()
    with closing(start.open_existing(settings)) as store:
        target = find_target(version_that_serves(settings, store).rules.config, to)
        outcomes = []
        with (
            reading(store, target.source.name, "hub sync verify") as lease,
            opened(target, wait=lease.wait, on_retry=progress.retry) as (api, mirroring),
            progress.cleared(),
        ):
            for outcome in verify(
                store, target, api, mirroring, max_deletes=most, wait=lease.wait, on_progress=_show
            ):
                outcomes.append(outcome)
                progress.clear()
                for line in report(outcome, max_deletes) if not as_json else ():
                    say(line)
    if as_json:
        say_json(_as_json(target.destination, outcomes))
    if any(_differs(outcome) for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _max_deletes(text: str) -> MaxDeletes:
    matched = re.fullmatch(r"(\d{1,3}(?:\.\d{1,3})?)%", text)
    if matched and float(matched[1]) <= 100:
        return MaxDeletes(percent=float(matched[1]))
    if re.fullmatch(r"\d{1,9}", text):
        return MaxDeletes(percent=None, count=int(text))
    raise click.BadParameter("say a share such as 1%, or a number of rows", param_hint="'--max-deletes'")


def _show(table: str, objects: int) -> None:
    progress.show(table, objects, None, 0.0, None)


def _differs(outcome: Outcome) -> bool:
    return any(count for counts in outcome.drift.values() for count in counts.values())


def report(outcome: Outcome, max_deletes: str) -> Iterator[str]:
    """Yield the lines about one table, as people read them."""
    comparison = outcome.comparison
    if comparison.absent:
        yield f"{comparison.table}: nothing to compare: {inline(comparison.absent)}"
        return
    rows = counted(comparison.rows, "row")
    yield f"{comparison.table}: {comparison.objects:,} in Clerk, {rows}: {_counts(outcome)}"
    for drift in comparison.drift[:SHOWN]:
        columns = f": {', '.join(drift.columns)}" if drift.columns else ""
        owner = f" of {inline(drift.owner)}" if drift.owner else ""
        table = f"{drift.table} " if drift.table != comparison.table else ""
        yield f"  {drift.kind} {table}{inline(drift.id)}{owner}{columns}"
    if len(comparison.drift) > SHOWN:
        yield f"  and {len(comparison.drift) - SHOWN:,} more"
    repaired = outcome.repaired
    if repaired is None or not comparison.differing:
        return
    yield f"  {repaired.written:,} written, {repaired.deleted:,} deleted"
    if repaired.too_many:
        yield (
            f"  none was deleted: {counted(repaired.too_many, 'row')} would be, and --max-deletes is "
            f"{max_deletes}; look at them, then raise it"
        )
    yield from refusals(repaired.refused)


def _counts(outcome: Outcome) -> str:
    kinds = [drift.kind for drift in outcome.comparison.drift]
    counts = [f"{kinds.count(kind):,} {kind}" for kind in dict.fromkeys(sorted(kinds))]
    return ", ".join(counts) or "the same"


def _as_json(destination: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "destination": destination,
        "tables": [
            {
                "table": outcome.comparison.table,
                "objects": outcome.comparison.objects,
                "rows": outcome.comparison.rows,
                "absent": outcome.comparison.absent or None,
                "drift": [
                    {
                        "table": drift.table,
                        "id": drift.id,
                        "owner": drift.owner or None,
                        "kind": drift.kind.value,
                        "columns": list(drift.columns),
                    }
                    for drift in outcome.comparison.drift
                ],
                "repaired": None
                if outcome.repaired is None
                else {
                    "written": outcome.repaired.written,
                    "deleted": outcome.repaired.deleted,
                    "too_many": outcome.repaired.too_many,
                    "refused": outcome.repaired.refused,
                },
            }
            for outcome in outcomes
        ],
        "same": not any(map(_differs, outcomes)),
    }
