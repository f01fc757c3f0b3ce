"""A kept message -> its parts as people read them: the headers, then its words as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterator

from hub.model.delivery import Message
from hub.model.parts import Part, PartKind

NOT_CONFIGURED = "(not configured)"


def parts(message: Message) -> Iterator[Part]:
    """Yield the parts of a mail; those of its headers that are made when it is sent are in words."""
    yield Part(kind=PartKind.HEADERS, pairs=tuple(_headers(message)))
    yield Part(label="text/plain", text=message.get("text", ""))
    yield Part(kind=PartKind.HTML, label="text/html", text=message.get("html", ""))


def _headers(message: Message) -> Iterator[tuple[str, str]]:
    yield "From", message.get("from") or NOT_CONFIGURED
    yield "To", ", ".join(message.get("to") or ()) or NOT_CONFIGURED
    for name, key in (("Cc", "cc"), ("Bcc", "bcc")):
        if message.get(key):
            yield name, ", ".join(message[key])
    if message.get("reply_to"):
        yield "Reply-To", message["reply_to"]
    yield "Subject", message.get("subject", "")
    yield "Date", "(when it is sent)"
    yield "Message-ID", "(the delivery's id)"
    yield "Auto-Submitted", "auto-generated"
    if message.get("thread"):
        yield "References", f"(the thread {message['thread']})"
    for name, value in message.get("headers", []):
        yield name, value
