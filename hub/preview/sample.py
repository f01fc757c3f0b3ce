"""One event to work with: the catalog's sample or a file, with values changed; and its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, BinaryIO, TypeVar

import click

from hub import catalog
from hub.errors import HubError
from hub.humanize import kind_of
from hub.lint import unknown_path
from hub.model.config import Config, SourceConfig
from hub.model.event import Event, new_id, parse_json
from hub.preview.earlier import earlier_type

Command = TypeVar("Command", bound=Callable[..., Any])


def sample_options(command: Command) -> Command:
    """Add the options that `build_payload` and `choose_source` take."""
    options = (
        click.argument("event", required=False),
        click.option(
            "--payload",
            type=click.File("rb"),
            metavar="FILE",
            help="The event's JSON, instead of the catalog's sample; EVENT may be left out then.",
        ),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="PATH=VALUE",
            help="Change a value: data.email_address=ada@example.com. JSON where it is, else text.",
        ),
        click.option("--source", metavar="NAME", help="The source it comes from; the first by default."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def build_payload(
    event_type: str | None, file: BinaryIO | None, changes: tuple[str, ...], now: datetime
) -> tuple[str, bytes]:
    """Return type and body of an event, as a sender would post it now. Raises click.UsageError (exit 2)."""
    base = None if file is None else _read(event_type, file, "'--payload'", event_type)
    event_type = event_type or (base or {}).get("type")
    if event_type is None:
        raise click.UsageError("name an EVENT such as user.created (hub events lists them all)")
    if base is None and catalog.find_event_type(event_type) is None:
        reason = catalog.unknown_event_type(event_type)
        raise click.UsageError(f"{reason}; for one of your own, give --payload")
    assignments = dict(map(_parse_change, changes))
    try:
        payload = catalog.sample_payload(
            event_type,
            assignments,
            base=base,
            timestamp_ms=int(now.timestamp() * 1000) if base is None else None,
        )
    except HubError as error:
        raise click.BadParameter(str(error), param_hint="'--set'") from error
    body = catalog.sample(event_type) if base is None else base
    for message in filter(None, (unknown_path(event_type, body, path) for path in assignments)):
        raise click.BadParameter(message, param_hint="'--set'")
    return event_type, payload


def sample_event(event_type: str, payload: bytes, source: SourceConfig, now: datetime) -> Event:
    """Return the event that the hub would make of such a request."""
    return Event(
        id=new_id("evt", now),
        source=source.name,
        message_id=new_id("msg", now),
        type=event_type,
        payload=payload,
        received_at=now,
    )


def previous_event(file: BinaryIO, event: Event) -> Event:
    """Return the earlier event that a file holds, from the same source. Raises click.BadParameter."""
    body = _read(None, file, "'--previous'", earlier_type(event.type))
    return replace(event, type=body["type"], payload=catalog.json_bytes(body))


def choose_source(config: Config, name: str | None) -> SourceConfig:
    """Return the source of that name, or the first; raise click.UsageError."""
    sources = config.sources
    if name is None:
        if not sources:
            raise HubError("the configuration has no source; add one under sources:")
        return next(iter(sources.values()))
    if name not in sources:
        raise click.BadParameter(f"there is no source {name}; there is {', '.join(sources)}")
    return sources[name]


def _read(event_type: str | None, file: BinaryIO, hint: str, default_type: str | None) -> dict[str, Any]:
    """Return the body that a file holds, which must be of `event_type` where that is given."""
    try:
        body = catalog.read_body(file.read(catalog.BODY_LIMIT_BYTES + 1))
    except HubError as error:
        raise click.BadParameter(f"{file.name} {error}", param_hint=hint) from error
    body = body if default_type is None else {"type": default_type, **body}
    fault = _type_fault(event_type, body)
    if fault:
        raise click.BadParameter(f"{file.name} {fault}", param_hint=hint)
    return body


def _type_fault(event_type: str | None, body: Mapping[str, Any]) -> str:
    """Return what is wrong with the type of a file's event; empty where it has one."""
    if "type" not in body:
        return 'has no "type": add one, such as "type": "user.created", or name the EVENT before --payload'
    if not isinstance(body["type"], str) or not body["type"]:
        return f'has a "type" that is {kind_of(body["type"]) if body["type"] != "" else "empty"}, not a name'
    if event_type not in (None, body["type"]):
        return f'holds an event of type "{body["type"]}"; name that one instead of {event_type}'
    return ""


def _parse_change(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not path or not equals:
        message = f'"{text}" must be a path, "=" and a value, such as data.email_address=ada@example.com'
        raise click.BadParameter(message, param_hint="'--set'")
    try:
        return path, parse_json(value)
    except (ValueError, RecursionError):
        return path, value
