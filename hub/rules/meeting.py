"""Bodies that meet a route's conditions, made of a sample that does not by other values of what they read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jinja2
from jinja2 import nodes

from hub import catalog
from hub.catalog.fields import Field
from hub.catalog.variants import Body, declared_fields, variants, with_value
from hub.errors import HubError

MOST_TRIES = 400
DEEPEST = 4
"""As many fields at most are changed together."""

_KINDS: tuple[tuple[str, tuple[type, ...], tuple[Any, ...]], ...] = (
    ("string", (str,), ("x",)),
    ("boolean", (bool,), (True, False)),
    ("integer", (int, float), (1, 0)),
    ("number", (int, float), (1, 0)),
)
"""JSON's names of types with Python's types, and values of theirs."""

FirstUnmet = Callable[[Body, set[str]], int | None]
"""Gives the index of the first condition that a body does not meet, and adds the paths that were read."""


def meeting(
    type_name: str, body: Body, conditions: list[str], first_unmet: FirstUnmet, syntax: jinja2.Environment
) -> Body | None:
    """Return the body, or one with other values, that meets all conditions; None where none is near."""
    return _Search(type_name, conditions, first_unmet, syntax).near(body, DEEPEST)


class _Search:
    def __init__(
        self, type_name: str, conditions: list[str], first_unmet: FirstUnmet, syntax: jinja2.Environment
    ) -> None:
        self._type_name = type_name
        self._first_unmet = first_unmet
        self._constants = [_constants(syntax, condition) for condition in conditions]
        self._tries = MOST_TRIES

    def near(self, body: Body, depth: int) -> Body | None:
        """Return a body that meets all conditions with at most so many changes."""
        paths: set[str] = set()
        unmet = self._first_unmet(body, paths)
        if unmet is None or depth == 0:
            return body if unmet is None else None
        nearer: list[Body] = []
        for candidate in self._candidates(body, paths, unmet):
            self._tries -= 1
            if self._tries < 0:
                return None
            further: set[str] = set()
            index = self._first_unmet(candidate, further)
            if index is None:
                return candidate
            # One more condition holds, or the same one was read on past what kept it from holding.
            if index > unmet or (index == unmet and further - paths):
                nearer.append(candidate)
        results = (self.near(candidate, depth - 1) for candidate in nearer)
        return next((result for result in results if result is not None), None)

    def _candidates(self, body: Body, paths: set[str], unmet: int) -> Iterator[Body]:
        fields = declared_fields(self._type_name)
        for path in sorted(paths):
            for value in _possible(fields.get(path), self._constants[unmet]):
                candidate = with_value(body, path, value) or _with_new(body, path, value)
                if candidate is not None:
                    yield candidate
        for _, variant in variants(self._type_name, body, paths):
            yield variant


def _possible(field: Field | None, constants: tuple[Any, ...]) -> Iterator[Any]:
    """Yield values that a field may have, those that the condition names first."""
    if field and field.enum:
        yield from field.enum
        return
    types = field.types if field else ("string", "boolean", "integer")
    for name, kinds, others in _KINDS:
        if name in types:
            yield from (value for value in constants if type(value) in kinds)
            yield from others


def _with_new(body: Body, path: str, value: Any) -> Body | None:
    """Return a copy of a body with a field that is not there yet; None where there is no place for it."""
    copy: Body = catalog.read_body(catalog.json_bytes(body))
    try:
        catalog.assign(copy, path.replace("[]", "[0]"), value)
    except HubError:
        return None
    return None if copy == body else copy


def _constants(syntax: jinja2.Environment, condition: str) -> tuple[Any, ...]:
    """Return the texts, numbers and booleans that a condition names."""
    try:
        tree = syntax.parse("{{ (" + condition + ") }}")
    except jinja2.TemplateSyntaxError:
        return ()
    return tuple(
        node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str | int | float | bool)
    )
