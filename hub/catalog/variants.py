"""Variants of a sample: what else Clerk may send of the same type, one change at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from copy import deepcopy
from functools import cache
from typing import Any

from hub.catalog.event_types import find_event_type
from hub.catalog.fields import Field, fields_of
from hub.catalog.paths import parse, slots

Body = dict[str, Any]


@cache
def declared_fields(type_name: str) -> dict[str, Field]:
    """Return the fields of an event type by their paths (`data.a[].b`); none for a type that is not known."""
    event_type = find_event_type(type_name)
    return {field.path: field for field in fields_of(event_type)} if event_type else {}


def variants(type_name: str, body: Body, paths: Collection[str]) -> Iterator[tuple[str, Body]]:
    """Yield each variant of a body in one of the fields at these paths, behind its change in words.

    An optional field is left out, one that may be null is null, a list is empty; in every item of a list.
    What an object that takes any key holds is optional.
    """
    fields = declared_fields(type_name)
    for path in sorted(paths):
        field = fields.get(path) or Field(path=path, types=(), optional=is_free(type_name, path))
        changes = [(field.optional, "missing", _delete), (field.nullable, "null", _set(None))]
        for applies, words, change in [*changes, ("array" in field.types, "empty", _set([]))]:
            variant = changed(body, path, change) if applies else None
            if variant is not None:
                yield f"{path} is {words}", variant


def is_free(type_name: str, path: str) -> bool:
    """Return whether a path leads into an object that takes any key."""
    fields = declared_fields(type_name)
    above = path.rpartition(".")[0].removesuffix("[]")
    return bool(above) and ((above in fields and fields[above].free_form) or is_free(type_name, above))


def changed(body: Body, path: str, change: Callable[[Any, Any], None]) -> Body | None:
    """Return a copy of a body in which each slot at a path is changed; None where nothing is other."""
    copy = deepcopy(body)
    try:
        steps = parse(path.removeprefix("data."))
    except ValueError:
        return None  # a key with characters that the catalog's paths do not have
    for holder, key in slots(copy.get("data"), steps):
        change(holder, key)
    return None if copy == body else copy


def _delete(holder: Any, key: Any) -> None:
    del holder[key]


def _set(value: Any) -> Callable[[Any, Any], None]:
    def change(holder: Any, key: Any) -> None:
        holder[key] = deepcopy(value)

    return change


def with_value(body: Body, path: str, value: Any) -> Body | None:
    """Return a copy of a body with another value at a path that is there; None where nothing is other."""
    return changed(body, path, _set(value))
