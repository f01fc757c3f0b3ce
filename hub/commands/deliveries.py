"""`hub deliveries`: sent and unsent messages, and the reasons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import click

from hub.client.api import RemoteHub, api_options, open_api
from hub.client.filters import filter_options
from hub.client.listing import list_deliveries
from hub.commands import Section
from hub.humanize import ago
from hub.strings import shortened
from hub.terminal.printing import indented, inline, parse_time, say, say_json
from hub.terminal.table import table, terminal_width
from hub.terminal.wait import wait_in_words

SECTION = Section.LOOK

SHORT = 80
"""Parts of a message up to so many characters stand beside their name."""

SHORT_HEADLINE = 60
"""A headline in a list is cut to so many characters: six more columns stand beside it."""

_COLOURS = {"delivered": "green", "dead": "red", "held": "yellow", "sending": "cyan", "failed": "red"}


@click.command(short_help="List what was sent and what was not, or show one.")
@click.argument("delivery_id", metavar="[ID]", required=False)
@filter_options
@click.option("--event", metavar="ID", help="Only those of this event.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@api_options
def command(
    delivery_id: str | None,
    filters: dict[str, str | None],
    event: str | None,
    limit: int,
    hub: RemoteHub | None,
    as_json: bool,
) -> None:
    """List deliveries, newest first, or show the delivery ID with its attempts and its message.

    \b
    Examples:
      hub deliveries --state dead
      hub deliveries --destination crm --since 2h
      hub deliveries --type 'user.*' --json
      hub deliveries dlv_01a2f3
    """
    with open_api(hub) as api:
        if delivery_id is not None:
            shown = api.call("GET", f"/api/deliveries/{quote(delivery_id, safe='')}")
        else:
            shown = list_deliveries(api, limit, **filters, event=event)
    if as_json:
        say_json(shown)
        return
    now = datetime.now(UTC)
    for line in _details(shown, now) if delivery_id is not None else _table(shown, now):
        say(line)


def _table(page: dict[str, Any], now: datetime) -> Iterator[str]:
    if "read_until" in page:
        yield f"searched only what had arrived by {page['read_until']}; workers are still reading the rest"
    if not page["items"]:
        yield "no deliveries"
        return
    headings = ("ID", "STATE", "DESTINATION", "WHAT HAPPENED", "ATTEMPTS", "CREATED", "REASON")
    yield from table(headings, (_row(item, now) for item in page["items"]), terminal_width())
    if page["next"]:
        yield f"there are more than these {len(page['items'])}: --limit shows more, --state or --since fewer"


def _row(item: dict[str, Any], now: datetime) -> tuple[str, ...]:
    return (
        inline(item["id"]),
        _coloured(item["state"]),
        inline(item["destination"]),
        shortened(inline(item["headline"]), SHORT_HEADLINE),
        str(item["attempts"]),
        ago(parse_time(item["created_at"]), now),
        wait_in_words(item["why"]) or inline(item["reason"]),
    )


def _details(item: dict[str, Any], now: datetime) -> Iterator[str]:
    yield click.style(f"{inline(item['headline'])}, to {inline(item['destination'])}", bold=True)
    facts = {
        "delivery": item["id"],
        "type": item["type"],
        "event": item["event"],
        "route": item["route"],
        "state": _coloured(item["state"]),
        "reason": inline(item["reason"]),
        "waits": wait_in_words(item["why"]),
        "to do": _to_do(item),
        "degraded": "it went out in another form than its send block has" if item["degraded"] else "",
        "created": item["created_at"],
        "delivered": item["delivered_at"],
    }
    for name, value in facts.items():
        if value:
            yield f"  {name:<10} {value}"
    yield ""
    yield from _attempts(item["attempt_list"])
    if item["message"]:
        yield click.style("Message", bold=True)
        for name, value in item["message"].items():
            yield from _part(inline(name), value)


def _to_do(item: dict[str, Any]) -> str:
    """Return the command that is somebody's to run; empty where the hub goes on by itself."""
    id_, destination = inline(item["id"]), inline(item["destination"])
    if item["state"] == "held":
        return f"look there whether it arrived, then hub resolve {id_} --as delivered, or --as retry"
    if item["state"] == "dead" and not (item["reason"] or "").startswith("too old"):
        return f"mend the cause, then hub retry {id_}"
    if item["why"] is not None and item["why"]["code"] == "paused":
        return f"hub resume {destination}, once it may go on"
    return ""


def _part(name: str, value: Any) -> Iterator[str]:
    """Yield one key of a message: a short one beside its name, another one below it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    if "\n" not in text and len(text) <= SHORT:
        yield f"  {name}: {inline(text)}"
    else:
        yield f"  {name}"
        yield from indented(text, "    ")


def _attempts(attempts: list[dict[str, Any]]) -> Iterator[str]:
    if not attempts:
        return
    yield click.style("Attempts", bold=True)
    for number, attempt in enumerate(attempts, 1):
        outcome = _coloured(attempt["outcome"] or "under way")
        seconds = f"after {attempt['seconds']:.2f} s" if attempt["seconds"] is not None else ""
        status = str(attempt["status"] or "")
        parts = (f"{number}.", attempt["at"], outcome, status, seconds, inline(attempt["detail"]))
        yield "  " + "  ".join(filter(None, parts))
        if attempt["answer"]:
            yield f"     {inline(attempt['answer'])}"
    yield ""


def _coloured(state: str) -> str:
    return click.style(state, fg=_COLOURS[state]) if state in _COLOURS else state
