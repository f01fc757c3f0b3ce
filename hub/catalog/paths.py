"""The language of the catalog's paths below data: `a.b`, and `a[].b` for every item of a list."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

_SEGMENT = re.compile(r"(?P<key>\w+)(?P<every>\[\])?")


@dataclass(frozen=True)
class Key:
    """A step into the object's value of that name."""

    name: str


@dataclass(frozen=True)
class EveryItem:
    """A step into every item of the list."""


Step = Key | EveryItem
Slot = tuple[Any, Any]
"""A container and the key or index in it."""


def as_templates_write(path: str) -> str:
    """Return a path below data as templates write it, with `[]` for every item of a list."""
    return "data." + re.sub(r"\[[^\]]*\]", "[]", path)


@cache
def parse(path: str) -> tuple[Step, ...]:
    """Return the steps of a path. Raises ValueError where it is none."""
    steps: list[Step] = []
    for segment in path.split("."):
        match = _SEGMENT.fullmatch(segment)
        if match is None:
            raise ValueError(f"{path!r} is no path: {segment!r} is not NAME or NAME[]")
        steps.append(Key(match["key"]))
        if match["every"]:
            steps.append(EveryItem())
    return tuple(steps)


def slots(data: Any, steps: Iterable[Step]) -> list[Slot]:
    """Return the slots in data that the steps lead to: none, one, or many. Other shapes are passed over."""
    reached: list[Slot] = [([data], 0)]
    for step in steps:
        reached = [slot for holder, key in reached for slot in _inside(holder[key], step)]
    return reached


def values(data: Any, steps: Iterable[Step]) -> list[Any]:
    """Return the values in the slots that the steps lead to."""
    return [holder[key] for holder, key in slots(data, steps)]


def _inside(value: Any, step: Step) -> list[Slot]:
    if isinstance(step, Key):
        return [(value, step.name)] if isinstance(value, dict) and step.name in value else []
    return [(value, index) for index in range(len(value))] if isinstance(value, list) else []
