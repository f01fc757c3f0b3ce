"""Messages as they would go out, in the form that each destination type gives them, for a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hub import __version__
from hub.catalog import MASK
from hub.model.delivery import RAW, Message
from hub.model.destination import DestinationConfig
from hub.model.event import Event
from hub.terminal.printing import block, one_line


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message with its event and its destination; `url` is where an HTTP one goes, nothing secret in it."""

    message: Message
    event: Event
    destination: DestinationConfig
    body: str
    url: str = ""


def outgoing(
    message: Message, event: Event, destination: DestinationConfig, mask: Callable[[Any], Any]
) -> Outgoing:
    """A message ready to be shown; `mask` takes the secrets out of a JSON value."""
    body = event.payload.decode("utf-8", "replace") if message.get(RAW) else message.get("body", "")
    return Outgoing(
        message=mask(message),
        event=event,
        destination=destination,
        body=mask(_indented_json(str(body))),
        url=_url(destination, mask),
    )


def lines(shown: Outgoing) -> Iterator[str]:
    """The message in the words of its type; a type unknown here is shown as the JSON that is kept of it."""
    forms = {"slack": _slack, "email": _email, "http": _http, "console": _console}
    return forms.get(shown.destination.type, _kept)(shown)


def _slack(shown: Outgoing) -> Iterator[str]:
    yield "text"
    yield from block(shown.message.get("text", ""))
    if shown.message.get("blocks"):
        yield "blocks"
        yield from block(_dump(shown.message["blocks"]))


def _email(shown: Outgoing) -> Iterator[str]:
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
    yield from block(message.get("text", ""))
    if message.get("html"):
        yield "text/html"
        yield from block(message["html"])


def _http(shown: Outgoing) -> Iterator[str]:
    message, options = shown.message, shown.destination.options
    yield f"{message.get('method', 'POST')} {one_line(shown.url + (message.get('path') or ''))}"
    yield from _headers(
        {
            "Content-Type": message.get("content_type", ""),
            "User-Agent": f"fanout-hub/{__version__}",
            **dict.fromkeys(getattr(options, "headers", None) or (), MASK),
            "webhook-id": "(the delivery's id)",
            "webhook-timestamp": "(when it is sent)",
            **({"webhook-signature": "(over id, timestamp and body)"} if _signs(options) else {}),
            "hub-event-id": shown.event.id,
            "hub-event-type": shown.event.type,
            "hub-attempt": "1",
        }
    )
    yield "body: the event itself, byte for byte; indented here" if message.get(RAW) else "body"
    yield from block(shown.body)


def _console(shown: Outgoing) -> Iterator[str]:
    yield f"[{shown.destination.name}] {one_line(shown.message.get('text'))}"


def _kept(shown: Outgoing) -> Iterator[str]:
    yield from block(_dump(shown.message), "")


def _headers(headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        yield f"  {name}: {one_line(value)}"


def _signs(options: Any) -> bool:
    return bool(getattr(options, "secrets", ()))


def _url(destination: DestinationConfig, mask: Callable[[Any], Any]) -> str:
    """Where an HTTP message goes: the variable's name, or the host with the rest left out."""
    if destination.missing:
        return "".join(f"${{{name}}}" for name in destination.missing)
    secret = getattr(destination.options, "url", None)
    if secret is None:
        return ""
    url = secret.get_secret_value()
    if mask(url) != url:
        return str(mask(url))
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
