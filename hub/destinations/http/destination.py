"""Any HTTP endpoint: a rendered body, or the event itself byte for byte, signed by Standard Webhooks.

The status line of the answer decides: 2xx is delivered, 410 means never again, everything else is tried
again. https://www.standardwebhooks.com has the signature.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from pydantic import Field, SecretStr, field_validator

from hub import __version__
from hub.destinations.base import Block, Destination, Inline, InlineText, Renderer, Structure, TemplateName
from hub.destinations.http.body import JSON_TYPE, below_path, content_type_problems, dump, rendered_body
from hub.errors import Reject, Retry
from hub.model.delivery import RAW, Attempt, Message, Receipt
from hub.model.event import Summary
from hub.strings import one_line
from hub.templating.escapes import path_segment
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import HttpClient, HttpRequest, HttpResponse, retry_after_seconds

KEPT_CONNECTIONS = 32

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED = re.compile(
    r"(webhook|hub)-.*|content-(type|length)|user-agent|transfer-encoding|connection|host", re.IGNORECASE
)
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class HttpOptions(Block):
    """A block under `destinations:` of type `http`."""

    url: SecretStr
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    sign_with: SecretStr | list[SecretStr] | None = None
    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"

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
        for name in headers:
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"{one_line(name, 60)!r} is no name of a header")
            if _RESERVED.fullmatch(name):
                raise ValueError(f"{name} is set by the hub itself and cannot be given here")
        return headers

    @field_validator("sign_with")
    @classmethod
    def _are_secrets(cls, value: SecretStr | list[SecretStr] | None) -> SecretStr | list[SecretStr] | None:
        if value == []:
            raise ValueError("must name at least one secret")
        for secret in _listed(value):
            _key(secret.get_secret_value())
        return value

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the signing secrets, newest first."""
        return tuple(secret.get_secret_value() for secret in _listed(self.sign_with))


class HttpSend(Block):
    """A send block to a destination of type `http`; with nothing to render it sends the event itself."""

    json_: Annotated[Any, Structure()] = Field(default=None, alias="json")
    body: InlineText | None = None
    template: Annotated[str, TemplateName(".j2")] | None = None
    content_type: str | None = None
    method: Literal["POST", "PUT", "PATCH", "DELETE"] | None = None
    path: Annotated[str, Inline(filled=True)] | None = None


class HttpDestination(Destination):
    """An endpoint at one URL, or below it."""

    type: ClassVar[str] = "http"
    read_by_people: ClassVar[bool] = False
    Options = HttpOptions
    Send = HttpSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, HttpSend)
        body_fields = [name for name in ("json", "body", "template") if _is_given(send, name)]
        if len(body_fields) > 1:
            yield f"{' and '.join(body_fields)} exclude each other: a request has one body"
        if send.content_type is not None:
            yield from content_type_problems(send.content_type, body_fields)
        if send.path is not None and re.search(r"[?#]", _JINJA.sub("", send.path)):
            yield "path must not have a ? or #: a query belongs into the destination's url"

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        message: Message = {"method": fields.get("method") or _method(options)}
        if fields.get("path") is not None:
            message["path"] = below_path(renderer.text(fields["path"], path_segment, name="path"))
        message["content_type"] = fields.get("content_type") or JSON_TYPE
        body = rendered_body(fields, renderer, message["content_type"])
        return {**message, RAW: True} if body is None else {**message, "body": body}

    @classmethod
    def passes_on(cls, options: Any) -> Message:
        return {"method": _method(options), "content_type": JSON_TYPE, RAW: True}

    @classmethod
    def compose_builtin(cls, options: Block | None, summary: Summary, note: str | None, link: str) -> Message:
        """Return the event in the hub's own words, for machines: used where there is no event to pass on."""
        body = {
            "headline": summary.headline,
            "fields": dict(summary.fields),
            "note": note,
            "link": link or None,
        }
        return {"method": _method(options), "content_type": JSON_TYPE, "body": dump(body)}

    def __init__(self, options: HttpOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        # `requests` makes the host's international letters sendable; the paths below it stay as they are.
        self._url = requests.Request("POST", options.url.get_secret_value()).prepare().url or ""
        self._client = HttpClient(KEPT_CONNECTIONS, resolver)
        self._headers = _own_headers(options, self._url)
        self._secrets = options.secrets

    def send(self, message: Message, attempt: Attempt) -> Receipt:
        body = attempt.payload if message.get(RAW) else message["body"].encode("utf-8", "backslashreplace")
        request = HttpRequest(
            method=message["method"],
            url=_below(self._url, message.get("path")),
            headers={**self._headers, **self._headers_for(message["content_type"], body, attempt)},
            body=body,
        )
        return _receipt(self._client.send(request, attempt.timeout_seconds), attempt.at)

    def describe(self) -> str:
        parts = urlsplit(self._url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def close(self) -> None:
        self._client.close()

    def _headers_for(self, content_type: str, body: bytes, attempt: Attempt) -> dict[str, str | bytes]:
        headers = {
            "Content-Type": content_type,
            "webhook-id": attempt.delivery_id,
            "webhook-timestamp": str(int(attempt.at.timestamp())),
            "hub-event-id": attempt.event_id,
            "hub-event-type": attempt.event_type,
            "hub-attempt": str(attempt.number),
        }
        if self._secrets:
            headers["webhook-signature"] = _signature(self._secrets, body, attempt)
        return {name: _header_value(value) for name, value in headers.items()}


# -- composing ------------------------------------------------------------------------------------


def _listed(secrets: SecretStr | list[SecretStr] | None) -> list[SecretStr]:
    if secrets is None:
        return []
    return secrets if isinstance(secrets, list) else [secrets]


def _method(options: Block | None) -> str:
    return options.method if isinstance(options, HttpOptions) else "POST"


def _is_given(send: HttpSend, name: str) -> bool:
    field = "json_" if name == "json" else name
    return field in send.model_fields_set and (name == "json" or getattr(send, field) is not None)


# -- sending --------------------------------------------------------------------------------------


def _below(url: str, path: str | None) -> str:
    """Return the URL with a path appended to its own; nothing is resolved or decoded."""
    if not path:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def _own_headers(options: HttpOptions, url: str) -> dict[str, str | bytes]:
    """Return the headers that are the same in every request."""
    headers: dict[str, str | bytes] = {
        name: _header_value(value.get_secret_value()) for name, value in options.headers.items()
    }
    headers["User-Agent"] = f"fanout-hub/{__version__}"
    parts = urlsplit(url)
    if parts.username and not any(name.lower() == "authorization" for name in headers):
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    return headers


def _header_value(text: str) -> bytes:
    """Return the text as a header can carry it: on one line, without control characters."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(c for c in text if c >= " " and c != "\x7f")
    return text.strip().encode("utf-8", "replace")


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("must be a secret like whsec_MfKQ…: base64 after whsec_")
    return key


def _signature(secrets: tuple[str, ...], body: bytes, attempt: Attempt) -> str:
    """Return one signature per secret, as Standard Webhooks wants them while a secret is rotated."""
    from standardwebhooks.webhooks import Webhook

    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Reject("the event is not UTF-8, which a signature needs") from error
    at = attempt.at.astimezone(UTC)
    return " ".join(Webhook(_key(secret)).sign(attempt.delivery_id, at, text) for secret in secrets)


def _receipt(response: HttpResponse, now: datetime) -> Receipt:
    """Return the receipt that a response is; raises SendError where it is none."""
    status = response.status
    detail = f"answered {status} {_phrase(status)}".rstrip()
    if 200 <= status < 300:
        return Receipt(detail=detail, status=status)
    if status == HTTPStatus.GONE:
        raise Reject(detail, status=status)
    if 300 <= status < 400:
        detail = f"answered with a redirect ({status}), which is not followed"
    raise Retry(
        detail,
        status=status,
        throttled=status == HTTPStatus.TOO_MANY_REQUESTS,
        after_seconds=retry_after_seconds(response.headers, now),
    )


def _phrase(status: int) -> str:
    """Return the standard's words for a status: those of the response are anybody's."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
