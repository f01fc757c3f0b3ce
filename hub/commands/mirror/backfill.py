"""`hub sync backfill`: everything that Clerk has, into the tables of the mirror."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import click

from hub.client.api import version_that_serves
from hub.commands.mirror.choosing import TO_HELP
from hub.commands.mirror.refusals import refusals
from hub.errors import ClerkError, NotFound
from hub.humanize import counted, did_you_mean, span, there_are
from hub.mirror.tables import UNLISTED, tables
from hub.process import start
from hub.settings import load_settings
from hub.store.store import Store
from hub.sync.api import BackendApi, requests_per_second
from hub.sync.backfill import Progress, TableResult, backfill, expected
from hub.sync.lease import reading
from hub.sync.lists import absent
from hub.sync.mirroring import Mirroring
from hub.sync.paging import LIMIT
from hub.sync.runs import keep_backfill, opened
from hub.sync.targets import Target, find_target
from hub.terminal import progress
from hub.terminal.printing import inline, say


@click.command("backfill", short_help="Read everything from Clerk into the mirror.")
@click.option("--to", metavar="DESTINATION", help=TO_HELP)
@click.option("--only", metavar="TABLE", help="One table alone, such as users.")
@click.option("--dry-run", is_flag=True, help="Say what would be read; write nothing.")
def command(to: str | None, only: str | None, dry_run: bool) -> None:
    """Read all objects from Clerk's Backend API into the mirror's tables, while events go on arriving.

    What an event brought since stays. Run it again if it was cut off: it goes on where it was. It takes a
    twentieth of the requests that Clerk grants, 5 a second in production, of 500 objects each.

    \b
    Examples:
      hub sync backfill --dry-run
      hub sync backfill --only users
    """
    settings = load_settings()
    with closing(start.open_existing(settings)) as store:
        target = find_target(version_that_serves(settings, store).rules.config, to)
        chosen = _chosen(target, only)
        if dry_run:
            with opened(target, on_retry=progress.retry) as (api, mirroring):
                for line in _plan(target, api, mirroring, chosen):
                    say(line)
            return
        try:
            results = _fill(store, target, chosen)
        except KeyboardInterrupt:
            say("hub: stopped; run it again and it goes on from here", err=True)
            raise click.exceptions.Exit(1) from None
    for line in _lines(results):
        say(line)
    if any(result.refused for result in results):
        raise click.exceptions.Exit(1)


def _fill(store: Store, target: Target, chosen: Sequence[str]) -> Sequence[TableResult]:
    with (
        reading(store, target.source.name, "hub sync backfill") as lease,
        opened(target, wait=lease.wait, on_retry=progress.retry) as (api, mirroring),
        progress.cleared(),
    ):
        results = backfill(api, mirroring, chosen, _show)
        keep_backfill(store, target, mirroring, [one.table for one in results if not one.absent])
    return results


def _chosen(target: Target, only: str | None) -> Sequence[str]:
    if only is None:
        return target.tables
    if only in target.tables:
        return [only]
    if only not in tables():
        raise NotFound(f'there is no table "{only}"{did_you_mean(only, tables())}')
    raise NotFound(f"{only} is not read by itself: {_why_not(only, target)}{there_are(target.tables, '')}")


def _why_not(table: str, target: Target) -> str:
    owner = next((one.name for one in tables().values() if table in one.sets), None)
    if owner:
        return f"it comes with {owner}"
    if table in UNLISTED:
        return "Clerk has no list of it, it comes from events alone"
    if table not in target.options.tables:
        return f"{target.destination} does not have it among its tables"
    return f"not every event of it is sent to {target.destination}, as hub check says"


def _plan(target: Target, api: BackendApi, mirroring: Mirroring, chosen: Sequence[str]) -> Iterator[str]:
    requests = 0
    for table in chosen:
        try:
            count = expected(api, table) or 0
        except ClerkError as error:
            yield f"{table}: nothing to read: {inline(absent(error))}"
            continue
        requests += count // LIMIT + 1
        yield f"{table}: {counted(count, 'object')} in Clerk"
    pending = mirroring.call(mirroring.mirror.pending)
    if pending:
        command = f"hub sync schema --sql --to {target.destination}"
        yield f"{counted(len(pending), 'statement')} would run first: {command}"
    seconds = requests / requests_per_second(target.access)
    yield f"about {counted(requests, 'request')}, {span(seconds)}; nothing was written"


def _show(state: Progress) -> None:
    progress.show(state.name, state.read, state.total, state.rate, state.remaining_seconds)


def _lines(results: Sequence[TableResult]) -> Iterator[str]:
    for result in results:
        if result.absent:
            yield f"{result.table}: nothing to read: {inline(result.absent)}"
            continue
        effects = ", ".join(f"{count:,} {effect}" for effect, count in sorted(result.effects.items()))
        yield f"{result.table}: {result.read:,} read" + (f", {effects}" if effects else "")
        yield from refusals(result.refused)
