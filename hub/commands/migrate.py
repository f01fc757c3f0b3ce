"""`hub migrate`: bring the database up to date."""

import click

from hub.commands import Section
from hub.process import start
from hub.rules.mirror_tables import migrate_mirrors
from hub.settings import load_settings

SECTION = Section.RUN


@click.command(short_help="Bring the database up to date.")
def command() -> None:
    """Bring the database up to date, making it where there is none, and the tables of mirrors.

    `serve`, `web` and `worker` do it by themselves. A mirror whose database is away is only told.
    """
    settings = load_settings()
    newer = start.migrate(settings)
    if newer is None:
        click.echo("the database is up to date")
    else:
        click.echo(
            f"the database is at {newer}, newer than this hub: nothing was done, and this hub goes on with it"
        )
    for line in migrate_mirrors(settings):
        click.echo(line)
