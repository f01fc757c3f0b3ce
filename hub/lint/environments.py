"""Type environments: the variables that a text sees of one type of event, with the values they may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hub.catalog import find_event_type
from hub.catalog.event_types import EventType, Schema
from hub.catalog.fields import fields_of, secret_paths
from hub.lint.values import ANY, BOOLEAN, MISSING, NULL, TEXT, Empty, Listing, Record, Scalar, Value, union
from hub.model.summary import Tone

_FIELD = Record(
    names=frozenset(("label", "value")),
    read={"label": TEXT, "value": TEXT}.get,
    path="summary.fields[]",
    is_filled=True,
)
_SUMMARY: Mapping[str, Value] = {
    "headline": TEXT,
    "about": TEXT,
    "tone": (Scalar(kind="text", values=tuple(tone.value for tone in Tone), path="summary.tone"),),
    "fields": (Listing(item=(_FIELD,), path="summary.fields"),),
    "note": (*TEXT, Empty.BLANK),
    "details": (*TEXT, Empty.BLANK),
    "time": TEXT,
    "at": ANY,
}
"""The fields of `summary`, the same for every event."""

_KINDS = {"string": "text", "integer": "number", "number": "number", "boolean": "boolean"}


@dataclass(frozen=True, kw_only=True, eq=False)
class TypeEnvironment:
    """The variables of one type of event; `type` is empty where it may be any.

    `is_known` says that the catalog has it. `published` is false where its schema is inferred. `variables`
    are those of conditions; templates see more. Types with the same `shape` differ in nothing but their name.
    """

    type: str
    is_known: bool
    published: bool
    variables: Mapping[str, Value] = field(repr=False)
    shape: object


@cache
def environment_of(name: str) -> TypeEnvironment:
    """Return the environment of an event type; where the catalog does not have it, `data` may be anything."""
    event_type = find_event_type(name)
    if event_type is None:
        return _environment(name, ANY, None)
    return _environment(name, data_of(event_type), event_type)


@cache
def any_environment() -> TypeEnvironment:
    """Return the environment of an event of which nothing is known."""
    return _environment("", ANY, None)


def _environment(name: str, data: Value, event_type: EventType | None) -> TypeEnvironment:
    type_value: Value = (Scalar(kind="text", values=(name,) if name else None, path="type"),)
    event = {
        **dict.fromkeys(("id", "source", "instance_id"), TEXT),
        "type": type_value,
        "timestamp": ANY,
        # An event that no request caused has neither.
        **dict.fromkeys(("client_ip", "user_agent"), (*TEXT, Empty.BLANK)),
    }
    variables = {
        "type": type_value,
        "data": data,
        "event": (closed_record("event", event),),
        "route": TEXT,
        "summary": (closed_record("summary", _SUMMARY),),
    }
    shape = (event_type.schema_name, event_type.secret, event_type.published) if event_type else None
    return TypeEnvironment(
        type=name,
        is_known=event_type is not None,
        published=event_type is None or event_type.published,
        variables=variables,
        shape=shape,
    )


def closed_record(path: str, fields: Mapping[str, Value]) -> Record:
    """Return an object that always has these fields, and no others."""
    return Record(names=frozenset(fields), read=fields.get, path=path, is_filled=True)


@cache
def data_of(event_type: EventType) -> Value:
    """Return the value of `data` for a type of event."""
    secrets = secret_paths(event_type)
    reader = _SchemaReader(event_type.schema.get("$defs", {}), secrets)
    return reader.value(event_type.schema, "data")


@cache
def paths_of(names: tuple[str, ...]) -> frozenset[str]:
    """Return the paths of the fields that any of these event types has."""
    types = filter(None, map(find_event_type, names))
    return frozenset(field.path for event_type in types for field in fields_of(event_type))


class _SchemaReader:
    """The values of a schema, each object's fields made when they are first asked for."""

    def __init__(self, defs: Mapping[str, Schema], secrets: tuple[str, ...]) -> None:
        self._defs = defs
        self._secrets = secrets

    def value(self, schema: Schema, path: str) -> Value:
        """Return the value at a path, whose schema this is."""
        if "$ref" in schema:
            return self.value(self._defs[schema["$ref"].removeprefix("#/$defs/")], path)
        if "anyOf" in schema:
            return union(self.value(alternative, path) for alternative in schema["anyOf"])
        types = schema.get("type", [])
        names = [types] if isinstance(types, str) else types
        return union(self._of_type(name, schema, path) for name in names) if names else ANY

    def _of_type(self, name: str, schema: Schema, path: str) -> Value:
        secret = self._secret_at(path)
        if name == "null":
            return NULL
        if name == "object":
            return (self._record(schema, path, secret),)
        if name == "array":
            item = self.value(schema["items"], f"{path}[]") if "items" in schema else ANY
            return (Listing(item=item, path=path, secret=secret),)
        values = BOOLEAN[0].values if name == "boolean" and isinstance(BOOLEAN[0], Scalar) else None
        if "enum" in schema:
            values = tuple(constant for constant in schema["enum"] if constant is not None)
        return (Scalar(kind=_KINDS[name], values=values, path=path, secret=secret),)

    def _record(self, schema: Schema, path: str, secret: str) -> Record:
        properties = schema.get("properties", {})
        required = frozenset(schema.get("required", ()))
        is_open = schema.get("additionalProperties") is True or not properties
        known: dict[str, Value | None] = {}

        def read(name: str) -> Value | None:
            if name not in known:
                known[name] = self._field(properties, required, is_open, path, name)
            return known[name]

        return Record(
            names=frozenset(properties),
            read=read,
            path=path,
            secret=secret,
            open=is_open,
            is_filled=bool(required),
        )

    def _field(
        self, properties: Mapping[str, Any], required: frozenset[str], is_open: bool, path: str, name: str
    ) -> Value | None:
        below = f"{path}.{name}"
        if name not in properties:
            secret = self._secret_at(below)
            hidden: Value = (Scalar(kind="text", path=below, secret=secret), Empty.MISSING)
            return hidden if secret else ANY if is_open else None
        value = self.value(properties[name], below)
        if name in required:
            return value
        is_object = all(isinstance(alternative, Record) for alternative in value)
        return union((value, (Empty.UNLIKELY,) if is_object else MISSING))

    def _secret_at(self, path: str) -> str:
        """Return the path of the secret at a path or below it; empty where there is none."""
        below = (f"{path}.", f"{path}[")
        return next((secret for secret in self._secrets if secret == path or secret.startswith(below)), "")
