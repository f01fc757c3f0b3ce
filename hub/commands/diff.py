"""`hub diff`: the deliveries of the last days' events that another configuration would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hub.catalog.redaction import Redaction
from hub.client.api import api_options, open_api
from hub.client.listing import stored_events
from hub.humanize import counted
from hub.ingest.route import Rules, load_rules
from hub.preview.diff import Change, ChangeKind, changes, grouped, message_diff
from hub.rules.load import load_config
from hub.settings import Settings, load_settings
from hub.terminal.printing import inline, say, say_json

IDS_SHOWN = 3
MESSAGES_SHOWN = 10

_SIGNS = {
    ChangeKind.ADDED: ("+", "green"),
    ChangeKind.REMOVED: ("-", "red"),
    ChangeKind.CHANGED: ("~", "yellow"),
}


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
    differing: list[Change] = []
    counts: Counter[str] = Counter()
    with open_api(url) as api:
        for event in stored_events(api, since, counts):
            differing += changes(event, today, tomorrow, settings.public_url)
    redaction = today.redaction.joined(tomorrow.redaction) if show else None
    if as_json:
        say_json(_document(differing, counts, redaction))
    else:
        for line in _page(differing, counts, since, redaction):
            say(line)
    if exit_code and differing:
        raise click.exceptions.Exit(1)


def _rules(settings: Settings, path: Path, templates: Path) -> Rules:
    return load_rules(load_config(path, templates, settings.environment))


def _page(
    differing: list[Change], counts: Counter[str], since: str, redaction: Redaction | None
) -> Iterator[str]:
    """Yield the page; with messages where there is a redaction for them."""
    for group in grouped(differing):
        yield _heading(group)
        if redaction:
            for change in group[:MESSAGES_SHOWN]:
                yield from _message(change, redaction)
            if len(group) > MESSAGES_SHOWN:
                yield f"    and {len(group) - MESSAGES_SHOWN} more like these; --json has all"
    if differing:
        yield ""
    yield _summary(differing, counts, since)


def _heading(group: list[Change]) -> str:
    first, ids = group[0], [change.event.id for change in group]
    sign, colour = _SIGNS[first.kind]
    more = f" and {len(ids) - IDS_SHOWN} more" if len(ids) > IDS_SHOWN else ""
    destination = first.destination
    title = f"{sign}{len(group)}  {first.route} → {destination.name} ({destination.type})"
    return f"{click.style(title, fg=colour)}  {', '.join(ids[:IDS_SHOWN])}{more}"


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


def _summary(differing: list[Change], counts: Counter[str], since: str) -> str:
    events = f"{counted(counts['events'], 'event')} since {inline(since)}"
    if counts["pruned"]:
        events += f" ({counts['pruned']:,} more are pruned)"
    if not differing:
        return f"no difference in {events}"
    kinds = Counter((change.destination.type, change.kind) for change in differing)
    totals = (f"{_SIGNS[kind][0]}{count} {type_}" for (type_, kind), count in sorted(kinds.items()))
    return f"{', '.join(totals)}: {events}"


def _document(differing: list[Change], counts: Counter[str], redaction: Redaction | None) -> dict[str, Any]:
    return {
        "events": counts["events"],
        "pruned": counts["pruned"],
        "changes": [_item(change, redaction) for change in differing],
    }


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
