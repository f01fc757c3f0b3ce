"""Slack: a channel's incoming webhook, or a bot that posts to a channel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from hub.destinations.base import Block, Destination, ShownContext
from hub.destinations.slack.blocks import fallback, fit, rendered, words
from hub.destinations.slack.builtin import builtin
from hub.destinations.slack.client import Bot
from hub.destinations.slack.errors import error_in, is_refusal, refusal_error, word_in
from hub.destinations.slack.mrkdwn import cut, escape, escape_markdown
from hub.destinations.slack.options import SlackOptions, SlackSend, flaws_of_keys
from hub.destinations.slack.posting import CONTENT, Posting
from hub.destinations.slack.shown import parts
from hub.errors import TemplateError, Unknown
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part
from hub.model.summary import Summary
from hub.strings import one_line
from hub.templating.escapes import Escape, plain
from hub.templating.flaws import Flaw
from hub.templating.renderer import Renderer
from hub.templating.structures import parsed
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import USER_AGENT, HttpRequest
from hub.transport.judging import is_page

TEXT_LIMIT = 3999

NAME_LIMITS = {"username": 80, "icon": 2000}


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
        yield from send.flaws()

    @classmethod
    def check_send_keys(cls, own: frozenset[str], keys: frozenset[str]) -> Iterable[Flaw]:
        return flaws_of_keys(own, keys)

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if fields.get("template") is not None:
            message = _from_template(fields["template"], renderer)
        elif fields.get("text") is None and fields.get("blocks") is None:
            message = cls.compose_builtin(options, renderer.summary(), None, renderer.link)
        else:
            blocks = _rendered_blocks("blocks", fields.get("blocks") or [], renderer)
            message = _message(renderer.text(fields.get("text") or "", escape, name="text"), blocks, renderer)
        for key in ("username", "icon"):
            if fields.get(key) is not None:
                message[key] = one_line(renderer.text(fields[key], plain, name=key), NAME_LIMITS[key])
        return message

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        return _fitted(builtin(summary, warning, link))

    @classmethod
    def finished(cls, message: Message) -> Message:
        return _fitted(message)

    @classmethod
    def text_alone(cls, message: Message) -> Message | None:
        alone = {key: value for key, value in message.items() if key not in ("blocks", "attachments")}
        if alone == message:
            return None
        lines = [message["text"], *(part["fallback"] for part in message.get("attachments", []))]
        return {**alone, "text": cut("\n".join(lines), TEXT_LIMIT)}

    @classmethod
    def thread_place(cls, options: Block | None, message: Message) -> str | None:
        assert isinstance(options, SlackOptions)
        return None if options.channel is None else options.channel.strip().removeprefix("#")

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
            bot = Bot(self._token, self._api_url, self._http, context.timeout_seconds)
            return Posting(client=bot, channel=self._channel, message=message, context=context).send()
        request = HttpRequest(
            method="POST",
            url=self._webhook_url,
            headers={"Content-Type": "application/json;charset=utf-8", "User-Agent": USER_AGENT},
            body=json.dumps({key: message[key] for key in CONTENT if key in message}).encode(),
        )
        response = self._http.send(request, context.timeout_seconds)
        answer = response.text
        if response.status == 200 and (answer == "ok" or not (is_page(answer) or is_refusal(answer))):
            # Servers that take Slack's webhooks (Mattermost, Rocket.Chat, Zulip) have words of their own.
            return Receipt(detail="Slack answered ok", status=200, answer=answer)
        if response.status == 200 and is_page(answer):
            raise Unknown("answered with a web page, which is not Slack's", status=200, answer=answer)
        word = word_in(context.mask(answer)) or error_in(context.mask(answer))
        raise refusal_error(response.status, response.headers, word, context.at, answer)

    def describe(self) -> str:
        return self._channel if self._token else str(urlsplit(self._webhook_url).hostname)

    def close(self) -> None:
        self._http.close()


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
    shown = text or renderer.within(fallback(blocks), escape) or escape(renderer.summary().headline)
    return _fitted({"text": shown, "blocks": blocks})


def _fitted(message: Message) -> Message:
    """Return a message within Slack's limits; what of blocks and attachments is empty then is left out."""
    fitted = {**message, "text": cut(message["text"], TEXT_LIMIT)}
    blocks = fitted["blocks"] = fit(message["blocks"], fitted["text"]) if message.get("blocks") else []
    if not blocks:
        del fitted["blocks"]
    if "attachments" in message:
        taken = fitted["text"] + words(blocks)
        bars = [{**bar, "blocks": fit(bar["blocks"], taken)} for bar in message["attachments"]]
        fitted["attachments"] = bars
    # Nothing that a stranger wrote is to be fetched by Slack and shown in the channel.
    return {**fitted, "unfurl_links": False, "unfurl_media": False}


def _rendered_blocks(name: str, value: Any, renderer: Renderer) -> list[dict[str, Any]]:
    blocks = rendered(value.get("blocks") if isinstance(value, dict) else value, renderer, name)
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise TemplateError(name, None, "must be a list of blocks")
    return blocks
