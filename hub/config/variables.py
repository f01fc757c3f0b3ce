"""`${NAME}` in the values of routes.yaml -> the values of the environment.

Values are replaced after the YAML is parsed, one by one, so what a variable holds can never change what the
file means. `${NAME:-default}` ends at the first `}`; `$${` is a literal `${`; `${{` is a dollar sign before a
template's expression, because no name can begin with a brace. A variable that is empty counts as unset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hub.templating.placeholders import Placeholder, malformed_at, split
from hub.yamldoc import Path

MALFORMED = 'this "${" begins no variable: write ${NAME} or ${NAME:-default}, or "$${" for the text "${"'


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """A text that held `${`, in which an unset variable is nothing.

    `set` are the names in it whose values are the environment's, `unset` those that have none, and `needed`
    those without a default. `malformed` is where one has no form.
    """

    text: str
    set: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    malformed: int | None = None


def replace(text: str, environment: Mapping[str, str]) -> Replaced:
    """Return a text with its variables replaced."""
    pieces = list(split(text))
    places = places_in(text)
    values = {place: place.value(environment) for place in places}
    return Replaced(
        text="".join(piece if isinstance(piece, str) else values[piece] or "" for piece in pieces),
        set=_names(place for place in places if environment.get(place.name)),
        unset=_names(place for place in places if values[place] is None),
        needed=_names(place for place in places if place.default is None),
        malformed=malformed_at(text),
    )


def replace_all(value: Any, environment: Mapping[str, str]) -> tuple[Any, dict[Path, Replaced]]:
    """Return a tree with the variables of all its texts replaced, and every text that held `${` by its path.

    Keys are left as they are.
    """
    texts: dict[Path, Replaced] = {}

    def walk(node: Any, path: Path) -> Any:
        if isinstance(node, dict):
            return {key: walk(item, (*path, key)) for key, item in node.items()}
        if isinstance(node, list):
            return [walk(item, (*path, index)) for index, item in enumerate(node)]
        if not isinstance(node, str) or "${" not in node:
            return node
        texts[path] = replace(node, environment)
        return texts[path].text

    return walk(value, ()), texts


def places_in(text: str) -> tuple[Placeholder, ...]:
    """Return the variables in a text."""
    return tuple(piece for piece in split(text) if isinstance(piece, Placeholder))


def _names(places: Iterable[Placeholder]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place.name for place in places))
