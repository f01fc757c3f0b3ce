"""Messages as lines of text, in the form that their destination type gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hub import __version__
from hub.catalog import MASK
from hub.catalog.redaction import Redaction
from hub.destinations.http.entries import with_query
from hub.model.delivery import RAW, Message
from hub.model.destination import DestinationConfig
from hub.model.event import Event
from hub.preview.renderings import Rendering
from hub.terminal.printing import indented, inline

_VARIABLE, _VARIABLE_IN_WORDS = re.compile(r"%24%7B([A-Za-z0-9_]+)%7D"), r"${\1}"
"""A `${NAME}` in a query, which encodes the braces."""


@dataclass(frozen=True, kw_only=True)
class ShownMessage:
    """A message without its secrets, its event and its destination. `url` is that of an HTTP request."""

    message: Message
    event: Event
    destination: DestinationConfig
    body: str
    url: str = ""


def message_lines(rendering: Rendering, event: Event, redaction: Redaction) -> Iterator[str]:
    """Yield the message of a rendering, nothing where it has none.

    The message of a type that is unknown here is shown as the JSON that is kept of it.
    """
    if rendering.message is None:
        return
    forms = {"slack": _slack, "email": _email, "http": _http, "console": _console}
    form = forms.get(rendering.destination.type, _kept)
    yield from form(_redacted(rendering.message, rendering.destination, event, redaction))


def _redacted(
    message: Message, destination: DestinationConfig, event: Event, redaction: Redaction
) -> ShownMessage:
    body = event.payload.decode("utf-8", "replace") if message.get(RAW) else message.get("body", "")
    return ShownMessage(
        message=redaction.anything(message),
        event=event,
        destination=destination,
        body=redaction.text(_indented_json(str(body))),
        url=_url(destination),
    )


def _slack(shown: ShownMessage) -> Iterator[str]:
    yield "text"
    yield from indented(shown.message.get("text", ""))
    if shown.message.get("blocks"):
        yield "blocks"
        yield from indented(_dump(shown.message["blocks"]))


def _email(shown: ShownMessage) -> Iterator[str]:
    message = shown.message
    headers = {
        "From": message.get("from") or "(not configured)",
        "To": ", ".join(message.get("to") or ()) or "(not configured)",
        "Subject": message.get("subject", ""),
        "Date": "(when it is sent)",
        "Message-ID": "(the delivery's id)",
        "Auto-Submitted": "auto-generated",
    }
    yield from _headers(headers)
    yield "text/plain"
    yield from indented(message.get("text", ""))
    if message.get("html"):
        yield "text/html"
        yield from indented(message["html"])


def _http(shown: ShownMessage) -> Iterator[str]:
    message, written = shown.message, shown.destination.written
    url = with_query(shown.url + (message.get("path") or ""), message.get("query", []))
    yield f"{message.get('method', 'POST')} {inline(_VARIABLE.sub(_VARIABLE_IN_WORDS, url))}"
    own = {name.lower() for name, _ in message.get("headers", [])}
    usual = {
        "User-Agent": f"fanout-hub/{__version__}",
        **dict.fromkeys(written.get("headers") or (), MASK),
    }
    yield from _headers(
        {
            "Content-Type": message.get("content_type", ""),
            **{name: value for name, value in usual.items() if name.lower() not in own},
        }
    )
    yield from _headers(message.get("headers", []))
    yield from _headers(
        {
            "webhook-id": "(the delivery's id)",
            "webhook-timestamp": "(when it is sent)",
            **({"webhook-signature": "(over id, timestamp and body)"} if "sign_with" in written else {}),
            "hub-event-id": shown.event.id,
            "hub-event-type": shown.event.type,
            "hub-attempt": "1",
        }
    )
    if "form" in message:
        yield "form"
        yield from _headers(message["form"])
        return
    yield "body: the event itself, byte for byte; indented here" if message.get(RAW) else "body"
    yield from indented(shown.body)


def _console(shown: ShownMessage) -> Iterator[str]:
    yield f"[{shown.destination.name}] {inline(shown.message.get('text'))}"


def _kept(shown: ShownMessage) -> Iterator[str]:
    yield from indented(_dump(shown.message), "")


def _headers(headers: Mapping[str, str] | Iterable[Sequence[str]]) -> Iterator[str]:
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        yield f"  {name}: {inline(value)}"


def _url(destination: DestinationConfig) -> str:
    """Return the URL of an HTTP request as it is written with variables, else its host, the rest left out."""
    url = str(destination.written.get("url") or "")
    if "${" in url or not url:
        return url
    parts = urlsplit(url)
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    return f"{parts.scheme}://{host}" + ("/…" if parts.path.strip("/") or parts.query else "")


def _indented_json(body: str) -> str:
    try:
        return _dump(json.loads(body))
    except (ValueError, RecursionError):
        return body


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
