"""`hub prune`: remove what is old."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import click

from hub.commands import Section
from hub.durations import parse_duration
from hub.maintenance.prune import prune
from hub.process import start
from hub.settings import load_settings
from hub.terminal.printing import say

SECTION = Section.OPERATE


@click.command(short_help="Remove what is older than HUB_RETENTION.")
@click.option("--older-than", metavar="DURATION", help="30d, 12h; HUB_RETENTION by default.")
def command(older_than: str | None) -> None:
    """Remove finished deliveries and payloads older than HUB_RETENTION; message ids stay for 90 days.

    What is still owed, dead or held is never removed.
    """
    settings = load_settings()
    retention = settings.retention if older_than is None else _duration(older_than)

    with closing(start.open_existing(settings)) as store:
        total = prune(store, retention)
    say(
        f"{total} rows older than {older_than or 'HUB_RETENTION'} removed"
        if total
        else "nothing is old enough"
    )


def _duration(text: str) -> timedelta:
    duration = parse_duration(text)
    if not duration:
        raise click.BadParameter("say a duration above zero such as 30d or 12h", param_hint="'--older-than'")
    return duration
