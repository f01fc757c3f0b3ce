"""Escapes by kind of text: every `{{ }}` goes through one, so no value from an event can become markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from markupsafe import Markup
from markupsafe import escape as escape_markup

from hub.templating.filters import JsonText, as_jsonable

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""https://www.w3.org/TR/xml/#charsets"""

Escape = Callable[[Any], str]
"""A function from a value to the text that stands for it. A destination may bring its own."""


class OwnLink(str):
    """A URL of the hub itself, which no stranger wrote: where an escape breaks links, it stays one."""

    __slots__ = ()


def in_json(value: Any) -> str:
    """Return the value as it stands between the quotes of a JSON text."""
    return json.dumps(str(value), ensure_ascii=False)[1:-1]


def plain(value: Any) -> str:
    """Return the value as it is, for places where no character means anything: mail subjects, plain text."""
    return str(value)


def html(value: Any) -> str:
    """Return the value escaped for HTML; what a filter already marked as safe stays as it is."""
    return str(escape_markup(value))


def as_json(value: Any) -> str:
    """Return the value as JSON, a missing one as null."""
    if isinstance(value, JsonText) or (isinstance(value, Markup) and _is_json(value)):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=as_jsonable)


def path_segment(value: Any) -> str:
    """Return the value percent-encoded for one segment of a URL's path, the slash included."""
    return quote(str(value), safe="", errors="replace")


def form_value(value: Any) -> str:
    """Return the value percent-encoded for the body of a form, where it can end no field."""
    return quote_plus(str(value), errors="replace")


def xml(value: Any) -> str:
    """Return the value escaped for XML, without the characters that XML 1.0 has no way to write."""
    return _NOT_IN_XML.sub("", str(escape_markup(value)))


def _is_json(text: str) -> bool:
    """Return True if a macro or a block made a whole JSON value of what its own values printed."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


BY_NAME: Mapping[str, Escape] = {
    escape.__name__: escape for escape in (plain, html, path_segment, form_value, xml)
} | {as_json.__name__: in_json}
"""The escapes of this module by the names under which kept messages refer to them.

Where a message is JSON the variable's quotes are in it already.
"""
