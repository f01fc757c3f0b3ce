"""The language of the catalog's paths below data: `a.b`, `a[].b`, `a[id==primary_id].b`, `a.{b,c}`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

_SEGMENT = re.compile(r"(?P<key>\w+)(?P<every>\[\])?(?:\[(?P<name>\w+)==(?P<root>\w+)\])?")


@dataclass(frozen=True)
class Key:
    """A step into the object's value of that name."""

    name: str


@dataclass(frozen=True)
class EveryItem:
    """A step into every item of the list."""


@dataclass(frozen=True)
class MatchingItems:
    """A step into the items of the list whose `name` equals the value of `root` in data."""

    name: str
    root: str


Step = Key | EveryItem | MatchingItems
Slot = tuple[Any, Any]
"""A container and the key or index in it."""


def expand(path: str) -> tuple[str, ...]:
    """Return the paths that one with `{a,b}` in it stands for."""
    braces = re.search(r"\{([^}]*)\}", path)
    if braces is None:
        return (path,)
    return tuple(path[: braces.start()] + name + path[braces.end() :] for name in braces[1].split(","))


def as_templates_write(path: str) -> str:
    """Return a path below data as templates write it, with `[]` for every item of a list."""
    return "data." + re.sub(r"\[[^\]]*\]", "[]", path)


@cache
def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of one path without `{}`. Raises ValueError where it is none."""
    steps: list[Step] = []
    for segment in path.split("."):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            raise ValueError(f"{path!r} is no path: {segment!r} is not NAME, NAME[] or NAME[KEY==FIELD]")
        steps.append(Key(match["key"]))
        if match["every"]:
            steps.append(EveryItem())
        if match["name"]:
            steps.append(MatchingItems(match["name"], match["root"]))
    return tuple(steps)


def slots(data: Any, steps: Iterable[Step]) -> list[Slot]:
    """Return the slots in data that the steps lead to: none, one, or many. Other shapes are passed over."""
    reached: list[Slot] = [([data], 0)]
    for step in steps:
        reached = [slot for holder, key in reached for slot in _inside(holder[key], step, data)]
    return reached


def values(data: Any, steps: Iterable[Step]) -> list[Any]:
    """Return the values in the slots that the steps lead to."""
    return [holder[key] for holder, key in slots(data, steps)]


def _inside(value: Any, step: Step, data: Any) -> list[Slot]:
    if isinstance(step, Key):
        return [(value, step.name)] if isinstance(value, dict) and step.name in value else []
    if not isinstance(value, list):
        return []
    if isinstance(step, EveryItem):
        return [(value, index) for index in range(len(value))]
    wanted = data.get(step.root) if isinstance(data, dict) else None
    return [
        (value, index)
        for index, item in enumerate(value)
        if wanted is not None and isinstance(item, dict) and item.get(step.name) == wanted
    ]
