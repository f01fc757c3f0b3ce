"""Words that people bring from other languages and tools, and what a template writes for them."""

from __future__ import annotations

from collections.abc import Mapping

_NONE = 'write "none", as in "x is none"'

VARIABLES: Mapping[str, str] = {
    **dict.fromkeys(("null", "nil", "NULL", "Null"), _NONE),
    "undefined": 'ask "x is not defined", or "not x" for whatever is missing or empty',
    **dict.fromkeys(("payload", "body", "object", "record", "resource"), "what the event is about is data"),
    **dict.fromkeys(("event_type", "eventType"), "the type of the event is type"),
    **dict.fromkeys(("headline", "title"), "the built-in headline is summary.headline"),
    **dict.fromkeys(("about", "tone", "fields"), "the words of the built-in message are in summary"),
    **dict.fromkeys(("timestamp", "now"), "the time of the event is event.timestamp"),
    **dict.fromkeys(("env", "process", "secrets"), "a variable of the environment is ${NAME}"),
}
"""By the name of a variable: the advice."""

_FILTERS: Mapping[str, str] = {
    **dict.fromkeys(("length", "size", "len", "count"), "length"),
    **dict.fromkeys(("toUpperCase", "upcase", "toupper"), "upper"),
    **dict.fromkeys(("toLowerCase", "downcase", "tolower"), "lower"),
    **dict.fromkeys(("trim", "strip"), "trim"),
    **dict.fromkeys(("toString", "to_s"), "string"),
    **dict.fromkeys(("toFixed",), "round(2)"),
    **dict.fromkeys(("join",), "join(', ')"),
    **dict.fromkeys(("first", "last", "reverse"), ""),
    **dict.fromkeys(("strftime", "toISOString", "toLocaleString", "format_date"), "datetime('%d %b %Y')"),
}
_MEMBERSHIP = ("includes", "contains", "has", "indexOf")

PERSON: Mapping[str, tuple[str, ...]] = {
    "primary_email": ("primary_email", "email", "email_address", "mail", "primary_email_address"),
    "full_name": ("full_name", "name", "fullname", "fullName", "display_name"),
}
"""By a filter of persons: the names of the fields that people look for instead."""


def advice_on_member(holder: str, name: str) -> str:
    """Return what to write instead of `holder.name`; empty where the name is of no other language."""
    if name in _MEMBERSHIP:
        return f'"x" in {holder}'
    if name in _FILTERS:
        return f"{holder} | {_FILTERS[name] or name}"
    return ""
