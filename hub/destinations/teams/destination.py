"""Microsoft Teams: a channel or a chat, by the webhook of a Workflow.

Incoming webhooks of Office 365 connectors are retired; a Workflow "Send webhook alerts to a channel" takes
their place. What its trigger answers is that of Azure Logic Apps: 202 says that a run has begun.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import Block, Destination, NetworkBlock, ShownContext
from hub.destinations.teams.card import (
    builtin,
    escape,
    escape_at,
    fit,
    fit_text,
    text_card,
    whole,
    words,
)
from hub.destinations.teams.shapes import check_card
from hub.destinations.teams.shown import parts
from hub.errors import TemplateError
from hub.model.delivery import MARKS, Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part
from hub.model.summary import Summary
from hub.templating.escapes import Escape
from hub.templating.marks import InlineText, Structure, TemplateName
from hub.templating.renderer import Renderer
from hub.templating.structures import text_and_structure
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import HttpResponse, json_request, web_url
from hub.transport.judging import Ruling, dead, foreign, is_page, json_object, judge, pause, rest

CARD_TYPE = "application/vnd.microsoft.card.adaptive"

_GONE = pause(
    "the flow was deleted, switched off or lost its owner; a new flow has a new URL: set webhook_url"
)
_FORM = dead("the flow does not take this card", form=True)

RULINGS: Mapping[str, Ruling] = {
    "InvalidRequestContent": _FORM,
    "TriggerInputSchemaMismatch": _FORM,
    "WorkflowNotFound": _GONE,
    "WorkflowTriggerIsNotEnabled": _GONE,
}
"""Answers by the codes of the trigger, which stand in their body as `error.code`."""

STATUSES: Mapping[int, Ruling] = {
    401: _GONE,
    403: _GONE,
    413: dead("the card is too large", form=True),
    429: rest("too many messages", 60),
}


class TeamsOptions(NetworkBlock):
    """A block under `destinations:` of type `teams`."""

    webhook_url: SecretStr = Field(description="of a Workflow that posts what a webhook request brings")

    @field_validator("webhook_url")
    @classmethod
    def _is_webhook_url(cls, url: SecretStr) -> SecretStr:
        web_url(url.get_secret_value())
        return url


class TeamsSend(Block):
    """A send block to a destination of type `teams`. `text` beside a card is for where no card is shown."""

    text: InlineText | None = None
    card: Annotated[dict[str, Any] | list[Any] | None, Structure(check=check_card)] = None
    template: Annotated[str, TemplateName(".j2", ".card.yaml", check=check_card)] | None = None


class TeamsDestination(Destination):
    """A channel or a chat, by a Workflow."""

    type: ClassVar[str] = "teams"
    concurrency: ClassVar[int] = 1
    rate_limit: ClassVar[RateLimit | None] = RateLimit(count=3, seconds=1, burst=4)
    escapes: ClassVar[tuple[Escape, ...]] = (escape,)
    Options = TeamsOptions
    Send = TeamsSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, TeamsSend)
        if send.template is not None and (send.text is not None or send.card is not None):
            yield "template excludes text and card: it is the whole message"

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if not fields.keys() & {"text", "card", "template"}:
            return cls.compose_builtin(options, renderer.summary(), None, renderer.link)
        text, card = text_and_structure("card", fields, renderer, escape, escape_at)
        return cls.finished({"text": text} if card is None else {"text": text, "card": whole(card)})

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        return {"card": builtin(summary, warning, link)}

    @classmethod
    def finished(cls, message: Message) -> Message:
        text = fit_text(message.get("text", "").strip())
        if "card" not in message and not text:
            raise TemplateError("text", None, "renders to nothing, which Teams does not show")
        if "card" not in message:
            return {"text": text}
        card = fit({**({"fallbackText": text} if text else {}), **message["card"]})
        return {"text": text, "card": card} if text else {"card": card}

    @classmethod
    def text_alone(cls, message: Message) -> Message | None:
        if "card" not in message:
            return None
        text = message.get("text") or "\n".join(words(message["card"]))
        marks = {MARKS: message[MARKS]} if MARKS in message else {}
        return {"text": fit_text(text), **marks} if text.strip() else None

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        return parts(message)

    def __init__(self, options: TeamsOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        self._url = options.webhook_url.get_secret_value().strip()
        self._http = options.client(self.concurrency, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        card = message["card"] if "card" in message else text_card(message["text"])
        # Another form, as {"text": …} or a MessageCard, is answered 202 too, and the flow fails after.
        attachment = {"contentType": CARD_TYPE, "contentUrl": None, "content": card}
        request = json_request(self._url, {"type": "message", "attachments": [attachment]})
        response = self._http.send(request, context.timeout_seconds)
        return judge(response, context.at, _ruling(response), taken="taken by Teams")

    def describe(self) -> str:
        return str(web_url(self._url).hostname)

    def close(self) -> None:
        self._http.close()


def _ruling(response: HttpResponse) -> Ruling | None:
    if 200 <= response.status < 300:
        return foreign("the flow") if is_page(response.text) else None
    error = (json_object(response) or {}).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    ruling = RULINGS.get(code) if isinstance(code, str) else None
    return ruling or STATUSES.get(response.status)
