"""The mappings of a send block whose names are fixed and whose values are templates: form, query, headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from hub.strings import one_line
from hub.templating.entries import Entries, header_problems
from hub.templating.entries import entries as rendered_entries
from hub.templating.escapes import as_json
from hub.templating.renderer import Renderer

_OWN_HEADERS = re.compile(
    r"(webhook|hub)-.*|content-(type|length|encoding)|transfer-encoding|host"
    r"|connection|expect|keep-alive|te|trailer|upgrade",
    re.IGNORECASE,
)
"""Set by the hub itself, or of the connection and not of the message."""


def entries(field: str, fields: Mapping[str, Any], renderer: Renderer) -> Entries:
    """Return the entries of a field: none for a missing value, one for an empty text, several for a list."""
    return rendered_entries(field, renderer.structure(fields.get(field) or {}, as_json, name=field))


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


def query_problems(query: Mapping[str, Any], url: str) -> Iterable[str]:
    """Yield the problems of names that the destination's url has, too."""
    own = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    for name in query:
        if name in own:
            yield f"query has {one_line(name, 60)!r}, which the destination's url has already; keep one"


def own_header_problems(names: Iterable[str]) -> Iterable[str]:
    """Yield the problems of header names, one sentence each."""
    return header_problems(names, _OWN_HEADERS, {"content-type": "a send block has content_type for it"})
