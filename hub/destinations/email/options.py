"""The keys that users write for email: of a block under `destinations:`, and of a send block."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from hub.destinations.base import Block, NetworkBlock
from hub.destinations.email.mailboxes import Mailbox, mailboxes
from hub.destinations.email.providers.base import Account, Provider, find_provider, provider_names
from hub.humanize import did_you_mean, listed
from hub.templating.entries import header_problems
from hub.templating.marks import Inline, InlineText, Structure, TemplateName
from hub.transport.http import web_url
from hub.transport.smtp_url import MailServer, parse_smtp_url

_OWN_HEADERS = re.compile(
    r"from|sender|to|cc|bcc|reply-to|subject|date|orig-date|message-id|in-reply-to|references"
    r"|mime-version|content-.*|auto-submitted|return-path|received|resent-.*|dkim-.*|domainkey-.*"
    r"|arc-.*|authentication-results|received-spf",
    re.IGNORECASE,
)
"""Set by the hub itself, or by the servers that a mail goes through."""
_INSTEAD = {
    **{name: f"{name} is a key beside headers" for name in ("from", "cc", "bcc", "subject")},
    "reply-to": "reply_to is a key beside headers",
    "to": "recipient is the key of a send block for it",
    **dict.fromkeys(("in-reply-to", "references"), "thread ties mails together"),
}


class EmailOptions(NetworkBlock):
    """A block under `destinations:` of type `email`: a mail server, or an account at a mail service.

    `to` may be one text with commas, as in a variable.
    """

    smtp_url: SecretStr | None = None
    provider: str | None = Field(
        default=None,
        description="a mail service to send by, instead of smtp_url",
        json_schema_extra={"enum": list(provider_names())},
    )
    api_key: SecretStr | None = Field(default=None, description="of the account at provider")
    domain: str = Field(
        default="", validate_default=True, description="of provider: mailgun, the domain that sends"
    )
    api_url: str | None = Field(default=None, description="of provider, for another region")
    sender: str = Field(alias="from")
    to: str | list[str]
    reply_to: str | None = None
    cc: str | list[str] | None = None
    bcc: str | list[str] | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)

    @field_validator("smtp_url")
    @classmethod
    def _names_a_server(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            parse_smtp_url(url.get_secret_value())
        return url

    @field_validator("provider")
    @classmethod
    def _is_known(cls, provider: str | None) -> str | None:
        if provider is not None and find_provider(provider) is None:
            meant = did_you_mean(provider, provider_names(), f"; there are {listed(provider_names())}")
            raise ValueError(f"must be a mail service that the hub knows{meant}")
        return provider

    @field_validator("api_key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not re.fullmatch(r"[\x21-\x7e]+", key.get_secret_value()):
            raise ValueError("must be a key without spaces, as the service shows it")
        return key

    @field_validator("domain")
    @classmethod
    def _is_needed(cls, domain: str, info: ValidationInfo) -> str:
        service = find_provider(info.data.get("provider") or "")
        if service is not None and service.needs_domain and not domain:
            raise PydanticCustomError("missing", "is needed")
        if service is not None and domain and not service.needs_domain:
            raise ValueError(f"has no meaning for {service.name}")
        if domain and not re.fullmatch(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+", domain):
            raise ValueError("must be a domain such as mg.example.com")
        return domain

    @field_validator("api_url")
    @classmethod
    def _is_url(cls, url: str | None) -> str | None:
        if url is not None:
            web_url(url)
        return url

    @field_validator("sender", "reply_to")
    @classmethod
    def _is_one_address(cls, text: str | None) -> str | None:
        if text is not None and len(addresses(text)) != 1:
            raise ValueError("must be one address, like Hub <hub@example.com>")
        return text

    @field_validator("to", "cc", "bcc")
    @classmethod
    def _are_addresses(cls, texts: str | list[str] | None) -> str | list[str] | None:
        if texts is not None and not addresses(texts):
            raise ValueError("must name at least one address")
        return texts

    @field_validator("headers")
    @classmethod
    def _are_free_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for problem in own_header_problems(headers):
            raise ValueError(problem)
        return headers

    @classmethod
    def check_keys(cls, keys: frozenset[str]) -> Iterable[str]:
        of_service = keys & {"provider", "api_key", "domain", "api_url"}
        if ("smtp_url" in keys) == bool(of_service):
            yield "needs either smtp_url, or provider and api_key"
        elif of_service and not {"provider", "api_key"} <= keys:
            yield "needs both provider and api_key to send by a mail service"
        if {"smtp_url", "proxy"} <= keys:
            yield "cannot take a proxy: mail by SMTP goes to its server directly; take proxy away"

    @property
    def server(self) -> MailServer:
        """The mail server of `smtp_url`."""
        url = self.smtp_url.get_secret_value() if self.smtp_url else ""
        return parse_smtp_url(url, self.certificates)

    @property
    def service(self) -> Provider | None:
        """The account at a mail service; None where mails go to a server."""
        kind = find_provider(self.provider or "")
        if kind is None:
            return None
        key = self.api_key.get_secret_value() if self.api_key else ""
        return kind(Account(api_key=key, api_url=self.api_url or "", domain=self.domain))

    @property
    def recipients(self) -> tuple[Mailbox, ...]:
        """The mailboxes of `to`, each address once."""
        return addresses(self.to)


class EmailSend(Block):
    """A send block to a destination of type `email`; everything left out is said in the built-in words."""

    subject: Annotated[str, Inline(filled=True)] | None = None
    text: InlineText | None = None
    html: InlineText | None = None
    template: Annotated[str, TemplateName(".html.j2", ".txt.j2")] | None = None
    recipient: Annotated[str | list[str], Inline(filled=True)] | None = None
    cc: Annotated[str | list[str], Inline()] | None = None
    bcc: Annotated[str | list[str], Inline()] | None = None
    sender: Annotated[str, Inline(filled=True)] | None = Field(default=None, alias="from")
    reply_to: Annotated[str, Inline(filled=True)] | None = None
    headers: Annotated[dict[str, Any] | None, Structure(is_body=False)] = None
    thread: Annotated[str, Inline(filled=True)] | None = None


def own_header_problems(names: Iterable[str]) -> Iterable[str]:
    """Yield the problems of header names, one sentence each."""
    return header_problems(names, _OWN_HEADERS, _INSTEAD)


def addresses(texts: str | list[str]) -> tuple[Mailbox, ...]:
    """Return the mailboxes of an operator's texts, each address once; raises ValueError with a sentence."""
    try:
        boxes = [box for text in ([texts] if isinstance(texts, str) else texts) for box in mailboxes(text)]
    except ValueError as error:
        message = f"must be addresses like ada@example.com or Ada <ada@example.com>; one is none: {error}"
        raise ValueError(message) from None
    unique: dict[str, Mailbox] = {}
    for box in boxes:
        unique.setdefault(box.address, box)
    return tuple(unique.values())
