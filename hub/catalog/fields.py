"""Lists what a schema declares, one line a field, for people who write templates and conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.catalog.event_types import EventType, Schema
from hub.catalog.paths import expand


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
    """Every field that an event type declares below data, parents first, secret ones marked."""
    secret = {_generic(f"data.{one}") for path in event_type.secret for one in expand(path)}
    declared: dict[str, Field] = {}
    for field in _below(event_type.schema, "data", event_type.schema.get("$defs", {})):
        found = declared.get(field.path)
        declared[field.path] = _merged(found, field) if found else field
    for path in sorted(secret - declared.keys()):
        declared[path] = Field(path=path, types=("string",), optional=True)
    return tuple(replace(field, secret=field.path in secret) for field in declared.values())


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
    types = [name for one in alternatives for name in _types(one)]
    known = [one.get("enum") for one in alternatives if _types(one) != ["null"]]
    values = [value for enum in known for value in enum or () if value is not None]
    return Field(
        path=path,
        types=tuple(dict.fromkeys(name for name in types if name != "null")),
        enum=tuple(dict.fromkeys(values)) if all(known) else (),
        optional=optional,
        nullable="null" in types,
        free_form=any(one.get("additionalProperties") is True for one in alternatives),
        deprecated=schema.get("deprecated", False),
    )


def _alternatives(schema: Schema, defs: Mapping[str, Schema]) -> list[Schema]:
    """What a schema stands for: itself, what it refers to, or each of its `anyOf`."""
    if "$ref" in schema:
        return _alternatives(defs[schema["$ref"].removeprefix("#/$defs/")], defs)
    if "anyOf" in schema:
        return [one for child in schema["anyOf"] for one in _alternatives(child, defs)]
    return [schema]


def _types(schema: Schema) -> list[str]:
    found = schema.get("type", [])
    return [found] if isinstance(found, str) else list(found)


def _merged(one: Field, other: Field) -> Field:
    """A field that several alternatives declare: any type and value that one of them allows."""
    return replace(
        one,
        types=tuple(dict.fromkeys(one.types + other.types)),
        enum=tuple(dict.fromkeys(one.enum + other.enum)) if one.enum and other.enum else (),
        optional=one.optional or other.optional,
        nullable=one.nullable or other.nullable,
        free_form=one.free_form or other.free_form,
    )


def _generic(path: str) -> str:
    return re.sub(r"\[[^\]]*\]", "[]", path)
