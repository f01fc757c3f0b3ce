"""`hub diff`: the deliveries of the last days' events that another configuration would change."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from textwrap import indent
from typing import Any

import click

from hub.catalog.redaction import Redaction
from hub.client.api import RemoteHub, api_options, open_api
from hub.client.listing import stored_events
from hub.commands import Section
from hub.humanize import counted
from hub.ingest.route import Rules, load_rules
from hub.model.destination import DestinationConfig
from hub.preview.diff import Change, ChangeKind, changes, message_diff
from hub.rules.load import load_config
from hub.settings import Settings, load_settings
from hub.terminal.printing import inline, say

SECTION = Section.WRITE

IDS_SHOWN = 3
MESSAGES_SHOWN = 10

_SIGNS = {
    ChangeKind.ADDED: ("+", "green"),
    ChangeKind.REMOVED: ("-", "red"),
    ChangeKind.CHANGED: ("~", "yellow"),
}


@click.command(short_help="Compare what two configurations make of stored events.")
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
    hub: RemoteHub | None,
    as_json: bool,
) -> None:
    """Run stored events through today's configuration and through OTHER, and print what would be different:
    deliveries that OTHER would add, remove or change.

    Today's configuration is that of HUB_CONFIG and HUB_TEMPLATES. The events come from the local database or,
    with --url, from a hub far away.

    \b
    Example:
      hub diff other.yaml --since 2d
    """
    settings = load_settings()
    today = _rules(settings, settings.config_path, settings.templates_path)
    tomorrow = _rules(settings, other, templates or settings.templates_path)
    redaction = today.redaction.joined(tomorrow.redaction) if show else None
    counts: Counter[str] = Counter()
    with open_api(hub) as api:
        differing = (
            change
            for event in stored_events(api, since, counts)
            for change in changes(event, today, tomorrow, settings.public_url)
        )
        if as_json:
            differs = _print_json(differing, counts, redaction)
        else:
            differs = _print_page(differing, counts, since, redaction)
    if exit_code and differs:
        raise click.exceptions.Exit(1)


def _rules(settings: Settings, path: Path, templates: Path) -> Rules:
    return load_rules(load_config(path, templates, settings.environment))


@dataclass
class _Group:
    """The changes of one kind, route and destination: their number, and as much of them as is shown."""

    destination: DestinationConfig
    count: int = 0
    ids: list[str] = field(default_factory=list)
    messages: list[list[str]] = field(default_factory=list)

    def add(self, change: Change, redaction: Redaction | None) -> None:
        self.count += 1
        if len(self.ids) < IDS_SHOWN:
            self.ids.append(change.event.id)
        if redaction and len(self.messages) < MESSAGES_SHOWN:
            self.messages.append(list(_message(change, redaction)))


def _print_page(
    differing: Iterable[Change], counts: Counter[str], since: str, redaction: Redaction | None
) -> bool:
    """Print what differs, with messages where there is a redaction for them; return True where anything does.

    What is not shown is counted and let go: there may be more events than memory.
    """
    groups: dict[tuple[str, str, ChangeKind], _Group] = {}
    for change in differing:
        key = (change.route, change.destination.name, change.kind)
        groups.setdefault(key, _Group(destination=change.destination)).add(change, redaction)
    for (route, _, kind), group in sorted(groups.items()):
        say(_heading(route, kind, group))
        for line in chain.from_iterable(group.messages):
            say(line)
        if redaction and group.count > MESSAGES_SHOWN:
            say(f"    and {group.count - MESSAGES_SHOWN} more like these; --json has all")
    if groups:
        say()
    say(_summary(groups, counts, since))
    return bool(groups)


def _heading(route: str, kind: ChangeKind, group: _Group) -> str:
    sign, colour = _SIGNS[kind]
    more = f" and {group.count - IDS_SHOWN} more" if group.count > IDS_SHOWN else ""
    destination = group.destination
    title = f"{sign}{group.count}  {route} → {destination.name} ({destination.type})"
    return f"{click.style(title, fg=colour)}  {', '.join(group.ids)}{more}"


def _message(change: Change, redaction: Redaction) -> Iterator[str]:
    yield f"    {inline(change.event.type)} {change.event.id}"
    lines = message_diff(change, redaction.of_event(change.event.type, change.event.payload))
    if change.kind is not ChangeKind.CHANGED:
        yield from (f"      {line}" for line in lines)
    elif not lines:
        yield "      the same message, sent elsewhere"
    else:
        for line in lines:
            colour = {"+": "green", "-": "red"}.get(line[0])
            yield f"      {click.style(line, fg=colour, dim=line.startswith('@@'))}"


def _summary(groups: Mapping[tuple[str, str, ChangeKind], _Group], counts: Counter[str], since: str) -> str:
    events = f"{counted(counts['events'], 'event')} since {inline(since)}"
    if counts["pruned"]:
        events += f" ({counts['pruned']:,} more are pruned)"
    if not groups:
        return f"no difference in {events}"
    kinds: Counter[tuple[str, ChangeKind]] = Counter()
    for (_, _, kind), group in groups.items():
        kinds[group.destination.type, kind] += group.count
    totals = (f"{_SIGNS[kind][0]}{count} {type_}" for (type_, kind), count in sorted(kinds.items()))
    return f"{', '.join(totals)}: {events}"


def _print_json(differing: Iterable[Change], counts: Counter[str], redaction: Redaction | None) -> bool:
    """Print one document, each change as soon as it is known; return True where there is any."""
    separator = ""
    say('{\n  "changes": [', ends_line=False)
    for change in differing:
        text = json.dumps(_item(change, redaction), indent=2)
        say(f"{separator}\n{indent(text, '    ')}", ends_line=False)
        separator = ","
    say("\n  ]," if separator else "],")
    say(f'  "events": {counts["events"]},\n  "pruned": {counts["pruned"]}\n}}')
    return bool(separator)


def _item(change: Change, redaction: Redaction | None) -> dict[str, Any]:
    item: dict[str, Any] = {
        "change": change.kind.value,
        "route": change.route,
        "destination": change.destination.name,
        "type": change.destination.type,
        "event": change.event.id,
        "event_type": change.event.type,
    }
    if redaction:
        own = redaction.of_event(change.event.type, change.event.payload)
        item["before"] = own.anything(change.before.message) if change.before else None
        item["after"] = own.anything(change.after.message) if change.after else None
    return item
