"""`hub diff`: what another configuration would have made of the events of the last days; sends nothing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from difflib import unified_diff
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from hub.catalog.redaction import Redaction, redaction_of
from hub.client.api import Api, api_options, open_api
from hub.ingest.route import Rules, load_rules
from hub.model.event import HUB_SOURCE, Event
from hub.preview.diff import ADDED, CHANGED, REMOVED, Change, changes
from hub.preview.messages import lines, outgoing
from hub.preview.renderings import Rendering
from hub.rules.load import load_config
from hub.settings import Settings, load_settings
from hub.terminal.printing import one_line, say, say_json

PAGE = 100
IDS_SHOWN = 3
MESSAGES_SHOWN = 10

_SIGNS = {ADDED: ("+", "green"), REMOVED: ("-", "red"), CHANGED: ("~", "yellow")}


@click.command()
@click.argument("other", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--templates",
    type=click.Path(file_okay=False, path_type=Path),
    help="The templates folder of OTHER; today's if left out.",
)
@click.option(
    "--since", metavar="WHEN", default="7d", show_default=True, help="Events since a time, or so long ago."
)
@click.option("--show", is_flag=True, help=f"Print messages too, up to {MESSAGES_SHOWN} of a kind.")
@click.option("--exit-code", is_flag=True, help="Exit 1 if there is any difference, for CI.")
@api_options
def command(
    other: Path,
    templates: Path | None,
    since: str,
    show: bool,
    exit_code: bool,
    url: str | None,
    as_json: bool,
) -> None:
    """Run stored events through today's configuration and through OTHER, and print what would be different:
    deliveries that OTHER would add, remove or change.

    Today's configuration is that of HUB_CONFIG and HUB_TEMPLATES. The events come from the local database or,
    with --url, from a hub far away.
    """
    settings = load_settings()
    today = _rules(settings, settings.config_path, settings.templates_path)
    tomorrow = _rules(settings, other, templates or settings.templates_path)
    found: list[Change] = []
    counted: Counter[str] = Counter()
    with open_api(url) as api:
        for event in _events(api, since, counted):
            found += changes(event, today, tomorrow, settings.public_url)
    masks = redaction_of(settings.environment)
    if as_json:
        say_json(_document(found, counted, masks if show else None))
    else:
        for line in _page(found, counted, since, masks if show else None):
            say(line)
    if exit_code and found:
        raise click.exceptions.Exit(1)


def _rules(settings: Settings, path: Path, templates: Path) -> Rules:
    return load_rules(load_config(path, templates, settings.environment))


def _events(api: Api, since: str, counted: Counter[str]) -> Iterator[Event]:
    """The stored events, newest first; those of the hub itself and those that are pruned are left out."""
    cursor = None
    while True:
        page = api.call("GET", "/api/events", since=since, payload="true", limit=PAGE, before=cursor)
        for item in page["items"]:
            if item["source"] == HUB_SOURCE:
                continue
            counted["pruned" if item["payload"] is None else "events"] += 1
            if item["payload"] is not None:
                yield _event(item)
        cursor = page["next"]
        if cursor is None:
            return


def _event(item: dict[str, Any]) -> Event:
    return Event(
        id=item["id"],
        source=item["source"],
        message_id=item["message_id"],
        type=item["type"],
        payload=json.dumps(item["payload"]).encode(),
        received_at=datetime.fromisoformat(item["received_at"]),
    )


# -- the page -------------------------------------------------------------------------------------


def _page(found: list[Change], counted: Counter[str], since: str, masks: Redaction | None) -> Iterator[str]:
    for group in _groups(found):
        yield _heading(group)
        if masks:
            for change in group[:MESSAGES_SHOWN]:
                yield from _message(change, masks)
            if len(group) > MESSAGES_SHOWN:
                yield f"    and {len(group) - MESSAGES_SHOWN} more like these; --json has all"
    if found:
        yield ""
    yield _summary(found, counted, since)


def _groups(found: Iterable[Change]) -> list[list[Change]]:
    """Changes of one kind, route and destination together, in the order of their names."""

    def key(change: Change) -> tuple[str, str, str]:
        return change.route, change.destination.name, change.kind

    return [list(group) for _, group in groupby(sorted(found, key=key), key)]


def _heading(group: list[Change]) -> str:
    first, ids = group[0], [change.event.id for change in group]
    sign, colour = _SIGNS[first.kind]
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    place = first.destination
    what = f"{sign}{len(group)}  {first.route} → {place.name} ({place.type})"
    return f"{click.style(what, fg=colour)}  {', '.join(ids[:IDS_SHOWN])}{more}"


def _message(change: Change, masks: Redaction) -> Iterator[str]:
    """The message that would come or go, or the lines in which it would be another."""
    before, after = (_lines(each, change.event, masks) for each in (change.before, change.after))
    yield f"    {one_line(change.event.type)} {change.event.id}"
    if change.kind != CHANGED:
        yield from (f"      {line}" for line in before or after)
    elif before == after:
        yield "      the same message, sent elsewhere"
    else:
        for line in list(unified_diff(before, after, lineterm="", n=1))[2:]:
            colour = {"+": "green", "-": "red"}.get(line[0])
            yield f"      {click.style(line, fg=colour, dim=line.startswith('@@'))}"


def _lines(rendering: Rendering | None, event: Event, masks: Redaction) -> list[str]:
    if rendering is None:
        return []
    own = masks.of_event(event.type, event.payload)
    failure = one_line(own.optional(rendering.error or rendering.degraded))
    said = [failure] if failure else []
    if rendering.message is not None:
        said += lines(outgoing(rendering.message, event, rendering.destination, own.anything))
    return said


def _summary(found: list[Change], counted: Counter[str], since: str) -> str:
    events = f"{counted['events']:,} event{'' if counted['events'] == 1 else 's'} since {one_line(since)}"
    if counted["pruned"]:
        events += f" ({counted['pruned']:,} more are pruned)"
    if not found:
        return f"no difference in {events}"
    counts = Counter((change.destination.type, change.kind) for change in found)
    told = (f"{_SIGNS[kind][0]}{count} {type_}" for (type_, kind), count in sorted(counts.items()))
    return f"{', '.join(told)}: {events}"


def _document(found: list[Change], counted: Counter[str], masks: Redaction | None) -> dict[str, Any]:
    return {
        "events": counted["events"],
        "pruned": counted["pruned"],
        "changes": [_item(change, masks) for change in found],
    }


def _item(change: Change, masks: Redaction | None) -> dict[str, Any]:
    item: dict[str, Any] = {
        "change": change.kind,
        "route": change.route,
        "destination": change.destination.name,
        "type": change.destination.type,
        "event": change.event.id,
        "event_type": change.event.type,
    }
    if masks:
        own = masks.of_event(change.event.type, change.event.payload)
        item["before"] = own.anything(change.before.message) if change.before else None
        item["after"] = own.anything(change.after.message) if change.after else None
    return item
