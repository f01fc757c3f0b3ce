"""The keys that users write for email: of a block under `destinations:`, and of a send block."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import Block, Inline, InlineText, TemplateName
from hub.destinations.email.mime import Mailbox, mailboxes
from hub.transport.smtp_url import MailServer, parse_smtp_url


class EmailOptions(Block):
    """A block under `destinations:` of type `email`. `to` may be one text with commas, as in a variable."""

    smtp_url: SecretStr
    sender: str = Field(alias="from")
    to: str | list[str]

    @field_validator("smtp_url")
    @classmethod
    def _names_a_server(cls, url: SecretStr) -> SecretStr:
        parse_smtp_url(url.get_secret_value())
        return url

    @field_validator("sender")
    @classmethod
    def _is_one_address(cls, sender: str) -> str:
        if len(_addresses(sender)) != 1:
            raise ValueError("must be one address, like Hub <hub@example.com>")
        return sender

    @field_validator("to")
    @classmethod
    def _are_addresses(cls, to: str | list[str]) -> str | list[str]:
        if not _addresses(to):
            raise ValueError("must name at least one address")
        return to

    @property
    def server(self) -> MailServer:
        return parse_smtp_url(self.smtp_url.get_secret_value())

    @property
    def recipients(self) -> list[str]:
        """Return the addresses of `to`, each once, without names."""
        return list(dict.fromkeys(mailbox.address for mailbox in _addresses(self.to)))


class EmailSend(Block):
    """A send block to a destination of type `email`; everything left out is said in the built-in words."""

    subject: Annotated[str, Inline(filled=True)] | None = None
    text: InlineText | None = None
    html: InlineText | None = None
    template: Annotated[str, TemplateName(".html.j2", ".txt.j2")] | None = None
    recipient: Annotated[str, Inline(filled=True)] | None = None


def _addresses(to: str | list[str]) -> tuple[Mailbox, ...]:
    try:
        return tuple(box for part in ([to] if isinstance(to, str) else to) for box in mailboxes(part))
    except ValueError as error:
        message = f"must be addresses like ada@example.com or Ada <ada@example.com>; one is none: {error}"
        raise ValueError(message) from None
