"""Any HTTP endpoint: a rendered body, or the event itself byte for byte."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit, urlunsplit

import requests

from hub.destinations.base import Block, Destination, ShownContext
from hub.destinations.http.body import (
    FORM_TYPE,
    JSON_TYPE,
    below_path,
    content_type_problems,
    dump,
    rendered_body,
)
from hub.destinations.http.entries import (
    encoded_form,
    entries,
    own_header_problems,
    query_problems,
    with_query,
)
from hub.destinations.http.options import HttpOptions, HttpSend
from hub.destinations.http.shown import parts
from hub.destinations.http.signature import signature
from hub.destinations.http.status import ruling_of, status_problems
from hub.model.delivery import RAW, Message, Receipt, SendContext
from hub.model.parts import Part
from hub.model.summary import Summary
from hub.templating.entries import entry_problems
from hub.templating.escapes import path_segment
from hub.templating.renderer import Renderer
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import USER_AGENT, HttpRequest
from hub.transport.judging import judge

KEPT_CONNECTIONS = 32

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class HttpDestination(Destination):
    """An endpoint at one URL, or below it."""

    type: ClassVar[str] = "http"
    id_header: ClassVar[str] = "webhook-id"
    read_by_people: ClassVar[bool] = False
    Options = HttpOptions
    Send = HttpSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, HttpSend)
        body_fields = [name for name in ("json", "form", "body", "template") if _is_given(send, name)]
        if len(body_fields) > 1:
            yield f"{' and '.join(body_fields)} exclude each other: a request has one body"
        if send.content_type is not None:
            yield from content_type_problems(send.content_type, body_fields)
        if send.path is not None and re.search(r"[?#]", _JINJA.sub("", send.path)):
            yield "path must not have a ? or #: write what belongs behind a ? under query"
        for field in ("form", "query", "headers"):
            yield from entry_problems(field, getattr(send, field) or {})
        yield from own_header_problems(send.headers or {})
        yield from status_problems(send.on_status or {})
        if isinstance(options, HttpOptions):
            yield from query_problems(send.query or {}, options.url.get_secret_value())

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        message: Message = {"method": fields.get("method") or _method(options)}
        if fields.get("path") is not None:
            message["path"] = below_path(renderer.text(fields["path"], path_segment, name="path"))
        for field in ("query", "headers"):
            if pairs := entries(field, fields, renderer):
                message[field] = pairs
        if fields.get("on_status"):
            message["on_status"] = dict(fields["on_status"])
        if fields.get("form") is not None:
            content_type = fields.get("content_type") or FORM_TYPE
            return {**message, "content_type": content_type, "form": entries("form", fields, renderer)}
        message["content_type"] = fields.get("content_type") or JSON_TYPE
        body = rendered_body(fields, renderer, message["content_type"])
        return {**message, RAW: True} if body is None else {**message, "body": body}

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        """Return the event in the hub's own words, for machines: used where there is no event to pass on."""
        body = {
            "headline": summary.headline,
            "fields": dict(summary.fields),
            "warning": warning,
            "link": link or None,
        }
        return {"method": _method(options), "content_type": JSON_TYPE, "body": dump(body)}

    @classmethod
    def finished(cls, message: Message) -> Message:
        return {**message, "path": below_path(message["path"])} if "path" in message else message

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        return parts(message, context)

    def __init__(self, options: HttpOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        # `requests` makes the host's international letters sendable; the paths below it stay as they are.
        self._url = requests.Request("POST", options.url.get_secret_value()).prepare().url or ""
        self._client = options.client(KEPT_CONNECTIONS, resolver)
        self._headers = _own_headers(options, self._url)
        self._secrets = options.secrets
        self._on_status = options.on_status

    def send(self, message: Message, context: SendContext) -> Receipt:
        body = _body(message, context)
        request = HttpRequest(
            method=message["method"],
            url=with_query(_below(self._url, message.get("path")), message.get("query", [])),
            headers=self._headers_of(message, body, context),
            body=body,
        )
        response = self._client.send(request, context.timeout_seconds)
        on_status = {**self._on_status, **message.get("on_status", {})}
        ruling = ruling_of(response.status, on_status)
        return judge(response, context.at, ruling, has_path="path" in message)

    def describe(self) -> str:
        return urlsplit(self._url).netloc.rpartition("@")[2]

    def close(self) -> None:
        self._client.close()

    def _headers_of(
        self, message: Message, body: bytes, context: SendContext
    ) -> list[tuple[str, str | bytes]]:
        """Return all headers of a request; capitals make no other name, and the send's own win."""
        of_send = [(name, _header_value(value)) for name, value in message.get("headers", [])]
        names = {name.lower() for name, _ in of_send}
        return [
            *((name, value) for name, value in self._headers.items() if name.lower() not in names),
            *of_send,
            *self._hubs_headers(message["content_type"], body, context).items(),
        ]

    def _hubs_headers(self, content_type: str, body: bytes, context: SendContext) -> dict[str, bytes]:
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


def _body(message: Message, context: SendContext) -> bytes:
    if message.get(RAW):
        return context.payload
    text: str = encoded_form(message["form"]) if "form" in message else message["body"]
    return text.encode("utf-8", "backslashreplace")


def _own_headers(options: HttpOptions, url: str) -> dict[str, str | bytes]:
    """Return the headers that are the same in every request."""
    headers: dict[str, str | bytes] = {
        name: _header_value(value.get_secret_value()) for name, value in options.headers.items()
    }
    names = {name.lower() for name in headers}
    if "user-agent" not in names:
        headers["User-Agent"] = USER_AGENT
    parts = urlsplit(url)
    if parts.username and "authorization" not in names:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
    return headers


def _header_value(text: str) -> bytes:
    """Return the text as a header can carry it: on one line, without control characters."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(c for c in text if c >= " " and not "\x7f" <= c <= "\x9f")
    return text.strip().encode("utf-8", "replace")
