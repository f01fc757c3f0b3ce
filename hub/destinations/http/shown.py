"""A kept request -> the parts that whoever looks at it sees: its line and headers, and its body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from hub import __version__, catalog
from hub.destinations.base import ShownContext
from hub.destinations.http.entries import with_query
from hub.model.delivery import RAW, Message
from hub.model.parts import Part, PartKind

_VARIABLE, _VARIABLE_IN_WORDS = re.compile(r"%24%7B([A-Za-z0-9_]+)%7D"), r"${\1}"
"""A `${NAME}` in a query, which encodes the braces."""


def parts(message: Message, context: ShownContext) -> Iterator[Part]:
    """Yield the request's line with its headers, and its body: the event itself, a form or any other."""
    url = with_query(_url(context) + (message.get("path") or ""), message.get("query", []))
    line = f"{message.get('method', 'POST')} {_VARIABLE.sub(_VARIABLE_IN_WORDS, url)}"
    yield Part(kind=PartKind.HEADERS, text=line, pairs=tuple(_headers(message, context)))
    if "form" in message:
        pairs = tuple((str(name), str(value)) for name, value in message["form"])
        yield Part(kind=PartKind.FIELDS, label="form", pairs=pairs)
    elif message.get(RAW):
        label = "body: the event itself, byte for byte"
        yield Part(kind=PartKind.JSON, label=label, text=context.payload)
    else:
        body = str(message.get("body", ""))
        yield Part(kind=PartKind.JSON if _is_json(body) else PartKind.TEXT, label="body", text=body)


def _headers(message: Message, context: ShownContext) -> Iterator[tuple[str, str]]:
    own = [(str(name), str(value)) for name, value in message.get("headers", [])]
    names = {name.lower() for name, _ in own}
    usual = {
        "User-Agent": f"fanout-hub/{__version__}",
        **dict.fromkeys(context.written.get("headers") or (), catalog.MASK),
    }
    if message.get("content_type"):
        yield "Content-Type", str(message["content_type"])
    yield from ((name, value) for name, value in usual.items() if name.lower() not in names)
    yield from own
    yield "webhook-id", context.delivery_id or "(the delivery's id)"
    yield "webhook-timestamp", "(when it is sent)"
    if "sign_with" in context.written:
        yield "webhook-signature", "(over id, timestamp and body)"
    yield "hub-event-id", context.event_id
    yield "hub-event-type", context.event_type
    yield "hub-attempt", "1"


def _url(context: ShownContext) -> str:
    """Return the URL as it is written with variables, else its host, the rest left out."""
    url = str(context.written.get("url") or "")
    if "${" in url or not url:
        return url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" + ("/…" if parts.path.strip("/") or parts.query else "")


def _is_json(body: str) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True
