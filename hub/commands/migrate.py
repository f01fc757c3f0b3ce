"""`hub migrate`: bring the database up to date."""

import click

from hub.commands import Section
from hub.process import start
from hub.settings import load_settings

SECTION = Section.RUN


@click.command(short_help="Bring the database up to date.")
def command() -> None:
    """Bring the database up to date, making it where there is none.

    `serve`, `web` and `worker` do it by themselves.
    """
    newer = start.migrate(load_settings())
    if newer is None:
        click.echo("the database is up to date")
    else:
        click.echo(
            f"the database is at {newer}, newer than this hub: nothing was done, and this hub goes on with it"
        )
