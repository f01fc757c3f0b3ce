"""Acts of an operator on deliveries: on those that are named, or on all that a filter finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, TypeVar, cast
from urllib.parse import quote

import click

from hub.client.api import Api, RemoteHub, api_options, open_api
from hub.client.filters import filter_options
from hub.humanize import counted
from hub.terminal.batch import run_batch
from hub.terminal.printing import inline, say, say_json
from hub.terminal.wait import obstacle_in_words, wait_in_words

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The deliveries that a command is to act on, and the way it prints: those of `ids`, or of `filters`."""

    ids: tuple[str, ...]
    filters: Mapping[str, str]
    is_dry_run: bool
    hub: RemoteHub | None
    as_json: bool


@dataclass(frozen=True, kw_only=True)
class DeliveryCommand:
    """An act as a command does it: its name in the API, and the words for what it did to one, and to many.

    `state` is that of the deliveries where a filter names none.
    """

    act: str
    as_: str | None = None
    state: str
    one: str
    many: str


def delivery_options(command: Command) -> Command:
    """Add the arguments and options of an act on deliveries; they arrive as the command's `chosen`.

    Wrong usage is told: neither ids nor a filter, or both.
    """

    @click.argument("delivery_ids", metavar="[ID]...", nargs=-1)
    @filter_options
    @click.option("--dry-run", is_flag=True, help="Only count what would be done.")
    @api_options
    @wraps(command)
    def with_deliveries(
        delivery_ids: tuple[str, ...],
        filters: Mapping[str, str | None],
        dry_run: bool,
        hub: RemoteHub | None,
        as_json: bool,
        **arguments: Any,
    ) -> Any:
        given = {name: value for name, value in filters.items() if value is not None}
        if bool(delivery_ids) == bool(given):
            raise click.UsageError("name deliveries, or say which by options: --state, --destination, …")
        if delivery_ids and dry_run:
            raise click.UsageError("--dry-run goes with options that choose deliveries, not with IDs")
        chosen = Chosen(ids=delivery_ids, filters=given, is_dry_run=dry_run, hub=hub, as_json=as_json)
        return command(chosen=chosen, **arguments)

    return cast(Command, with_deliveries)


def act_on(chosen: Chosen, command: DeliveryCommand) -> None:
    """Do it, and print what came of it; exits 1 where something was not done."""
    with open_api(chosen.hub) as api:
        if chosen.ids:
            run_batch(chosen.ids, partial(_act_on_one, api, chosen, command))
            return
        body = {
            "act": command.act,
            **({"as": command.as_} if command.as_ else {}),
            "filter": {"state": command.state, **chosen.filters},
            "dry_run": chosen.is_dry_run,
        }
        result = api.act("/api/deliveries/acts", body)
    if chosen.as_json:
        say_json(result)
    else:
        for line in _lines(result, chosen, command):
            say(line)
        for why, count in Counter(inline(skipped["why"]) for skipped in result["skipped"]).items():
            say(f"hub: {counted(count, 'delivery', 'deliveries')} not: {why}", err=True)
    if result["skipped"]:
        raise click.exceptions.Exit(1)


def _act_on_one(api: Api, chosen: Chosen, command: DeliveryCommand, delivery_id: str) -> None:
    path = f"/api/deliveries/{quote(delivery_id, safe='')}/{command.act}"
    delivery = api.call("POST", path, **({"as": command.as_} if command.as_ else {}))
    if chosen.as_json:
        say_json(delivery)
    else:
        waits = obstacle_in_words(delivery["why"])
        line = command.one.format(id=inline(delivery_id), destination=inline(delivery["destination"]))
        say(f"{line}{waits}")


def _lines(result: Mapping[str, Any], chosen: Chosen, command: DeliveryCommand) -> Iterator[str]:
    line = f"{counted(result['changed'], 'delivery', 'deliveries')} {command.many}"
    yield f"{line} (a dry run: nothing was changed)" if chosen.is_dry_run else line
    for wait in result.get("waits", ()):
        waiting = counted(wait["deliveries"], "waits", "wait")
        yield f"{waiting}, to {inline(wait['destination'])}: {wait_in_words(wait['why'])}"
    if result.get("more"):
        yield "there are more than go at once: say it again for the next, or choose fewer"
