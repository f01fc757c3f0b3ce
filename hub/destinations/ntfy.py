"""ntfy: push messages to phones, by a topic of ntfy.sh or of a server of one's own.

https://docs.ntfy.sh/publish/ has the JSON; codes of errors stand in server/errors.go of binwiederhier/ntfy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar
from urllib.parse import urlunsplit

from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import Block, Destination, NetworkBlock, ShownContext
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part, PartKind, Role
from hub.model.summary import Summary, Tone
from hub.strings import shortened_bytes
from hub.templating.escapes import plain
from hub.templating.marks import InlineText, Structure
from hub.templating.renderer import Renderer
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import HttpResponse, json_request, web_url
from hub.transport.judging import Ruling, dead, foreign, json_object, judge, pause, rest

TEXT_LIMIT_BYTES = 4096
"""A longer one becomes a file, or is refused."""
TITLE_LIMIT_BYTES = 250

URGENT, USUAL = 4, 3
"""Priorities from 1 to 5."""

RULINGS: Mapping[int, Ruling] = {
    40007: dead("the priority is none"),
    40009: pause("ntfy knows no such topic; look at the end of url"),
    40010: pause("ntfy keeps that topic for itself; choose another one"),
    40011: dead("the text is not UTF-8"),
    40018: dead("the actions are none"),
    40101: pause("the token is not valid; set the right one"),
    40301: pause("the token may not publish there; allow it, or set another"),
    41303: dead("the message is too large"),
    42901: rest("too many messages", 60),
    42905: rest("over today's limit", 3600),
    42908: rest("over today's limit", 3600),
}
"""Answers by ntfy's own codes, which stand in their body as `code`."""


class NtfyOptions(NetworkBlock):
    """A block under `destinations:` of type `ntfy`."""

    url: SecretStr = Field(description="the server with the topic, such as https://ntfy.sh/my-topic")
    token: SecretStr | None = Field(default=None, description="an access token, tk_…")

    @field_validator("url")
    @classmethod
    def _names_a_topic(cls, url: SecretStr) -> SecretStr:
        if not web_url(url.get_secret_value()).path.strip("/"):
            raise ValueError("must end with the topic, as https://ntfy.sh/my-topic does")
        return url


class NtfySend(Block):
    """A send block to a destination of type `ntfy`; everything left out is said in the built-in words."""

    title: InlineText | None = None
    text: InlineText | None = None
    priority: Annotated[int, Field(ge=1, le=5)] | None = None
    tags: Annotated[list[str] | None, Structure(is_body=False)] = Field(
        default=None, description="words, or names of emoji such as tada"
    )
    click: InlineText | None = Field(default=None, description="the URL that a tap opens")


class NtfyDestination(Destination):
    """A topic, for everybody who subscribed to it."""

    type: ClassVar[str] = "ntfy"
    rate_limit: ClassVar[RateLimit | None] = RateLimit(count=12, seconds=60, burst=60)
    Options = NtfyOptions
    Send = NtfySend

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        def rendered(name: str, builtin: str) -> str:
            source = fields.get(name)
            return builtin if source is None else renderer.text(source, plain, name=name)

        summary = renderer.summary()
        title = summary.signed_headline if "text" not in fields else ""
        return _message(
            title=rendered("title", title),
            text=rendered("text", "\n".join(summary.lines)),
            priority=fields.get("priority") or _priority(summary),
            click=rendered("click", renderer.link),
            tags=renderer.structure(fields.get("tags") or [], plain, name="tags"),
        )

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        lines = [*summary.lines, f"⚠ {warning}"] if warning else summary.lines
        return _message(
            title=summary.signed_headline, text="\n".join(lines), priority=_priority(summary), click=link
        )

    @classmethod
    def finished(cls, message: Message) -> Message:
        return _fitted(message)

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        yield Part(text=message.get("title", ""), role=Role.HEADING)
        yield Part(text=message.get("message", ""))
        beside = {key: message[key] for key in ("priority", "tags", "click") if key in message}
        pairs = tuple((key, str(value)) for key, value in beside.items())
        yield Part(kind=PartKind.HEADERS, pairs=pairs, role=Role.NOTE)

    def __init__(self, options: NtfyOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        url = web_url(options.url.get_secret_value())
        root, _, self._topic = url.path.rstrip("/").rpartition("/")
        # Its JSON goes to the root of the server, with the topic in it.
        self._url = urlunsplit(url._replace(path=f"{root}/", query="", fragment=""))
        self._host = str(url.hostname)
        token = options.token.get_secret_value() if options.token else ""
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = options.client(self.concurrency, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        request = json_request(self._url, {"topic": self._topic, **message}, self._headers)
        response = self._http.send(request, context.timeout_seconds)
        return judge(response, context.at, _ruling(response), taken="taken by ntfy")

    def describe(self) -> str:
        return self._host

    def close(self) -> None:
        self._http.close()


def _message(*, title: str, text: str, priority: int, click: str, tags: Iterable[str] = ()) -> Message:
    """Return a message without what is empty; one without a text would be shown as "triggered"."""
    message: Message = {
        "title": title,
        "message": text or title,
        "priority": priority,
        "click": click,
        "tags": [str(tag) for tag in tags],
    }
    return _fitted({key: value for key, value in message.items() if value})


def _fitted(message: Message) -> Message:
    """Return a message within ntfy's limits."""
    limits = {"title": TITLE_LIMIT_BYTES, "message": TEXT_LIMIT_BYTES}
    return {
        key: shortened_bytes(value, limits[key]) if key in limits else value for key, value in message.items()
    }


def _ruling(response: HttpResponse) -> Ruling | None:
    answer = json_object(response)
    if response.status == 200 and answer is None:
        return foreign("ntfy")
    code = (answer or {}).get("code")
    return RULINGS.get(code) if isinstance(code, int) else None


def _priority(summary: Summary) -> int:
    return URGENT if summary.tone is Tone.BAD else USUAL
