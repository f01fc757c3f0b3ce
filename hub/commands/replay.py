"""`hub replay`: old events routed again."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

import click

from hub.client.api import Api, RemoteHub, api_options, open_api
from hub.commands import Section
from hub.humanize import counted
from hub.terminal.batch import run_batch
from hub.terminal.printing import inline, say, say_json

SECTION = Section.OPERATE


@click.command(short_help="Route old events again, by today's rules.")
@click.argument("event_ids", metavar="EVENT_ID...", nargs=-1, required=True)
@click.option(
    "--destination",
    "destinations",
    metavar="NAME",
    multiple=True,
    help="Only to this one; once more for another.",
)
@api_options
def command(
    event_ids: tuple[str, ...], destinations: tuple[str, ...], hub: RemoteHub | None, as_json: bool
) -> None:
    """Route events again by today's rules: new deliveries beside the old ones.

    \b
    Examples:
      hub replay evt_01a2f3
      hub replay evt_01a2f3 --destination crm
    """
    with open_api(hub) as api:
        run_batch(event_ids, partial(_replay, api, as_json, destinations))


def _replay(api: Api, as_json: bool, destinations: tuple[str, ...], event_id: str) -> None:
    path = f"/api/events/{quote(event_id, safe='')}/replay"
    replay = api.call("POST", path, destination=destinations)
    if as_json:
        say_json(replay)
        return
    deliveries = counted(replay["deliveries"], "new delivery", "new deliveries")
    routes = f" by {inline(', '.join(replay['routes']))}" if replay["routes"] else ""
    say(f"{event_id}: {deliveries}{routes}")
