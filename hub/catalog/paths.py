"""The language of the catalog's paths below data: `a.b`, `a[].b`, `a[id==primary_id].b`, `a.{b,c}`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

_SEGMENT = re.compile(r"(?P<key>\w+)(?P<each>\[\])?(?:\[(?P<where>\w+)==(?P<root>\w+)\])?")


@dataclass(frozen=True)
class Key:
    """Into the object's value of that name."""

    name: str


@dataclass(frozen=True)
class Each:
    """Into every item of the list."""


@dataclass(frozen=True)
class Where:
    """Into the items of the list whose `name` equals what data has under `root`."""

    name: str
    root: str


Step = Key | Each | Where
Place = tuple[Any, Any]
"""A container and the key or index in it."""


def expand(path: str) -> tuple[str, ...]:
    """The paths that one with `{a,b}` in it stands for."""
    found = re.search(r"\{([^}]*)\}", path)
    if found is None:
        return (path,)
    return tuple(path[: found.start()] + name + path[found.end() :] for name in found[1].split(","))


@cache
def parse(path: str) -> tuple[Step, ...]:
    """The steps of one path without `{}`. Raises ValueError where it is none."""
    steps: list[Step] = []
    for segment in path.split("."):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            raise ValueError(f"{path!r} is no path: {segment!r} is not NAME, NAME[] or NAME[KEY==FIELD]")
        steps.append(Key(match["key"]))
        if match["each"]:
            steps.append(Each())
        if match["where"]:
            steps.append(Where(match["where"], match["root"]))
    return tuple(steps)


def places(data: Any, steps: Iterable[Step]) -> list[Place]:
    """Where in data the steps lead: nowhere, once, or often. What has another shape is passed over."""
    found: list[Place] = [([data], 0)]
    for step in steps:
        found = [place for holder, key in found for place in _inside(holder[key], step, data)]
    return found


def values(data: Any, steps: Iterable[Step]) -> list[Any]:
    """What stands at those places."""
    return [holder[key] for holder, key in places(data, steps)]


def _inside(value: Any, step: Step, data: Any) -> list[Place]:
    if isinstance(step, Key):
        return [(value, step.name)] if isinstance(value, dict) and step.name in value else []
    if not isinstance(value, list):
        return []
    if isinstance(step, Each):
        return [(value, index) for index in range(len(value))]
    wanted = data.get(step.root) if isinstance(data, dict) else None
    return [
        (value, index)
        for index, item in enumerate(value)
        if wanted is not None and isinstance(item, dict) and item.get(step.name) == wanted
    ]
