"""The fields that a schema declares, for people who write templates and conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.catalog.event_types import EventType, Schema
from hub.catalog.paths import as_templates_write


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of an event's data. `path` is as templates write it, `[]` for each item of a list.

    `types` are JSON's names without null; `enum` is empty where any value may come; `free_form` objects
    take any key.
    """

    path: str
    types: tuple[str, ...]
    enum: tuple[Any, ...] = ()
    optional: bool = False
    nullable: bool = False
    free_form: bool = False
    secret: bool = False
    deprecated: bool = False


def fields_of(event_type: EventType) -> tuple[Field, ...]:
    """Return every field that an event type declares below data, parents first, secret ones marked."""
    secret = set(secret_paths(event_type))
    declared: dict[str, Field] = {}
    for field in _below(event_type.schema, "data", event_type.schema.get("$defs", {})):
        earlier = declared.get(field.path)
        declared[field.path] = _merged(earlier, field) if earlier else field
    for path in sorted(secret - declared.keys()):
        declared[path] = Field(path=path, types=("string",), optional=True)
    return tuple(replace(field, secret=field.path in secret) for field in declared.values())


def secret_paths(event_type: EventType) -> tuple[str, ...]:
    """Return the paths of one-time secrets as templates write them."""
    return tuple(map(as_templates_write, event_type.secret))


def _below(schema: Schema, path: str, defs: Mapping[str, Schema]) -> Iterator[Field]:
    for alternative in _alternatives(schema, defs):
        required = alternative.get("required", ())
        for name, child in alternative.get("properties", {}).items():
            below = f"{path}.{name}"
            yield _field(child, below, name not in required, defs)
            yield from _below(child, below, defs)
        if "items" in alternative:
            yield from _below(alternative["items"], f"{path}[]", defs)


def _field(schema: Schema, path: str, optional: bool, defs: Mapping[str, Schema]) -> Field:
    alternatives = _alternatives(schema, defs)
    types = [name for alternative in alternatives for name in _types(alternative)]
    known = [alternative.get("enum") for alternative in alternatives if _types(alternative) != ["null"]]
    values = [value for enum in known for value in enum or () if value is not None]
    return Field(
        path=path,
        types=tuple(dict.fromkeys(name for name in types if name != "null")),
        enum=tuple(dict.fromkeys(values)) if all(known) else (),
        optional=optional,
        nullable="null" in types,
        free_form=any(alternative.get("additionalProperties") is True for alternative in alternatives),
        deprecated=schema.get("deprecated", False),
    )


def _alternatives(schema: Schema, defs: Mapping[str, Schema]) -> list[Schema]:
    """Return the schemas that one stands for: itself, the one it refers to, or each of its `anyOf`."""
    if "$ref" in schema:
        return _alternatives(defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in schema:
        return [schema for child in schema["anyOf"] for schema in _alternatives(child, defs)]
    return [schema]


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _merged(one: Field, other: Field) -> Field:
    """Return a field that several alternatives declare: any type and value that one of them allows."""
    return replace(
        one,
        types=tuple(dict.fromkeys(one.types + other.types)),
        enum=tuple(dict.fromkeys(one.enum + other.enum)) if one.enum and other.enum else (),
        optional=one.optional or other.optional,
        nullable=one.nullable or other.nullable,
        free_form=one.free_form or other.free_form,
    )
