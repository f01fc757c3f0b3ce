"""A mail from hostile words: addresses, headers that cannot be forged, bytes that stay the same.

Python before 3.11.10 and 3.12.5 turns an encoded word with a line break in a subject into a real header, and
`EmailMessage` lets a trailing newline pass. So values are cleaned first, and the finished mail is parsed back
and compared before it is sent.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import idna

from hub.errors import Reject
from hub.strings import one_line, shortened
from hub.transport.smtp import envelope_address

SUBJECT_LIMIT = 250

_LOCAL_PART = re.compile(r"(?!\.)[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+")
_HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
_MIME_HEADERS = {"mime-version", "content-type", "content-transfer-encoding"}


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """A name, which may be empty, and an address whose domain is in its ASCII form."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def valid_address(text: str) -> str:
    """Return the one bare address that a text is, its domain in ASCII form; raises ValueError otherwise.

    Dots side by side or before the @ are allowed, as some carriers gave them out.
    """
    local, _, domain = text.strip().rpartition("@")
    if (
        not _LOCAL_PART.fullmatch(local)
        or len(local.encode()) > 64
        or "=?" in local
        or not local.isprintable()
    ):
        raise ValueError("the part before its @ is not valid" if "@" in text else "it has no @")
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise ValueError("its domain is not valid") from None
    if ascii_domain.endswith("."):
        raise ValueError("it ends with a dot")
    return f"{local}@{ascii_domain}"


def mailboxes(text: str) -> tuple[Mailbox, ...]:
    """Return the mailboxes of a text like `Ada <ada@example.com>, b@example.com`.

    Raises ValueError where one is wrong.
    """
    return tuple(_mailbox(part) for part in _split(text) if part.strip())


def header_text(text: str, limit: int = SUBJECT_LIMIT) -> str:
    """Return the text as a header may carry it: one line, nothing in it that reads as an encoded word."""
    return shortened(one_line(text).replace("=?", "= ?"), limit)


def build_mail(
    *,
    sender: Mailbox,
    recipients: Iterable[Mailbox],
    subject: str,
    text: str,
    html: str | None,
    delivery_id: str,
    at: datetime,
) -> bytes:
    """Return the mail, the same bytes for the same words; raises Reject where it would read otherwise."""
    mail = EmailMessage(policy=_policy(sender, *recipients))
    mail["From"] = _address(sender)
    mail["To"] = [_address(recipient) for recipient in recipients]
    mail["Subject"] = subject
    mail["Date"] = format_datetime(at.astimezone(UTC))
    mail["Message-ID"] = f"<{delivery_id}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_body(text), cte="quoted-printable")
    if html is not None:
        mail.add_alternative(_body(html), subtype="html", cte="quoted-printable")
        mail.set_boundary(f"=_{delivery_id}")
    raw = mail.as_bytes()
    _check(raw, mail)
    return raw


def composed_at(delivery_id: str, otherwise: datetime) -> datetime:
    """Return the time in a delivery's id (12 hex digits of milliseconds): a Date that retries keep.

    An id without one gives `otherwise`.
    """
    digits = re.match(r"[a-z]+_([0-9a-f]{12})", delivery_id)
    if digits is None:
        return otherwise
    try:
        return datetime.fromtimestamp(int(digits[1], 16) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return otherwise


def needs_utf8(*addresses: str) -> bool:
    """Return True if an address has letters beyond ASCII before its @, which not every server takes."""
    return not all(address.isascii() for address in addresses)


def _split(text: str) -> list[str]:
    """Split at commas, save those inside quotes."""
    return re.findall(r'(?:"(?:\\.|[^"\\])*"|[^,"])+', text)


def _mailbox(text: str) -> Mailbox:
    named = re.fullmatch(r'\s*(?:"((?:\\.|[^"\\])*)"|([^<>"]*?))\s*<([^<>]*)>\s*', text)
    if named is None:
        return Mailbox(name="", address=valid_address(text))
    quoted, bare, address = named.groups()
    name = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else bare
    return Mailbox(name=header_text(name), address=valid_address(address))


class _Address(Address):
    """An address of a header that quotes dots which must be: email's own leaves them."""

    @property
    def addr_spec(self) -> str:
        return envelope_address(super().addr_spec)


def _address(mailbox: Mailbox) -> _Address:
    local, _, domain = mailbox.address.rpartition("@")
    return _Address(display_name=mailbox.name, username=local, domain=domain)


def _policy(*parties: Mailbox) -> email.policy.EmailPolicy[EmailMessage]:
    utf8 = needs_utf8(*(party.address for party in parties))
    return email.policy.SMTPUTF8 if utf8 else email.policy.SMTP


def _body(text: str) -> str:
    """Return the text with plain line ends, without control characters or halves of characters."""
    lines = re.sub(r"\r\n?", "\n", text)
    lines = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "", lines)
    return lines.encode("utf-8", "replace").decode()


def _check(raw: bytes, intended: EmailMessage) -> None:
    """Read the mail as its recipient will: no header more than intended, each with the intended words."""
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    names = [name for name in parsed if name.lower() not in _MIME_HEADERS]
    if names != _HEADERS or any(
        _words(parsed[name]) != _words(intended[name]) for name in ("From", "To", "Subject")
    ):
        raise Reject(
            "the mail would not read as it was meant: a name, an address or the subject is malformed"
        )


def _words(header: Any) -> str:
    """Return a header's words, however its lines were folded and its addresses quoted."""
    addresses = getattr(header, "addresses", None)
    if addresses is None:
        return "".join(str(header).split())
    words = "".join(f"{address.display_name}<{address.username}@{address.domain}>" for address in addresses)
    return "".join(words.split()).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
