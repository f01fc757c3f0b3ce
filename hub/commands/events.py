"""`hub events`: the catalog as a list, or one event type with its fields and a sample."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import click

from hub import catalog
from hub.catalog import EventType, Field
from hub.commands import Section
from hub.model.event import Event

SECTION = Section.WRITE

_WIDEST_PATH_CHARACTERS = 60


@click.command("events", short_help="List the event types there are, or the fields of one.")
@click.argument("name", metavar="[TYPE]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for tools.")
def command(name: str | None, as_json: bool) -> None:
    """List the event types of the catalog, or show the fields and a sample of one TYPE.

    \b
    Examples:
      hub events
      hub events user.created
    """
    if name is None:
        catalogued = [type_ for type_ in map(catalog.find_event_type, catalog.event_types()) if type_]
        click.echo(_json(list(map(_entry, catalogued))) if as_json else "\n".join(_listing(catalogued)))
        return
    event_type = catalog.find_event_type(name)
    if event_type is None:
        raise click.UsageError(catalog.unknown_event_type(name))
    click.echo(_json(_details(event_type)) if as_json else "\n".join(_page(event_type)))


def _listing(catalogued: list[EventType]) -> Iterator[str]:
    width = max(len(event_type.name) for event_type in catalogued)
    for group, members in groupby(catalogued, key=lambda event_type: event_type.group):
        yield click.style(group, bold=True)
        for event_type in members:
            inferred = "" if event_type.published else " (schema inferred)"
            yield f"  {event_type.name:<{width}}  {event_type.meaning}{inferred}"
        yield ""
    yield "hub events TYPE shows the fields of one of them and a sample."


def _page(event_type: EventType) -> Iterator[str]:
    yield click.style(event_type.name, bold=True)
    yield event_type.meaning
    yield ""
    yield f"Schema: {event_type.schema_name}, {_provenance(event_type)}"
    yield f"Built-in message: {_headline(event_type)}"
    yield ""
    yield click.style("Fields", bold=True)
    fields = catalog.fields_of(event_type)
    width = min(max(len(field.path) for field in fields), _WIDEST_PATH_CHARACTERS)
    for field in fields:
        yield f"  {field.path:<{width}}  {_described(field)}"
    yield ""
    yield click.style("Sample", bold=True)
    yield _json(catalog.sample(event_type.name))


def _headline(event_type: EventType) -> str:
    """Return the headline of the built-in message for the sample."""
    name, payload, now = event_type.name, catalog.sample_payload(event_type.name), datetime.now(UTC)
    event = Event(id="", source="", message_id="", type=name, payload=payload, received_at=now)
    return catalog.summarise(event).headline


def _provenance(event_type: EventType) -> str:
    if event_type.published:
        return "published by Clerk"
    return "inferred: Clerk publishes none for this type, so hub check only warns about its fields"


def _described(field: Field) -> str:
    marks = {
        "one of " + ", ".join(map(str, field.enum)): bool(field.enum),
        "any key": field.free_form,
        "optional": field.optional,
        "may be null": field.nullable,
        "SECRET": field.secret,
        "deprecated": field.deprecated,
    }
    return ", ".join([" or ".join(field.types), *(mark for mark, holds in marks.items() if holds)])


def _entry(event_type: EventType) -> dict[str, Any]:
    return {
        "name": event_type.name,
        "group": event_type.group,
        "meaning": event_type.meaning,
        "schema": event_type.schema_name,
        "published": event_type.published,
        "secret": event_type.secret,
    }


def _details(event_type: EventType) -> dict[str, Any]:
    return {
        **_entry(event_type),
        "json_schema": event_type.schema,
        "fields": [asdict(field) for field in catalog.fields_of(event_type)],
        "sample": catalog.sample(event_type.name),
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
