"""One event to work with: the catalog's sample or a file, with values changed; and its source."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, BinaryIO, TypeVar

import click

from hub import catalog
from hub.errors import HubError
from hub.model.config import Config, SourceConfig

Command = TypeVar("Command", bound=Callable[..., Any])


def sample_options(command: Command) -> Command:
    """The options that `make_payload` and `chosen_source` need."""
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


def make_payload(
    event: str | None, file: BinaryIO | None, changes: tuple[str, ...], now: datetime
) -> tuple[str, bytes]:
    """The type and the body of an event, as a sender would post it now. Raises click.UsageError (exit 2)."""
    base = None if file is None else _read(event, file)
    event = event or (base or {}).get("type")
    if not isinstance(event, str) or not event:
        raise click.UsageError("name an EVENT such as user.created (hub events lists them all)")
    if base is None and catalog.find_event_type(event) is None:
        raise click.UsageError(f"{catalog.unknown_event_type(event)}; for one of your own, give --payload")
    try:
        return event, catalog.sample_payload(
            event,
            dict(map(_change, changes)),
            base=base,
            timestamp_ms=int(now.timestamp() * 1000) if base is None else None,
        )
    except HubError as error:
        raise click.BadParameter(str(error), param_hint="'--set'") from error


def chosen_source(config: Config, name: str | None) -> SourceConfig:
    """The source of that name, or the first; raises click.UsageError."""
    sources = config.sources
    if name is None:
        if not sources:
            raise HubError("the configuration has no source; add one under sources:")
        return next(iter(sources.values()))
    if name not in sources:
        raise click.BadParameter(f"there is no source {name}; there is {', '.join(sources)}")
    return sources[name]


def _read(event: str | None, file: BinaryIO) -> Mapping[str, Any]:
    hint = "'--payload'"
    try:
        body = catalog.read_body(file.read(catalog.BODY_LIMIT_BYTES + 1))
    except HubError as error:
        raise click.BadParameter(f"{file.name} {error}", param_hint=hint) from error
    if event is not None and body.get("type", event) != event:
        said = f'{file.name} holds an event of type "{body["type"]}"; name that one instead of {event}'
        raise click.BadParameter(said, param_hint=hint)
    return body


def _change(text: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not path or not equals:
        said = f'"{text}" must be a path, "=" and a value, such as data.email_address=ada@example.com'
        raise click.BadParameter(said, param_hint="'--set'")
    try:
        return path, json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return path, value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
