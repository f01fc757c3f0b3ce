"""`hub sync`: the mirror of Clerk's objects; its commands have a file each in `mirror/`."""

from __future__ import annotations

import click

from hub.commands import Section
from hub.commands.mirror import backfill, pull, schema, verify

SECTION = Section.OPERATE


@click.group("sync", short_help="Fill and compare the mirror of Clerk's objects.")
def command() -> None:
    """Look after the mirror of Clerk's objects in your own database.

    \b
    Examples:
      hub sync schema
      hub sync backfill
      hub sync verify --repair
    """


for module in (backfill, verify, pull, schema):
    command.add_command(module.command)
