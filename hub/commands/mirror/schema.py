"""`hub sync schema`: the tables of a mirror, in words or as the statements that are still to run."""

from __future__ import annotations

from contextlib import closing

import click

from hub.commands.mirror.choosing import TO_HELP, mirror_of, options_of
from hub.destinations.database.options import DatabaseOptions
from hub.errors import HubError, SendError
from hub.mirror.listing import listing
from hub.mirror.mirror import open_mirror
from hub.rules.load import load_config
from hub.rules.mirrors import mirrored_tables
from hub.settings import load_settings
from hub.terminal.printing import say

CONNECT_SECONDS = 30.0


@click.command("schema", short_help="Print the tables of the mirror.")
@click.option("--to", metavar="DESTINATION", help=TO_HELP)
@click.option("--sql", is_flag=True, help="The statements that add what is missing in the database.")
def command(to: str | None, sql: bool) -> None:
    """Print the tables of the mirror with their columns; with --sql what the database still lacks.

    Needs the database with --sql only, and changes nothing.

    \b
    Examples:
      hub sync schema
      hub sync schema --sql | psql "$APP_DATABASE_URL"
    """
    settings = load_settings()
    config = load_config(settings.config_path, settings.templates_path, settings.environment)
    destination = mirror_of(config, to)
    if not sql:
        for line in listing(mirrored_tables(config, destination.name)):
            say(line)
        return
    statements = _pending(destination.name, options_of(destination))
    for statement in statements:
        say(f"{statement.rstrip().rstrip(';')};")
    if not statements:
        click.echo("nothing is missing", err=True)


def _pending(name: str, options: DatabaseOptions) -> list[str]:
    try:
        with closing(open_mirror(options.mirror, name)) as mirror:
            return mirror.pending(timeout_seconds=CONNECT_SECONDS)
    except SendError as error:
        raise HubError(f"{name}: {error}") from error
