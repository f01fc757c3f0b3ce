"""The mappings of a send block whose names are fixed and whose values are templates: form, query, headers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from hub.destinations.base import Renderer
from hub.destinations.http.body import dump
from hub.errors import TemplateError
from hub.strings import one_line
from hub.templating.escapes import as_json

Entries = list[list[str]]
"""Names and values in their order, as a message keeps them; a name may be there several times."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OWN_HEADERS = re.compile(
    r"(webhook|hub)-.*|content-(type|length|encoding)|transfer-encoding|host"
    r"|connection|expect|keep-alive|te|trailer|upgrade",
    re.IGNORECASE,
)
"""Set by the hub itself, or of the connection and not of the message."""


def entries(field: str, fields: Mapping[str, Any], renderer: Renderer) -> Entries:
    """Return the entries of a field: none for a missing value, one for an empty text, several for a list."""
    rendered: Mapping[str, Any] = renderer.structure(fields.get(field) or {}, as_json, name=field)
    return [
        [str(name), _text(f"{field}.{name}", item)]
        for name, value in rendered.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]


def encoded_form(pairs: Entries) -> str:
    """Return the entries as a body of the type application/x-www-form-urlencoded."""
    return "&".join(
        f"{quote_plus(name, errors='replace')}={quote_plus(value, errors='replace')}" for name, value in pairs
    )


def with_query(url: str, pairs: Entries) -> str:
    """Return the URL with the entries behind its own query, which stays as it is."""
    if not pairs:
        return url
    query = "&".join(
        f"{quote(name, safe='', errors='replace')}={quote(value, safe='', errors='replace')}"
        for name, value in pairs
    )
    separator = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
    return f"{url}{separator}{query}"


def entry_problems(field: str, mapping: Mapping[str, Any]) -> Iterable[str]:
    """Yield the problems of a field's names and of the shapes of its values, one sentence each."""
    for name, value in mapping.items():
        items = value if isinstance(value, list) else [value]
        if re.search(r"\{\{|\{%", name):
            yield f"{field} takes templates in values only, not in the name {one_line(name, 60)!r}"
        if any(isinstance(item, dict | list) for item in items):
            yield f"{field}.{one_line(name, 60)} must be a text, a number, true or false, or a list of those"


def query_problems(query: Mapping[str, Any], url: str) -> Iterable[str]:
    """Yield the problems of names that the destination's url has, too."""
    own = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    for name in query:
        if name in own:
            yield f"query has {one_line(name, 60)!r}, which the destination's url has already; keep one"


def header_problems(names: Iterable[str]) -> Iterable[str]:
    """Yield the problems of header names, one sentence each; capitals make no other name."""
    names = list(names)
    for name in names:
        if not _HEADER_NAME.fullmatch(name):
            yield f"headers: {one_line(name, 60)!r} is no name of a header"
        elif _OWN_HEADERS.fullmatch(name):
            advice = "; a send block has content_type for it" if name.lower() == "content-type" else ""
            yield f"headers: {name} is set by the hub itself and cannot be given here{advice}"
    for name, count in Counter(name.lower() for name in names).items():
        if count > 1:
            yield f"headers: {one_line(name, 60)} is there {count} times; a list of values repeats a header"


def _text(name: str, value: Any) -> str:
    if isinstance(value, dict | list):
        raise TemplateError(name, None, "renders to a mapping or to a list in a list; a text is needed")
    return value if isinstance(value, str) else dump(value)
