"""`hub replay`: old events routed again."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

import click

from hub.client.api import Api, RemoteHub, api_options, open_api
from hub.humanize import counted
from hub.terminal.batch import run_batch
from hub.terminal.printing import inline, say, say_json


@click.command()
@click.argument("event_ids", metavar="EVENT_ID...", nargs=-1, required=True)
@api_options
def command(event_ids: tuple[str, ...], hub: RemoteHub | None, as_json: bool) -> None:
    """Route events again by today's rules: new deliveries beside the old ones."""
    with open_api(hub) as api:
        run_batch(event_ids, partial(_replay, api, as_json))


def _replay(api: Api, as_json: bool, event_id: str) -> None:
    replay = api.call("POST", f"/api/events/{quote(event_id, safe='')}/replay")
    if as_json:
        say_json(replay)
        return
    deliveries = counted(replay["deliveries"], "new delivery", "new deliveries")
    routes = f" by {inline(', '.join(replay['routes']))}" if replay["routes"] else ""
    say(f"{event_id}: {deliveries}{routes}")
