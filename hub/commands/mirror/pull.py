"""`hub sync pull`: one object, as Clerk has it now."""

from __future__ import annotations

from contextlib import closing

import click

from hub.client.api import version_that_serves
from hub.commands.mirror.choosing import TO_HELP
from hub.process import start
from hub.settings import load_settings
from hub.sync.pull import pull
from hub.sync.runs import opened
from hub.sync.targets import find_target
from hub.terminal import progress
from hub.terminal.printing import inline, say


@click.command("pull", short_help="Fetch one object from Clerk into the mirror.")
@click.argument("id_", metavar="ID")
@click.option("--to", metavar="DESTINATION", help=TO_HELP)
def command(id_: str, to: str | None) -> None:
    """Fetch the object ID from Clerk into the mirror, also where it counts as deleted there.

    Where Clerk says that it is gone its row is deleted.

    \b
    Example:
      hub sync pull user_2xcTwBR4YM1l1cvgNvwPoHF7naN
    """
    settings = load_settings()
    with closing(start.open_existing(settings)) as store:
        target = find_target(version_that_serves(settings, store).rules.config, to)
    with opened(target, on_retry=progress.retry) as (api, mirroring):
        say(inline(pull(api, mirroring, target.tables, id_)))
