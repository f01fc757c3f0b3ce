"""`hub retry`: another attempt of deliveries that are not delivered."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

import click

from hub.client.api import Api, RemoteHub, api_options, open_api
from hub.terminal.batch import run_batch
from hub.terminal.printing import say, say_json
from hub.terminal.wait import obstacle_in_words


@click.command()
@click.argument("delivery_ids", metavar="[ID]...", nargs=-1)
@click.option("--state", type=click.Choice(["dead", "cancelled"]), help="Instead of IDs: all in this state.")
@click.option("--destination", metavar="NAME", help="With --state: only those to this destination.")
@click.option("--since", metavar="WHEN", help="With --state: only those since a time, or so long ago: 2h.")
@api_options
def command(
    delivery_ids: tuple[str, ...],
    state: str | None,
    destination: str | None,
    since: str | None,
    hub: RemoteHub | None,
    as_json: bool,
) -> None:
    """Send deliveries again under their ids, rendered anew by today's routes.

    Name them, or say --state dead for all dead letters.
    """
    if bool(delivery_ids) == bool(state):
        raise click.UsageError("name the deliveries to retry, or say --state dead for all dead letters")
    if delivery_ids and (destination or since):
        raise click.UsageError("--destination and --since go with --state dead")
    with open_api(hub) as api:
        if state is None:
            run_batch(delivery_ids, partial(_retry, api, as_json))
            return
        result = api.call("POST", "/api/retry", state=state, destination=destination, since=since)
    if as_json:
        say_json(result)
    else:
        count = result["retried"]
        say(f"{count} {'delivery' if count == 1 else 'deliveries'} will be sent again")


def _retry(api: Api, as_json: bool, delivery_id: str) -> None:
    delivery = api.call("POST", f"/api/deliveries/{quote(delivery_id, safe='')}/retry")
    if as_json:
        say_json(delivery)
    else:
        waits = obstacle_in_words(delivery["why"])
        say(f"{delivery_id} will be sent to {delivery['destination']} again{waits}")
