"""The keys that users write for an HTTP endpoint: of a block under `destinations:`, and of a send block."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import requests
from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import Block, NetworkBlock
from hub.destinations.http.entries import own_header_problems
from hub.destinations.http.signature import signing_key
from hub.destinations.http.status import status_problems
from hub.templating.marks import Inline, InlineText, Structure, TemplateName

StatusRules = dict[str, Literal["delivered", "retry", "dead", "pause", "unknown"]]
"""Statuses (`404`) or classes of them (`4xx`) with their meanings."""


class HttpOptions(NetworkBlock):
    """A block under `destinations:` of type `http`."""

    url: SecretStr
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    sign_with: SecretStr | list[SecretStr] | None = None
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    on_status: StatusRules = Field(
        default_factory=dict, description="meanings of statuses (404) or classes of them (4xx)"
    )

    @field_validator("url")
    @classmethod
    def _is_http_url(cls, url: SecretStr) -> SecretStr:
        value = url.get_secret_value()
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            requests.Request("POST", value).prepare()
        except (ValueError, requests.RequestException):
            usable = False
        if not usable or re.search(r"\s", value) or not value.isprintable():
            raise ValueError("must be a URL that starts with https:// or http:// and names a host")
        if parts.fragment:
            raise ValueError("must not have a # part: it would never be sent")
        return url

    @field_validator("headers")
    @classmethod
    def _are_free_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for problem in own_header_problems(headers):
            raise ValueError(problem)
        return headers

    @field_validator("on_status")
    @classmethod
    def _are_statuses(cls, on_status: StatusRules) -> StatusRules:
        for problem in status_problems(on_status):
            raise ValueError(problem)
        return on_status

    @field_validator("sign_with")
    @classmethod
    def _are_secrets(cls, value: SecretStr | list[SecretStr] | None) -> SecretStr | list[SecretStr] | None:
        if value == []:
            raise ValueError("must name at least one secret")
        for secret in _listed(value):
            signing_key(secret.get_secret_value())
        return value

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the signing secrets, newest first."""
        return tuple(secret.get_secret_value() for secret in _listed(self.sign_with))


class HttpSend(Block):
    """A send block to a destination of type `http`; with nothing to render it sends the event itself."""

    json_: Annotated[Any, Structure()] = Field(default=None, alias="json")
    form: Annotated[dict[str, Any] | None, Structure()] = None
    body: InlineText | None = None
    template: Annotated[str, TemplateName(".j2")] | None = None
    content_type: str | None = None
    method: Literal["POST", "PUT", "PATCH", "DELETE"] | None = None
    path: Annotated[str, Inline(filled=True)] | None = None
    query: Annotated[dict[str, Any] | None, Structure(is_body=False)] = None
    headers: Annotated[dict[str, Any] | None, Structure(is_body=False)] = None
    on_status: StatusRules | None = None


def _listed(secrets: SecretStr | list[SecretStr] | None) -> list[SecretStr]:
    if secrets is None:
        return []
    return secrets if isinstance(secrets, list) else [secrets]
