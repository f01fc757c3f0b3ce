"""`hub resume`: let a paused destination go on."""

from __future__ import annotations

from urllib.parse import quote

import click

from hub.client.api import RemoteHub, api_options, open_api
from hub.commands import Section
from hub.terminal.printing import say, say_json
from hub.terminal.wait import obstacle_in_words

SECTION = Section.OPERATE


@click.command(short_help="Let a destination go on.")
@click.argument("name")
@api_options
def command(name: str, hub: RemoteHub | None, as_json: bool) -> None:
    """Let the destination NAME go on: what waited for it is sent now.

    One that fails need not wait for its next try either. A message that was tried before keeps its own
    schedule: `hub retry --destination NAME --state pending` sends it at once.

    \b
    Example:
      hub resume crm
    """
    with open_api(hub) as api:
        destination = api.call("POST", f"/api/destinations/{quote(name, safe='')}/resume")
    if as_json:
        say_json(destination)
    elif destination["why"] is not None:
        waits = obstacle_in_words(destination["why"])
        say(f"{name} is not paused any more{waits}")
    else:
        say(f"{name} goes on: what waited is sent now")
