"""Mappings of a send block whose names are fixed and whose values are templates: headers, form, query."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from hub.errors import TemplateError
from hub.strings import one_line

Entries = list[list[str]]
"""Names and values in their order, as a message keeps them; a name may be there several times."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def entries(field: str, rendered: Mapping[str, Any]) -> Entries:
    """Return the entries of a rendered field: none for null, one for an empty text, several for a list."""
    return [
        [str(name), _text(f"{field}.{name}", item)]
        for name, value in rendered.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]


def entry_problems(field: str, mapping: Mapping[str, Any]) -> Iterable[str]:
    """Yield the problems of a field's names and of the shapes of its values, one sentence each."""
    for name, value in mapping.items():
        items = value if isinstance(value, list) else [value]
        if re.search(r"\{\{|\{%", name):
            yield f"{field} takes templates in values only, not in the name {one_line(name, 60)!r}"
        if any(isinstance(item, dict | list) for item in items):
            yield f"{field}.{one_line(name, 60)} must be a text, a number, true or false, or a list of those"


def header_problems(names: Iterable[str], own: re.Pattern[str], instead: Mapping[str, str]) -> Iterable[str]:
    """Yield the problems of header names, one sentence each; capitals make no other name.

    `own` matches the names that the hub sets by itself, `instead` has the advice for some of them by their
    names in small letters.
    """
    names = list(names)
    for name in names:
        if not _HEADER_NAME.fullmatch(name):
            yield f"headers: {one_line(name, 60)!r} is no name of a header"
        elif own.fullmatch(name):
            advice = f"; {instead[name.lower()]}" if name.lower() in instead else ""
            yield f"headers: {name} is set by the hub itself and cannot be given here{advice}"
    for name, count in Counter(name.lower() for name in names).items():
        if count > 1:
            yield f"headers: {one_line(name, 60)} is there {count} times; a list of values repeats a header"


def _text(name: str, value: Any) -> str:
    if isinstance(value, dict | list):
        raise TemplateError(name, None, "renders to a mapping or to a list in a list; a text is needed")
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise TemplateError(name, None, "is a number that has no text") from error
