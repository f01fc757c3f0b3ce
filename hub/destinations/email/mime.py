"""A mail as bytes, from hostile words: headers that cannot be forged, the same bytes for every retry.

Python before 3.11.10 and 3.12.5 turns an encoded word with a line break in a subject into a real header, and
`EmailMessage` lets a trailing newline pass. So values are cleaned first, and the finished mail is parsed back
and compared before it is sent.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from hub.destinations.email.mail import Mail, body_text
from hub.destinations.email.mailboxes import Mailbox, quoted
from hub.errors import Reject
from hub.transport.smtp import envelope_address

_LINE_LIMIT = 78
_PLAIN_NAME_LIMIT = 60
"""A longer name is folded, which words in quotes cannot be everywhere."""
_MIME_HEADERS = {"mime-version", "content-type", "content-transfer-encoding"}


def build_mail(mail: Mail, *, boundary: str, at: datetime) -> bytes:
    """Return the mail as bytes; raises Reject where it would read otherwise.

    `boundary` is what separates its parts; no line of them may begin with it.
    """
    parties = mail.parties
    built = EmailMessage(policy=_Policy(linesep="\r\n", utf8=parties.needs_utf8))
    built["From"] = _address(parties.sender)
    for name, boxes in (("To", parties.to), ("Cc", parties.cc)):
        if boxes:
            built[name] = [_address(box) for box in boxes]
    if parties.reply_to:
        built["Reply-To"] = _address(parties.reply_to)
    built["Subject"] = mail.subject
    built["Date"] = format_datetime(at.astimezone(UTC))
    for name, value in mail.headers:
        built[name] = value
    names = [*built]
    built.set_content(body_text(mail.text), cte="quoted-printable")
    if mail.html is not None:
        built.add_alternative(body_text(mail.html), subtype="html", cte="quoted-printable")
        built.set_boundary(f"=_{boundary}")
    raw = built.as_bytes()
    _check(raw, built, names)
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


class _Address(Address):
    """An address of a header that quotes dots which must be: email's own leaves them."""

    @property
    def addr_spec(self) -> str:
        return envelope_address(super().addr_spec)


def _address(box: Mailbox) -> _Address:
    local, _, domain = box.address.rpartition("@")
    return _Address(display_name=box.name, username=local, domain=domain)


class _Policy(email.policy.EmailPolicy):
    """A policy that folds addresses, and ASCII values with a long word, by itself.

    email's own takes the quotes off a long name, so that an address in it would be one more, and makes
    encoded words of an id, or of a URL in List-Unsubscribe, that fills a line.
    """

    def fold_binary(self, name: str, value: Any) -> bytes:
        if hasattr(value, "addresses"):
            boxes = f",{self.linesep} ".join(_mailbox(address, self.linesep) for address in value.addresses)
            return f"{name}: {boxes}{self.linesep}".encode()
        words = str(value).split()
        longest = max(map(len, words), default=0)
        if not str(value).isascii() or len(f"{name}: ") + longest < _LINE_LIMIT:
            return super().fold_binary(name, value)
        return (f"{name}: " + f"{self.linesep} ".join(words) + self.linesep).encode()


def _mailbox(address: Address, linesep: str) -> str:
    """Return a mailbox as a header has it, its name plain, in quotes, or in encoded words."""
    name = address.display_name
    if not name:
        return address.addr_spec
    if not name.isascii() or len(name) > _PLAIN_NAME_LIMIT:
        encoded = Header(name, "utf-8", maxlinelen=_LINE_LIMIT - 2, header_name="Reply-To")
        return f"{encoded.encode(linesep=linesep)}{linesep} <{address.addr_spec}>"
    return f"{quoted(name)} <{address.addr_spec}>"


def _check(raw: bytes, intended: EmailMessage, names: Iterable[str]) -> None:
    """Read the mail as its recipient will: no header more than intended, each with the intended words."""
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    read = [name for name in parsed if name.lower() not in _MIME_HEADERS]
    if read != [*names] or any(
        [_words(value) for value in parsed.get_all(name, [])]
        != [_words(value) for value in intended.get_all(name, [])]
        for name in Counter(names)
    ):
        raise Reject(
            "the mail would not read as it was meant: a name, an address or a header of it is malformed"
        )


def _words(header: Any) -> str:
    """Return a header's words, however its lines were folded and its addresses quoted."""
    addresses = getattr(header, "addresses", None)
    if addresses is None:
        return "".join(str(header).split())
    words = "".join(f"{address.display_name}<{address.username}@{address.domain}>" for address in addresses)
    return "".join(words.split()).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
