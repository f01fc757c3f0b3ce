"""The event types of the catalog, read from one file each, and from one for each schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hub.model.summary import Tone

FOLDER = Path(__file__).parent

Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wording:
    """A built-in message, its texts as patterns (`summaries/patterns.py`); `fields` by their labels."""

    tone: Tone
    headline: str
    about: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EventType:
    """An event type.

    `schema` describes data: a JSON Schema (draft 2020-12) complete in itself, what it shares with others
    under `$defs` and every reference a `#/$defs/NAME`. `schema_name` is its file in `schemas/`. Where
    `published` is false the schema is inferred. `secret` and `sensitive` are paths below data. `wordings` has
    the built-in message, under "", and that of each case that is told in other words.
    """

    name: str
    meaning: str
    wordings: Mapping[str, Wording] = field(repr=False, hash=False)
    schema_name: str
    schema: Schema = field(repr=False, hash=False)
    published: bool
    secret: tuple[str, ...]
    sensitive: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The name of its object: `user` of `user.created`."""
        return self.name.partition(".")[0]


@cache
def event_types() -> tuple[str, ...]:
    """Return the names of all event types, sorted."""
    return tuple(sorted(file.stem for file in (FOLDER / "events").glob("*.json")))


def find_event_type(name: str) -> EventType | None:
    """Return the event type of that name, or None where the catalog has none."""
    return _event_type(name) if name in event_types() else None


@cache
def _event_type(name: str) -> EventType:
    entry = read_event(name)
    return EventType(
        name=name,
        meaning=entry["meaning"],
        wordings=_wordings(entry["message"]),
        schema_name=entry["schema"],
        schema=_bundled(entry["schema"]),
        published=entry["published"],
        secret=tuple(entry["secret"]),
        sensitive=tuple(entry.get("sensitive", ())),
    )


def _wordings(entry: dict[str, Any]) -> dict[str, Wording]:
    """Return the message of an event type and those of its cases, which overrule keys of it."""
    cases = entry.pop("cases", {})
    return {case: _wording({**entry, **changes}) for case, changes in {"": {}, **cases}.items()}


def _wording(entry: dict[str, Any]) -> Wording:
    return Wording(**{**entry, "tone": Tone(entry["tone"])})


def read_event(name: str) -> dict[str, Any]:
    """Return the file of an event type that is known to be there."""
    return _read("events", name)


def sample_data(name: str) -> dict[str, Any]:
    """Return the data in the sample of an event type that is known to be there, made anew."""
    data: dict[str, Any] = _with_bases(read_event(name)["sample"])
    return data


def read_sample(name: str) -> dict[str, Any]:
    """Return a sample that event types share, read anew."""
    return _read("samples", name)


def _with_bases(value: Any) -> Any:
    """Return a sample with that of NAME and the keys beside it for every `{"$base": NAME, ...}` in it."""
    if isinstance(value, list):
        return [_with_bases(item) for item in value]
    if not isinstance(value, dict):
        return value
    base = _with_bases(read_sample(value["$base"])) if "$base" in value else {}
    return {**base, **{key: _with_bases(item) for key, item in value.items() if key != "$base"}}


def _read(folder: str, name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((FOLDER / folder / f"{name}.json").read_text(encoding="utf-8"))
    return value


def _bundled(name: str) -> Schema:
    """Return a schema with everything it refers to under its own `$defs`."""
    root = _read("schemas", name)
    defs: dict[str, Schema] = {}
    wanted = _point_inside(root)
    while wanted:
        other = wanted.pop()
        if other not in defs:
            defs[other] = _read("schemas", other)
            wanted += _point_inside(defs[other])
    return {**root, "$defs": dict(sorted(defs.items()))} if defs else root


def _point_inside(schema: Schema) -> list[str]:
    """Turn each `NAME.json` that a schema refers to into `#/$defs/NAME`, in place; return the names."""
    del schema["$id"]
    names = []
    todo: list[Any] = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, list):
            todo += node
        elif isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                names.append(node["$ref"].removesuffix(".json"))
                node["$ref"] = f"#/$defs/{names[-1]}"
            todo += node.values()
    return names
