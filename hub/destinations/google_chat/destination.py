"""Google Chat: a space by its webhook.

https://developers.google.com/workspace/chat/api/reference/rest/v1/spaces.messages/create has the request; its
errors are those of all of Google's APIs: https://google.aip.dev/193.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qs

from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import Block, Destination, NetworkBlock, ShownContext
from hub.destinations.google_chat.cards import builtin, check_cards, escape_at, fit
from hub.destinations.google_chat.markup import escape, escape_card
from hub.destinations.google_chat.shown import parts, words
from hub.errors import TemplateError
from hub.model.delivery import MARKS, Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part
from hub.model.summary import Summary
from hub.model.thread import THREAD
from hub.strings import one_line, shortened_bytes
from hub.templating.escapes import Escape
from hub.templating.marks import Inline, InlineText, Structure, TemplateName
from hub.templating.placeholders import of_another_kind
from hub.templating.renderer import Renderer
from hub.templating.structures import text_and_structure
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import HttpResponse, json_bytes, json_request, web_url, with_parameters
from hub.transport.judging import Ruling, dead, foreign, json_object, judge, pause

LIMIT_BYTES = 32_000
"""Of a message, text and cards together."""
TEXTS_LIMIT_BYTES = 31_000
FALLBACK_LIMIT = 300
KEY_LIMIT = 4000

RULINGS: Mapping[str, Ruling] = {
    "INVALID_ARGUMENT": dead("something in it has a form that Google Chat does not take", form=True),
    "UNAUTHENTICATED": pause("the webhook's URL is not whole; copy it again"),
    "PERMISSION_DENIED": pause("the webhook may not post there; look for it in the space's settings"),
    "NOT_FOUND": pause("the space or its webhook is gone; create a new one and set its URL"),
}
"""Answers by Google's own words for errors, which stand in their body as `error.status`."""

_BY_STATUS = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_WRONG_KEY = "API_KEY_INVALID"
"""The reason, of an INVALID_ARGUMENT, that is about the key in the URL."""


class GoogleChatOptions(NetworkBlock):
    """A block under `destinations:` of type `google_chat`."""

    webhook_url: SecretStr = Field(description="of the space's settings, under Apps & integrations, Webhooks")

    @field_validator("webhook_url")
    @classmethod
    def _is_webhook_url(cls, url: SecretStr) -> SecretStr:
        if not {"key", "token"} <= parse_qs(web_url(url.get_secret_value()).query).keys():
            raise ValueError("must be the whole URL of a webhook, with key= and token= at its end")
        return url


class GoogleChatSend(Block):
    """A send block to a destination of type `google_chat`."""

    text: InlineText | None = None
    cards: Annotated[list[Any] | None, Structure(check=check_cards)] = None
    template: Annotated[str, TemplateName(".j2", ".cards.yaml", check=check_cards)] | None = None
    thread: Annotated[str, Inline(filled=True)] | None = Field(
        default=None, description="messages with the same key are replies in one thread"
    )


class GoogleChatDestination(Destination):
    """A space, by a webhook of it."""

    type: ClassVar[str] = "google_chat"
    concurrency: ClassVar[int] = 1
    rate_limit: ClassVar[RateLimit | None] = RateLimit(count=60, seconds=60, burst=5)
    escapes: ClassVar[tuple[Escape, ...]] = (escape, escape_card)
    Options = GoogleChatOptions
    Send = GoogleChatSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, GoogleChatSend)
        if send.template is not None and (send.text is not None or send.cards is not None):
            yield "template excludes text and cards: it is the whole message"
        if send.thread is not None and not send.thread.strip():
            yield "thread must not be empty: messages with the same key are tied together"

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if not fields.keys() & {"text", "cards", "template"}:
            return cls.compose_builtin(options, renderer.summary(), None, renderer.link)
        text, cards = text_and_structure("cards", fields, renderer, escape, escape_at)
        if cards is not None and not isinstance(cards, list):
            raise TemplateError("cards", None, "must be a list of cards")
        message: Message = {"text": text, "cards": cards or []}
        return message if renderer.is_open(json.dumps(message)) else cls.finished(message)

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        words = escape(one_line(summary.signed_headline))
        return cls.finished({"cards": builtin(summary, warning, link), "fallback_text": words})

    @classmethod
    def finished(cls, message: Message) -> Message:
        limit = TEXTS_LIMIT_BYTES
        message = {**message, "fallback_text": _fallback(message)}
        fitted = _fitted(message, limit)
        while len(json_bytes(body_of(fitted))) > LIMIT_BYTES and limit > 100:
            limit //= 2
            fitted = _fitted(message, limit)
        while fitted.get("cards") and len(json_bytes(body_of(fitted))) > LIMIT_BYTES:
            fitted["cards"].pop()
        if not fitted.get("text") and not fitted.get("cards"):
            raise TemplateError("text", None, "renders to nothing, which Google Chat does not take")
        return fitted

    @classmethod
    def text_alone(cls, message: Message) -> Message | None:
        if not message.get("cards"):
            return None
        text = message.get("text") or escape(words(message["cards"]))
        plainer = {**of_another_kind(message, escape), "text": text, "cards": []}
        return plainer if MARKS in message else cls.finished(plainer)

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        return parts(message)

    def __init__(
        self, options: GoogleChatOptions, name: str, *, resolver: Resolver = system_resolver
    ) -> None:
        super().__init__(options, name)
        self._url = web_url(options.webhook_url.get_secret_value())
        self._http = options.client(self.concurrency, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        # The same id again returns the first message instead of creating a second one.
        parameters = {"requestId": f"{context.delivery_id}-{context.rendering}"}
        if THREAD in message:
            parameters["messageReplyOption"] = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"
        request = json_request(with_parameters(self._url, parameters), body_of(message))
        response = self._http.send(request, context.timeout_seconds)
        return judge(response, context.at, _ruling(response))

    def describe(self) -> str:
        return str(self._url.hostname)

    def close(self) -> None:
        self._http.close()


def _fallback(message: Message) -> str:
    """Return what a notification shows of a message with cards."""
    cards = fit(message.get("cards", []), FALLBACK_LIMIT)
    text = message.get("fallback_text") or escape(words(cards))
    return one_line(text, FALLBACK_LIMIT) if cards else ""


def _fitted(message: Message, limit: int) -> Message:
    """Return a message with each of its texts cut to so many bytes, without what is empty."""
    text = shortened_bytes(message.get("text", "").strip(), limit)
    fitted = {**message, "text": text, "cards": fit(message.get("cards", []), limit)}
    return {key: value for key, value in fitted.items() if value}


def body_of(message: Message) -> dict[str, Any]:
    """Return the body of the request for a message."""
    names = {"text": "text", "cards": "cardsV2", "fallback_text": "fallbackText"}
    body = {names[key]: value for key, value in message.items() if key in names}
    if THREAD in message:
        body["thread"] = {"threadKey": message[THREAD][:KEY_LIMIT]}
    return body


def _ruling(response: HttpResponse) -> Ruling | None:
    """Return the meaning of an answer, None for the usual one."""
    answer = json_object(response) or {}
    if response.status == 200:
        return None if "name" in answer else foreign("Google Chat")
    error = answer.get("error")
    if response.status == 400 and _WRONG_KEY in response.text:
        return RULINGS["UNAUTHENTICATED"]
    word = error.get("status") if isinstance(error, dict) else None
    return RULINGS.get(str(word)) or RULINGS.get(_BY_STATUS.get(response.status, ""))
