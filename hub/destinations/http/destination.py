"""Any HTTP endpoint: a rendered body, or the event itself byte for byte.

The status line of the response decides: 2xx is delivered, 410 means never again, everything else is tried
again.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit, urlunsplit

import requests

from hub.destinations.base import Block, Destination, Renderer
from hub.destinations.http.body import JSON_TYPE, below_path, content_type_problems, dump, rendered_body
from hub.destinations.http.options import HttpOptions, HttpSend
from hub.destinations.http.signature import signature
from hub.errors import Reject, Retry
from hub.model.delivery import RAW, Message, Receipt, SendContext
from hub.model.event import Summary
from hub.templating.escapes import path_segment
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import USER_AGENT, HttpClient, HttpRequest, HttpResponse, retry_after_seconds

KEPT_CONNECTIONS = 32

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


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

    def send(self, message: Message, context: SendContext) -> Receipt:
        body = context.payload if message.get(RAW) else message["body"].encode("utf-8", "backslashreplace")
        request = HttpRequest(
            method=message["method"],
            url=_below(self._url, message.get("path")),
            headers={**self._headers, **self._headers_for(message["content_type"], body, context)},
            body=body,
        )
        return _receipt(self._client.send(request, context.timeout_seconds), context.at)

    def describe(self) -> str:
        parts = urlsplit(self._url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

    def close(self) -> None:
        self._client.close()

    def _headers_for(self, content_type: str, body: bytes, context: SendContext) -> dict[str, str | bytes]:
        headers = {
            "Content-Type": content_type,
            "webhook-id": context.delivery_id,
            "webhook-timestamp": str(int(context.at.timestamp())),
            "hub-event-id": context.event_id,
            "hub-event-type": context.event_type,
            "hub-attempt": str(context.attempt_number),
        }
        if self._secrets:
            headers["webhook-signature"] = signature(self._secrets, body, context)
        return {name: _header_value(value) for name, value in headers.items()}


def _method(options: Block | None) -> str:
    return options.method if isinstance(options, HttpOptions) else "POST"


def _is_given(send: HttpSend, name: str) -> bool:
    field = "json_" if name == "json" else name
    return field in send.model_fields_set and (name == "json" or getattr(send, field) is not None)


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
    headers["User-Agent"] = USER_AGENT
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
