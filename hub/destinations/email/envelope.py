"""The parties of a mail: those of the destination, and in their place those that a send block names.

A value of an event makes one address at most. Where a recipient cannot be made nobody gets the mail:
RecipientError, for which no other message stands in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.destinations.base import Block
from hub.destinations.email.mail import HEADER_LIMIT
from hub.destinations.email.mailboxes import Mailbox, header_text, mailbox
from hub.destinations.email.options import EmailOptions, addresses
from hub.errors import RecipientError, TemplateError
from hub.model.delivery import Message
from hub.templating.entries import Entries, entries
from hub.templating.escapes import as_json, plain
from hub.templating.renderer import Renderer

OWN_DOMAIN = "from_domain"
"""The key of a message whose `from` is not known yet: the domain that it must have."""

_LISTS = {"recipient": "to", "cc": "cc", "bcc": "bcc"}
"""The keys of a send block that name recipients, and those of the message."""


def own_parties(options: Block | None) -> Message:
    """Return the destination's parties as they are today, kept with the message; in previews those known."""
    if not isinstance(options, EmailOptions):
        return {}
    known = options.model_fields_set
    parties: Message = {"from": options.sender} if "sender" in known else {}
    for key in ("to", "cc", "bcc"):
        if key in known and (texts := getattr(options, key)):
            parties[key] = [str(box) for box in addresses(texts)]
    return {**parties, "reply_to": options.reply_to} if options.reply_to else parties


def recipients(fields: Mapping[str, Any], renderer: Renderer) -> Message:
    """Return the recipients that a send block names itself; raises RecipientError."""
    return {
        _LISTS[key]: _mailbox_texts(key, fields[key], renderer)
        for key in _LISTS
        if fields.get(key) is not None
    }


def senders(options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
    """Return the `from` and `reply_to` that a send block names itself; raises TemplateError."""
    message: Message = {}
    for key in ("from", "reply_to"):
        if fields.get(key) is not None:
            text = renderer.text(fields[key], plain, name=key)
            message[key] = text if renderer.is_open(text) else str(_one(key, text))
    domain = _own_domain(options)
    if "from" in message and domain:
        message[OWN_DOMAIN] = domain
        if not renderer.is_open(message["from"]):
            message = _with_own_domain(message)
    return message


def headers(fields: Mapping[str, Any], renderer: Renderer) -> Entries:
    """Return the headers that a send block has, each value one line without encoded words."""
    rendered = renderer.structure(fields.get("headers") or {}, as_json, name="headers")
    return [[name, header_text(value, HEADER_LIMIT)] for name, value in entries("headers", rendered)]


def finished_parties(message: Message) -> Message:
    """Return a message with its parties as they are once variables are filled in; raises TemplateError."""
    finished = dict(message)
    for field, key in _LISTS.items():
        if key in message:
            finished[key] = _unique(field, [text for text in message[key] if text.strip()])
    for key in ("from", "reply_to"):
        if message.get(key):
            finished[key] = str(_one(key, message[key]))
    return _with_own_domain(finished)


def _mailbox_texts(field: str, value: str | list[str], renderer: Renderer) -> list[str]:
    """Return the mailboxes that a key of a send block renders to. An empty one of several is left out."""
    written = value if isinstance(value, list) else [value]
    try:
        rendered = [renderer.text(text, plain, name=field) for text in written]
    except TemplateError as error:
        raise RecipientError(error.template, error.line, error.message) from error
    texts = [text for text in rendered if text.strip()]
    return texts if any(map(renderer.is_open, texts)) else _unique(field, texts)


def _unique(field: str, texts: list[str]) -> list[str]:
    """Return mailboxes as texts, each address once; raises RecipientError where one is none."""
    try:
        boxes = [mailbox(text) for text in texts or ([""] if field == "recipient" else [])]
    except ValueError as error:
        message = f"does not render to exactly one valid address: {error}"
        raise RecipientError(field, None, message) from error
    unique: dict[str, str] = {}
    for box in boxes:
        unique.setdefault(box.address, str(box))
    return list(unique.values())


def _one(field: str, text: str) -> Mailbox:
    try:
        return mailbox(text)
    except ValueError as error:
        raise TemplateError(field, None, f"does not render to exactly one valid address: {error}") from error


def _own_domain(options: Block | None) -> str:
    if not isinstance(options, EmailOptions) or "sender" not in options.model_fields_set:
        return ""
    return addresses(options.sender)[0].domain


def _with_own_domain(message: Message) -> Message:
    """Return a message whose `from` has the destination's domain; raises TemplateError."""
    rest = {key: value for key, value in message.items() if key != OWN_DOMAIN}
    domain = message.get(OWN_DOMAIN)
    if domain and mailbox(message["from"]).domain != domain:
        raise TemplateError("from", None, f"must have the domain of the destination's own, {domain}")
    return rest
