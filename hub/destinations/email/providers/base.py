"""The contract of a mail service with an HTTP API: a mail -> its request, its response -> what that means.

A new service is one file in this folder, named as users write it under `provider`.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from typing import Any, ClassVar

from hub.destinations.email.mail import Mail
from hub.discovery import find_class, type_names
from hub.model.delivery import SendContext
from hub.strings import one_line
from hub.transport.http import USER_AGENT, HttpRequest, HttpResponse
from hub.transport.judging import Meaning, Ruling
from hub.transport.smtp_replies import QUOTA_SECONDS

WORDS_LIMIT = 160
"""As many characters of a service's own words are quoted in a reason."""

CHECK_KEY = "check api_key"
CHECK_SENDER = "check from: its address or domain must be verified there"
CHECK_URL = "check api_url"


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account at a service, as a destination's options name it. `api_url` and `domain` may be empty."""

    api_key: str = field(repr=False)
    api_url: str = ""
    domain: str = ""


class Provider(ABC):
    """A mail service. `name` is what people call it, `api_url` where its API is, without a version in it."""

    type: ClassVar[str]
    name: ClassVar[str]
    api_url: ClassVar[str]
    needs_domain: ClassVar[bool] = False
    most_recipients: ClassVar[int]
    """As many addresses one request may name, over to, cc and bcc."""

    def __init__(self, account: Account) -> None:
        self._account = account
        # Vendors write their addresses with the version and without.
        self._api_url = (account.api_url or self.api_url).strip().rstrip("/").removesuffix("/v3")

    @abstractmethod
    def request(self, mail: Mail, delivery_id: str, key: str) -> HttpRequest:
        """Return the request that hands in a mail; `key` is the same for the same bytes."""

    @abstractmethod
    def ruling(self, response: HttpResponse, context: SendContext) -> Ruling | None:
        """Return the meaning of a response by the service's own documents; None: its status says it."""

    def undelivered(self, response: HttpResponse) -> tuple[str, ...]:
        """Return the addresses, in small letters, that do not get a mail which was taken for the others."""
        return ()

    def has_used_key(self, response: HttpResponse) -> bool:
        """Return True where the service took other bytes under the request's key."""
        return False

    def _json_request(self, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> HttpRequest:
        """Return a request of JSON; what is empty in the body is left out."""
        filled = {key: value for key, value in body.items() if value}
        return self._request(path, headers, "application/json", json.dumps(filled).encode())

    def _request(self, path: str, headers: Mapping[str, str], content_type: str, body: bytes) -> HttpRequest:
        return HttpRequest(
            method="POST",
            url=f"{self._api_url}{path}",
            headers={
                "Accept": "application/json",
                "Content-Type": content_type,
                "User-Agent": USER_AGENT,
                **headers,
            },
            body=body,
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response as its service words it, and the rulings that it may stand for.

    `code` is the service's name or number of an error, `words` its sentence; both are empty where it is not
    the service that answered, but somebody on the way to it.
    """

    response: HttpResponse
    context: SendContext = field(repr=False)
    code: str = ""
    words: str = ""

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def is_own(self) -> bool:
        """True where the service itself answered."""
        return bool(self.code or self.words)

    def says(self, pattern: str) -> bool:
        """Return True where the service's words hold a pattern.

        It may repeat what a stranger wrote, a name or an address: a pattern that begins with `^` is safe from
        that, and others are for statuses that are never about the recipient.
        """
        return re.search(pattern, self.words, re.IGNORECASE) is not None

    def taken(self) -> Ruling:
        """The service has the mail in a queue of its own."""
        return Ruling(meaning=Meaning.DELIVERED)

    def message(self) -> Ruling:
        """The mail, or its only recipient, is refused for good."""
        return self._ruling(Meaning.DEAD)

    def destination(self, cure: str) -> Ruling:
        """No mail is taken until somebody acts, as `cure` says."""
        return self._ruling(Meaning.PAUSE, cure)

    def quota(self) -> Ruling:
        """The account has sent all that it may for now."""
        words = self._words("it takes no more of this account for now")
        return Ruling(meaning=Meaning.RETRY, words=words, throttled=True, after_seconds=QUOTA_SECONDS)

    def later(self, after_seconds: float | None = None) -> Ruling:
        """Another time it may be taken."""
        return Ruling(meaning=Meaning.RETRY, words=self._words(), after_seconds=after_seconds)

    def unknown(self) -> Ruling:
        """It may have been taken."""
        return self._ruling(Meaning.UNKNOWN)

    def foreign(self) -> Ruling | None:
        """Return the ruling on what the service's documents do not name; None: the status alone says it."""
        if 200 <= self.status < 300:
            return Ruling(meaning=Meaning.UNKNOWN, words="it is not the service that answered so")
        if self.status == HTTPStatus.UNAUTHORIZED:
            return self.destination(CHECK_KEY)
        return self.later() if self.is_own else None

    def _ruling(self, meaning: Meaning, cure: str = "") -> Ruling:
        return Ruling(meaning=meaning, words=self._words(cure))

    def _words(self, cure: str = "") -> str:
        words = one_line(self.context.mask(self.words), WORDS_LIMIT).rstrip(".")
        return "; ".join(filter(None, (": ".join(filter(None, (self.code, words))), cure)))


def text_in(value: Any) -> str:
    """Return a text or a number as text; nothing for all else."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def headers_of(mail: Mail) -> dict[str, str]:
    """Return the headers of a mail for a service that takes each name once: values of one name are joined."""
    headers: dict[str, str] = {}
    for name, value in mail.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@cache
def find_provider(name: str) -> type[Provider] | None:
    """Return the class of a service; None for a name that no file here has."""
    return find_class(__package__ or "", Provider, name)  # type: ignore[type-abstract]  # none is made


@cache
def provider_names() -> tuple[str, ...]:
    """Return the names of all services, sorted."""
    return type_names(__package__ or "")
