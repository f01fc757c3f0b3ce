"""`hub destinations`: the places to send to, what waits for each, and what is the matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from hub.client.api import RemoteHub, api_options, open_api
from hub.commands import Section
from hub.humanize import ago, span
from hub.terminal.printing import inline, parse_time, say, say_json
from hub.terminal.table import table

SECTION = Section.LOOK

_HEADINGS = ("DESTINATION", "TYPE", "STATE", "WAITING", "HELD", "DEAD", "DELIVERED")


@click.command(short_help="List destinations, and what is the matter with each.")
@api_options
def command(hub: RemoteHub | None, as_json: bool) -> None:
    """List the destinations in the order of routes.yaml: what waits for each, and what is the matter.

    `hub deliveries --destination NAME` has the messages of one.

    \b
    Examples:
      hub destinations
      hub destinations --url https://hub.example.com
    """
    with open_api(hub) as api:
        page = api.call("GET", "/api/destinations")
    if as_json:
        say_json(page)
        return
    for line in _lines(page["items"], datetime.now(UTC)):
        say(line)


def _lines(items: Sequence[dict[str, Any]], now: datetime) -> Iterator[str]:
    """Yield a row for each, and below it what is the matter, which is never cut."""
    if not items:
        yield "no destinations"
        return
    heading, *rows = table(_HEADINGS, map(_row, items), None)
    yield heading
    for row, item in zip(rows, items, strict=True):
        yield row
        if matter := _matter(item, now):
            yield f"  {matter}"


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    counts = (item["pending"] + item["sending"], item["held"], item["dead"], item["delivered"])
    return (inline(item["name"]), inline(item["type"]), item["state"].replace("_", " "), *map(str, counts))


def _matter(item: dict[str, Any], now: datetime) -> str:
    """Return what is the matter, for how long, and when the next try is."""
    parts = [inline(item["reason"])]
    if item["since"]:
        parts.append(f"for {span((now - parse_time(item['since'])).total_seconds())}")
    if item["probe_at"] and item["pending"]:
        parts.append(f"next try {ago(max(parse_time(item['probe_at']), now), now)}")
    return ", ".join(filter(None, parts))
