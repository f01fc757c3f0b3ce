"""`hub pause`: let a destination wait."""

from __future__ import annotations

from urllib.parse import quote

import click

from hub.client.api import RemoteHub, api_options, open_api
from hub.commands import Section
from hub.terminal.printing import say, say_json

SECTION = Section.OPERATE


@click.command(short_help="Let a destination wait.")
@click.argument("name")
@api_options
def command(name: str, hub: RemoteHub | None, as_json: bool) -> None:
    """Let the destination NAME wait: what it is owed stays pending until `hub resume`.

    \b
    Examples:
      hub pause crm
      hub pause crm --url https://hub.example.com
    """
    with open_api(hub) as api:
        destination = api.call("POST", f"/api/destinations/{quote(name, safe='')}/pause")
    if as_json:
        say_json(destination)
    else:
        say(f"{name} is paused: what it is owed waits")
