"""Discord: a channel by its webhook, or a thread in it.

Facts: https://docs.discord.com/developers/resources/webhook (Execute Webhook), …/topics/rate-limits and
…/topics/opcodes-and-status-codes. A character is a code point: discord/discord-api-docs#1315.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import Block, Destination, NetworkBlock, ShownContext
from hub.destinations.discord.answers import ruling
from hub.destinations.discord.embeds import builtin, check_embeds, escape_at, fit, is_url, words
from hub.destinations.discord.markdown import escape, unpinged
from hub.destinations.discord.shown import parts
from hub.errors import TemplateError
from hub.model.delivery import MARKS, Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part
from hub.model.summary import Summary
from hub.strings import one_line
from hub.templating.escapes import Escape, plain
from hub.templating.markdown import cut
from hub.templating.marks import InlineText, Structure, TemplateName
from hub.templating.renderer import Renderer
from hub.templating.structures import text_and_structure
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import json_request, web_url, with_parameters
from hub.transport.judging import json_object, judge

CONTENT_LIMIT = 2000
USERNAME_LIMIT = 80

_NO_NAMES = re.compile("discord|clyde", re.IGNORECASE)
"""Words that Discord takes in no webhook's name."""

_NOBODY: Mapping[str, Any] = {"parse": []}
"""Who is to be notified by what looks like a mention."""


class DiscordOptions(NetworkBlock):
    """A block under `destinations:` of type `discord`."""

    webhook_url: SecretStr = Field(description="of the channel's settings, under Integrations, Webhooks")
    thread_id: int | str | None = Field(default=None, description="the id of a thread in that channel")

    @field_validator("webhook_url")
    @classmethod
    def _is_webhook_url(cls, url: SecretStr) -> SecretStr:
        path = web_url(url.get_secret_value()).path.rstrip("/")
        if path.endswith(("/slack", "/github")):
            raise ValueError("must end with the webhook's token: take /slack or /github off")
        return url

    @field_validator("thread_id")
    @classmethod
    def _is_id(cls, thread_id: int | str | None) -> int | str | None:
        if thread_id is not None and not re.fullmatch(r"\d{1,20}", str(thread_id), re.ASCII):
            raise ValueError("must be the thread's id, a number")
        return thread_id


class DiscordSend(Block):
    """A send block to a destination of type `discord`."""

    text: InlineText | None = None
    embeds: Annotated[list[Any] | None, Structure(check=check_embeds)] = None
    template: Annotated[str, TemplateName(".j2", ".embeds.yaml", check=check_embeds)] | None = None
    username: InlineText | None = None
    icon: InlineText | None = Field(default=None, description="the URL of a picture")


class DiscordDestination(Destination):
    """A channel of a server, by a webhook."""

    type: ClassVar[str] = "discord"
    concurrency: ClassVar[int] = 1
    rate_limit: ClassVar[RateLimit | None] = RateLimit(count=2, seconds=1, burst=5)
    escapes: ClassVar[tuple[Escape, ...]] = (escape, unpinged)
    Options = DiscordOptions
    Send = DiscordSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, DiscordSend)
        if send.template is not None and (send.text is not None or send.embeds is not None):
            yield "template excludes text and embeds: it is the whole message"
        if forbidden := _NO_NAMES.search(send.username or ""):
            yield f'username must not have "{forbidden[0]}" in it: Discord refuses that'

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if fields.keys() & {"text", "embeds", "template"}:
            content, embeds = text_and_structure("embeds", fields, renderer, escape, escape_at)
        else:
            content, embeds = builtin(renderer.summary(), None, renderer.link)
        if embeds is not None and not isinstance(embeds, list):
            raise TemplateError("embeds", None, "must be a list of embeds")
        message = {"content": content, "embeds": embeds or [], **cls.addressed(fields, renderer)}
        return message if renderer.is_open(json.dumps(message)) else cls.finished(message)

    @classmethod
    def addressed(cls, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        keys = {"username": "username", "avatar_url": "icon"}
        given = {key: fields[field] for key, field in keys.items() if fields.get(field) is not None}
        sender = {key: renderer.text(source, plain, name=keys[key]) for key, source in given.items()}
        return sender if renderer.is_open(json.dumps(sender)) else _sender(sender)

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        content, embeds = builtin(summary, warning, link)
        return cls.finished({"content": content, "embeds": embeds})

    @classmethod
    def finished(cls, message: Message) -> Message:
        content = cut(message.get("content", "").strip(), CONTENT_LIMIT)
        embeds = fit(message.get("embeds", []))
        if not content and not embeds:
            raise TemplateError("text", None, "renders to nothing, which Discord does not take")
        fitted = {"content": content, "embeds": embeds, **_sender(message)}
        return {key: value for key, value in fitted.items() if value} | {"allowed_mentions": dict(_NOBODY)}

    @classmethod
    def text_alone(cls, message: Message) -> Message | None:
        if not message.get("embeds"):
            return None
        content = message.get("content") or words(message["embeds"])
        plainer = {key: value for key, value in message.items() if key != "embeds"} | {"content": content}
        return plainer if MARKS in message else cls.finished(plainer)

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        return parts(message)

    def __init__(self, options: DiscordOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        url = web_url(options.webhook_url.get_secret_value())
        # Without `wait` a message that Discord does not keep is answered like one that it does.
        query = {"wait": "true"} | ({"thread_id": str(options.thread_id)} if options.thread_id else {})
        self._url, self._host = with_parameters(url, query), str(url.hostname)
        self._http = options.client(self.concurrency, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        response = self._http.send(json_request(self._url, message), context.timeout_seconds)
        return judge(response, context.at, ruling(response, json_object(response) or {}))

    def describe(self) -> str:
        return self._host

    def close(self) -> None:
        self._http.close()


def _sender(message: Message) -> Message:
    """Return the name and the picture that a message is sent under, as far as Discord takes them."""
    username = one_line(message.get("username", ""), USERNAME_LIMIT)
    icon = message.get("avatar_url", "").strip()
    sender = {
        "username": "" if _NO_NAMES.search(username) else username,
        "avatar_url": icon if is_url(icon) else "",
    }
    return {key: value for key, value in sender.items() if value}
