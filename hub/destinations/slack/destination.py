"""Slack: a channel's incoming webhook, or a bot that posts to a channel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from slack_sdk.errors import SlackApiError

from hub.destinations.base import Block, Destination, Renderer, ShownContext
from hub.destinations.slack.blocks import builtin, fallback, fit, rendered
from hub.destinations.slack.client import Bot
from hub.destinations.slack.errors import is_page, refusal_error, word_in
from hub.destinations.slack.mrkdwn import cut, escape, escape_markdown
from hub.destinations.slack.options import SlackOptions, SlackSend
from hub.destinations.slack.shown import parts
from hub.errors import TemplateError, Unknown
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part
from hub.model.summary import Summary
from hub.templating.escapes import Escape
from hub.templating.structures import parsed
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import USER_AGENT, HttpRequest

TEXT_LIMIT = 3999


class SlackDestination(Destination):
    """A channel of a workspace, by a webhook of its own or as a bot."""

    type: ClassVar[str] = "slack"
    concurrency: ClassVar[int] = 1
    rate_limit: ClassVar[RateLimit | None] = RateLimit(count=1, seconds=1, burst=5)
    escapes: ClassVar[tuple[Escape, ...]] = (escape, escape_markdown)
    Options = SlackOptions
    Send = SlackSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, SlackSend)
        if send.template is not None and (send.text is not None or send.blocks is not None):
            yield "template excludes text and blocks: it is the whole message"

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if fields.get("template") is not None:
            return _from_template(fields["template"], renderer)
        blocks = _rendered_blocks("blocks", fields.get("blocks") or [], renderer)
        return _message(renderer.text(fields.get("text") or "", escape, name="text"), blocks, renderer)

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        return _fitted(*builtin(summary, warning, link))

    @classmethod
    def finished(cls, message: Message) -> Message:
        return _fitted(message["text"], message.get("blocks", []))

    @classmethod
    def text_alone(cls, message: Message) -> Message | None:
        text = {key: value for key, value in message.items() if key != "blocks"}
        return text if text != message else None

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        return parts(message)

    def __init__(self, options: SlackOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        self._webhook_url = options.webhook_url.get_secret_value().strip() if options.webhook_url else ""
        self._token = options.bot_token.get_secret_value() if options.bot_token else ""
        self._channel = (options.channel or "").strip()
        self._api_url = options.api_url
        self._http = options.client(self.concurrency, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        if self._token:
            return self._send_as_bot(message, context)
        request = HttpRequest(
            method="POST",
            url=self._webhook_url,
            headers={"Content-Type": "application/json;charset=utf-8", "User-Agent": USER_AGENT},
            body=json.dumps(message).encode(),
        )
        response = self._http.send(request, context.timeout_seconds)
        answer = response.text
        if response.status == 200 and (answer == "ok" or not is_page(answer)):
            # Servers that take Slack's webhooks (Mattermost, Rocket.Chat, Zulip) have words of their own.
            return Receipt(detail="Slack answered ok", status=200, answer=answer)
        if response.status == 200:
            raise Unknown("answered with a web page, which is not Slack's", status=200, answer=answer)
        word = word_in(context.mask(answer))
        raise refusal_error(response.status, response.headers, word, context.at, answer)

    def describe(self) -> str:
        return self._channel if self._token else str(urlsplit(self._webhook_url).hostname)

    def close(self) -> None:
        self._http.close()

    def _send_as_bot(self, message: Message, context: SendContext) -> Receipt:
        client = Bot(self._token, self._api_url, self._http, context.timeout_seconds)
        try:
            client.api_call("chat.postMessage", json={**message, "channel": self._channel})
        except SlackApiError as error:
            response = error.response
            word = (
                word_in(context.mask(str(response.data.get("error"))))
                if isinstance(response.data, dict)
                else ""
            )
            if response.status_code == 200 and not word:
                raise Unknown(
                    "answered with something that is not Slack's", status=200, answer=client.answer
                ) from None
            raise refusal_error(
                response.status_code, response.headers, word, context.at, client.answer
            ) from None
        return Receipt(detail="Slack answered ok", status=200, answer=client.answer)


def _from_template(template: str, renderer: Renderer) -> Message:
    structure, text = f"{template}.blocks.yaml", f"{template}.j2"
    if not renderer.exists(structure):
        return _message(renderer.file(text, escape), [], renderer)
    blocks = _rendered_blocks(structure, parsed(structure, renderer.source(structure)), renderer)
    # Beside a structure, the text of the same name is what notifications show.
    return _message(renderer.file(text, escape) if renderer.exists(text) else "", blocks, renderer)


def _message(text: str, blocks: list[dict[str, Any]], renderer: Renderer) -> Message:
    text = text.strip()
    if not text and not blocks:
        raise TemplateError("text", None, "renders to nothing, which Slack does not take")
    words = text or renderer.within(fallback(blocks), escape) or escape(renderer.summary().headline)
    return _fitted(words, blocks)


def _fitted(text: str, blocks: list[dict[str, Any]]) -> Message:
    """Return a message within Slack's limits."""
    message: Message = {"text": cut(text, TEXT_LIMIT)}
    if blocks and (fitted := fit(blocks, message["text"])):
        message["blocks"] = fitted
    # Nothing that a stranger wrote is to be fetched by Slack and shown in the channel.
    return {**message, "unfurl_links": False, "unfurl_media": False}


def _rendered_blocks(name: str, value: Any, renderer: Renderer) -> list[dict[str, Any]]:
    blocks = rendered(value.get("blocks") if isinstance(value, dict) else value, renderer, name)
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise TemplateError(name, None, "must be a list of blocks")
    return blocks
