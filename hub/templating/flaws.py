"""Flaws of structures as they are written (blocks, embeds, cards): what their place would refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hub.humanize import did_you_mean, kind_of

Path = tuple[str | int, ...]

_DYNAMIC = ("{{", "{%", "{#", "${")


@dataclass(frozen=True, kw_only=True)
class Flaw:
    """A part of a structure that its place would refuse: at a path in it, about the key there or its value.

    `is_sure` is false for what may only be newer than this hub.
    """

    path: Path
    message: str
    is_sure: bool = True
    is_about_key: bool = False


@dataclass(frozen=True, kw_only=True)
class TextFlaw:
    """A part of a text that its place would refuse, at an offset in it as it is written."""

    offset: int
    message: str


TextCheck = Callable[[str], Iterable[TextFlaw]]
"""A look at a text as it is written, its templates unrendered."""

StructureCheck = Callable[[Any], Iterable[Flaw]]
"""A look at a structure as it is written, its templates unrendered."""


def is_dynamic(text: str) -> bool:
    """Return True for a text with a template or a variable in it: it may become anything."""
    return any(mark in text for mark in _DYNAMIC)


def unknown_name(path: Path, place: str, noun: str, name: str, known: Iterable[str]) -> Flaw:
    """Return the flaw of a name that nothing has; a warning where it is like none that is known."""
    close = did_you_mean(name, known)
    otherwise = "; it may be newer than this hub, and goes out as it is"
    return Flaw(
        path=path, message=f'{place} has no {noun} "{name[:60]}"{close or otherwise}', is_sure=bool(close)
    )


def key_flaws(
    value: Any, place: str, noun: str, keys: Iterable[str], needed: Iterable[str], path: Path
) -> Iterator[Flaw]:
    """Yield the flaws of a mapping called `noun`: keys that it cannot have, and those that it lacks."""
    if not isinstance(value, Mapping):
        yield Flaw(path=path, message=f"{noun} must be a mapping, not {kind_of(value)}")
        return
    known = list(keys)
    unknown = [str(key) for key in value if key not in known]
    for key in needed:
        # A key that was meant is told of where it stands.
        if key not in value and not any(did_you_mean(other, [key]) for other in unknown):
            yield Flaw(path=path, message=f"{noun} needs {key}; add it")
    for key in unknown:
        flaw = unknown_name((*path, key), place, f"key of {noun} called", key, known)
        yield Flaw(path=flaw.path, message=flaw.message, is_sure=flaw.is_sure, is_about_key=True)


def list_flaws(value: Any, place: str, noun: str, limit: int, path: Path) -> Iterator[Flaw]:
    """Yield the flaws of a list of what is called `noun`, but for those of its items."""
    if not isinstance(value, list):
        yield Flaw(path=path, message=f"must be a list of {noun}, not {kind_of(value)}")
    elif not 0 < len(value) <= limit:
        yield Flaw(path=path, message=f"has {len(value)} {noun}; {place} takes 1 to {limit}")
