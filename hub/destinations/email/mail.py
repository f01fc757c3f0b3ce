"""A kept message -> the mail that is sent, whichever way it goes: by SMTP or by a service's HTTP API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from hub.destinations.email.mailboxes import Mailbox, header_text, mailbox
from hub.model.delivery import Message, Receipt, SendContext

ID_LIMIT = 77
"""Longer ids in Message-ID, References and In-Reply-To get encoded, and break threads."""

SUBJECT_LIMIT = 250
HEADER_LIMIT = 900
"""RFC 5322, section 2.1.1: a line has at most 998 characters."""

Headers = tuple[tuple[str, str], ...]
"""Names and values in their order; a name may be there several times."""


@dataclass(frozen=True, kw_only=True)
class Parties:
    """Everybody that a mail names: who sent it, who gets it, and who reads the answer."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    reply_to: Mailbox | None = None

    @property
    def needs_utf8(self) -> bool:
        """True where an address has letters beyond ASCII before its @, which not every server takes."""
        named = (self.sender, *self.to, *self.cc, *self.bcc, *((self.reply_to,) if self.reply_to else ()))
        return not all(box.address.isascii() for box in named)

    @property
    def recipients(self) -> tuple[str, ...]:
        """The addresses that get the mail, each once."""
        return tuple(dict.fromkeys(box.address for box in (*self.to, *self.cc, *self.bcc)))


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A mail as it is sent, the same for every retry.

    `headers` are those beside the parties, the subject and the date: the user's own behind the hub's
    Message-ID, Auto-Submitted and what ties a thread. `html` is None where it is text alone.
    """

    parties: Parties
    subject: str
    text: str
    html: str | None
    headers: Headers


class Mailer(Protocol):
    """A way to send mails. It serves many threads at once."""

    def send(self, mail: Mail, context: SendContext) -> Receipt:
        """Make one try, as a destination's `send` does, for those who are not among `context.accepted`."""

    def close(self) -> None:
        """Let go of connections that are kept open."""


def mail_of(message: Message, context: SendContext, headers: Mapping[str, str]) -> Mail:
    """Return the mail of a message that was composed and, where it has variables, finished.

    `headers` are the destination's own, for those that the message does not have itself.
    """
    parties = Parties(
        sender=mailbox(message["from"]),
        to=_boxes(message, "to"),
        cc=_boxes(message, "cc"),
        bcc=_boxes(message, "bcc"),
        reply_to=mailbox(message["reply_to"]) if message.get("reply_to") else None,
    )
    return Mail(
        parties=parties,
        subject=header_text(message["subject"], SUBJECT_LIMIT),
        text=message["text"],
        html=message.get("html"),
        headers=(
            ("Message-ID", identifier(context.delivery_id, parties.sender.domain)),
            ("Auto-Submitted", "auto-generated"),
            *_users_headers(message.get("headers", []), headers),
        ),
    )


def identifier(unique: str, domain: str) -> str:
    """Return the id `<unique@domain>` of a mail or a thread, a long domain cut from its left."""
    room = ID_LIMIT - len(f"<{unique}@>")
    return f"<{unique}@{domain[-room:].lstrip('.-')}>"


def body_text(text: str) -> str:
    """Return the text with plain line ends, without control characters or halves of characters."""
    lines = re.sub(r"\r\n?", "\n", text)
    lines = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", lines)
    return lines.encode("utf-8", "replace").decode()


def _users_headers(kept: Iterable[Iterable[str]], own: Mapping[str, str]) -> Headers:
    """Return the headers of a message and those of its destination that it has not, each one line."""
    pairs = [(name, value) for name, value in kept]
    names = {name.lower() for name, _ in pairs}
    pairs += [(name, value) for name, value in own.items() if name.lower() not in names]
    return tuple((name, header_text(value, HEADER_LIMIT)) for name, value in pairs)


def _boxes(message: Message, key: str) -> tuple[Mailbox, ...]:
    return tuple(mailbox(text) for text in message.get(key) or ())
