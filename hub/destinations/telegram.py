"""Telegram: a person, a group, a topic of it or a channel, by a bot.

https://core.telegram.org/bots/api has sendMessage, ResponseParameters and the HTML style, which is parsed in
td/telegram/MessageEntity.cpp of tdlib/td; descriptions of errors are collected in vrumger/telegram-errors.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import ApiUrl, Block, Destination, NetworkBlock, ShownContext
from hub.errors import TemplateError
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part, PartKind, Span
from hub.model.summary import Summary
from hub.strings import one_line, printable_lines, shortened, utf16_length
from hub.templating import small_html
from hub.templating.escapes import Escape, OwnLink, html
from hub.templating.flaws import TextFlaw
from hub.templating.marks import Inline, TemplateName
from hub.templating.placeholders import of_another_kind
from hub.templating.renderer import Renderer
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import HttpResponse, json_request
from hub.transport.judging import Ruling, dead, foreign, json_object, judge, pause, rest, seconds_of

API_URL = "https://api.telegram.org"

TEXT_LIMIT = 4096
"""Characters after parsing. Emoji count as two here: so a message fits, however Telegram counts."""

WARNING_LIMIT = 300
TAGS = frozenset(
    [
        "a",
        "b",
        "blockquote",
        "code",
        "del",
        "em",
        "i",
        "ins",
        "pre",
        "s",
        "span",
        "strike",
        "strong",
        "tg-emoji",
        "tg-spoiler",
        "tg-time",
        "u",
    ]
)
"""Tags that Telegram knows; any other makes it refuse the text."""

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_START_TAG = re.compile(r"<([A-Za-z][\w-]*)[^<>]*>")
_MARKED = re.compile("[@/#]")
_JOINER = "\u2060"
"""Behind one of those signs no name, command, tag or URL is read."""


_WRONG_CHAT = pause("the bot knows no such chat; check chat_id, and that the bot is in it")
_NO_RIGHTS = pause("the bot may not write there; give it the right to, or make it an administrator")
_NO_TOPIC = pause("the topic is closed or not there; open it, or set another message_thread_id")
_NO_TOKEN = pause("the bot token is not valid; copy it from @BotFather again")

RULINGS: Mapping[str, Ruling] = {
    "can't parse entities": dead("its HTML is none that Telegram takes", form=True),
    "message is too long": dead("it is too long", form=True),
    **dict.fromkeys(("text is empty", "text must be non-empty"), dead("its text is empty", form=True)),
    **dict.fromkeys(
        ("chat not found", "chat_id is empty", "peer_id_invalid", "channel_private"), _WRONG_CHAT
    ),
    **dict.fromkeys(("chat_write_forbidden", "not enough rights"), _NO_RIGHTS),
    **dict.fromkeys(("no rights to send", "need administrator rights"), _NO_RIGHTS),
    **dict.fromkeys(("message thread not found", "topic_closed", "topic_deleted"), _NO_TOPIC),
    "bot was blocked": pause("the person blocked the bot; they must unblock it"),
    **dict.fromkeys(("was kicked", "is not a member"), pause("the bot is not in the chat; add it")),
    "can't initiate conversation": pause("the person must write to the bot first"),
    **dict.fromkeys(("user is deactivated", "chat was deleted"), pause("it is gone; set another chat_id")),
}
"""Answers by what their description holds, in small letters."""

_BY_STATUS: Mapping[int, Ruling] = {
    401: _NO_TOKEN,
    403: pause("the bot may not write to that chat; look at it there"),
    404: _NO_TOKEN,
}


class TelegramOptions(NetworkBlock):
    """A block under `destinations:` of type `telegram`."""

    bot_token: SecretStr = Field(description="what @BotFather gave for the bot")
    chat_id: int | str = Field(description="a number, negative for groups, or @name of a public channel")
    message_thread_id: int | str | None = Field(default=None, description="the id of a topic of a group")
    silent: bool = Field(default=False, description="messages make no sound")
    api_url: ApiUrl = API_URL

    @field_validator("bot_token")
    @classmethod
    def _is_token(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"\d+:[\w-]+", token.get_secret_value(), re.ASCII):
            raise ValueError("must be a bot's token, such as 123456:ABC-…")
        return token

    @field_validator("chat_id")
    @classmethod
    def _is_chat(cls, chat_id: int | str) -> int | str:
        if not re.fullmatch(r"-?\d{1,20}|@[A-Za-z]\w{3,}", str(chat_id), re.ASCII):
            raise ValueError("must be a chat's number, such as -1001234567890, or a channel's @name")
        return chat_id

    @field_validator("message_thread_id")
    @classmethod
    def _is_topic(cls, topic: int | str | None) -> int | str | None:
        if topic is not None and not re.fullmatch(r"\d{1,20}", str(topic), re.ASCII):
            raise ValueError("must be a topic's number")
        return topic


def check_tags(text: str) -> Iterator[TextFlaw]:
    """Yield the tags in a text that Telegram does not know."""
    for tag in _START_TAG.finditer(_JINJA.sub(lambda jinja: " " * len(jinja[0]), text)):
        name = tag[1].lower()
        if name not in TAGS:
            advice = "; write a line break as it is" if name in ("br", "p", "div") else ""
            message = f"Telegram knows no <{name}>, and would refuse the message{advice}"
            yield TextFlaw(offset=tag.start(), message=message)


class TelegramSend(Block):
    """A send block to a destination of type `telegram`."""

    text: Annotated[str, Inline(check=check_tags)] | None = Field(
        default=None, description="a template in Telegram's HTML"
    )
    template: Annotated[str, TemplateName(".j2", text_check=check_tags)] | None = None
    silent: bool | None = None


def escape(value: Any) -> str:
    """Return the value as text in Telegram's HTML, in which no mention, command, tag or URL is found."""
    if isinstance(value, OwnLink):
        return html(str(value))
    return html(quiet(value))


def quiet(value: Any) -> str:
    """Return the value as text without any HTML, in which no mention, command, tag or URL is found."""
    return _MARKED.sub(rf"\g<0>{_JOINER}", printable_lines(str(value)))


class TelegramDestination(Destination):
    """A chat, by a bot that is in it."""

    type: ClassVar[str] = "telegram"
    concurrency: ClassVar[int] = 1
    rate_limit: ClassVar[RateLimit | None] = RateLimit(count=20, seconds=60, burst=5)
    escapes: ClassVar[tuple[Escape, ...]] = (escape, quiet)
    Options = TelegramOptions
    Send = TelegramSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, TelegramSend)
        if send.template is not None and send.text is not None:
            yield "text and template exclude each other"

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if fields.get("template") is not None:
            text = renderer.file(f"{fields['template']}.j2", escape)
        elif fields.get("text") is not None:
            text = renderer.text(fields["text"], escape, name="text")
        else:
            text = _builtin(renderer.summary(), None, renderer.link)
        message = {**_message(text), **cls.addressed(fields, renderer)}
        return message if renderer.is_open(text) else cls.finished(message)

    @classmethod
    def addressed(cls, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        silent = fields.get("silent")
        return {} if silent is None else {"disable_notification": silent}

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        return cls.finished(_message(_builtin(summary, warning, link)))

    @classmethod
    def finished(cls, message: Message) -> Message:
        if "parse_mode" not in message:
            pairs = utf16_length(message["text"]) - len(message["text"])
            return {**message, "text": shortened(message["text"], TEXT_LIMIT - min(pairs, TEXT_LIMIT // 2))}
        # In a tag nothing is found by itself, and a URL must be one.
        text = _START_TAG.sub(lambda tag: tag[0].replace(_JOINER, ""), message["text"].strip())
        if not small_html.visible(text).strip():
            raise TemplateError("text", None, "renders to nothing, which Telegram does not take")
        return {**message, "text": small_html.cut(text, TEXT_LIMIT, utf16_length)}

    @classmethod
    def text_alone(cls, message: Message) -> Message | None:
        if "parse_mode" not in message:
            return None
        plainer = {**of_another_kind(message, quiet), "text": small_html.visible(message["text"])}
        return {key: value for key, value in plainer.items() if key != "parse_mode"}

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        text = re.sub(f"(?<={_MARKED.pattern}){_JOINER}", "", message["text"])
        spans = small_html.spans(text) if "parse_mode" in message else (Span(text=text),)
        yield Part(kind=PartKind.RICH, spans=tuple(spans))

    def __init__(self, options: TelegramOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        token = options.bot_token.get_secret_value()
        self._url = f"{options.api_url}/bot{token}/sendMessage"
        self._chat_id = options.chat_id
        self._constant: dict[str, Any] = {"disable_notification": True} if options.silent else {}
        if options.message_thread_id is not None:
            self._constant["message_thread_id"] = int(options.message_thread_id)
        self._http = options.client(self.concurrency, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        ends_at = time.monotonic() + context.timeout_seconds
        response = self._post(message, self._chat_id, context.timeout_seconds)
        moved_to = _parameters(response).get("migrate_to_chat_id")
        if not isinstance(moved_to, int):
            return judge(response, context.at, _ruling(response))
        # Nothing was sent: the group became a supergroup, whose id the answer has.
        cure = f"the group became a supergroup: write chat_id: {moved_to}"
        response = self._post(message, moved_to, max(ends_at - time.monotonic(), 0.001))
        return judge(response, context.at, _ruling(response), taken=cure)

    def describe(self) -> str:
        return f"chat {self._chat_id}"

    def close(self) -> None:
        self._http.close()

    def _post(self, message: Message, chat_id: int | str, timeout_seconds: float) -> HttpResponse:
        body = {"chat_id": chat_id, **self._constant, **message}
        return self._http.send(json_request(self._url, body), timeout_seconds)


def _message(text: str) -> Message:
    # Nothing that a stranger wrote is to be fetched by Telegram and shown in the chat.
    return {"text": text, "parse_mode": "HTML", "link_preview_options": {"is_disabled": True}}


def _builtin(summary: Summary, warning: str | None, link: str) -> str:
    """Return the text of the built-in message: headline, fields, and the small print with the link."""
    fields = [f"{escape(one_line(label))}: {escape(one_line(value))}" for label, value in summary.fields]
    note = [escape(one_line(summary.note))] if summary.note else []
    note += [f'<a href="{html(link)}">Open in the hub</a>'] if link else []
    warnings = [f"⚠ {escape(one_line(warning, WARNING_LIMIT))}"] if warning else []
    headline = f"<b>{escape(one_line(summary.signed_headline)) or 'An event'}</b>"
    blocks = [headline, "\n".join(fields), "\n".join(filter(None, (*warnings, " · ".join(note))))]
    return "\n\n".join(block for block in blocks if block)


def _parameters(response: HttpResponse) -> Mapping[str, Any]:
    parameters = (json_object(response) or {}).get("parameters")
    return parameters if isinstance(parameters, dict) else {}


def _ruling(response: HttpResponse) -> Ruling | None:
    """Return the meaning of an answer, None for the usual one."""
    answer = json_object(response)
    if response.status == 200:
        return None if answer is not None and answer.get("ok") is True else foreign("Telegram")
    if answer is None or "ok" not in answer:
        return None
    if response.status == 429:
        seconds = seconds_of(_parameters(response).get("retry_after"))
        return rest("", seconds)
    description = str(answer.get("description")).lower()
    known = next((ruling for words, ruling in RULINGS.items() if words in description), None)
    return known or _BY_STATUS.get(response.status)
