"""PagerDuty: alerts of a service, by its Events API v2.

https://developer.pagerduty.com/docs/events-api-v2-overview has statuses and sizes, and
https://developer.pagerduty.com/docs/send-alert-event the event.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from hub.destinations.base import ApiUrl, Block, Destination, NetworkBlock, ShownContext
from hub.errors import RecipientError, TemplateError
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.destination import RateLimit
from hub.model.parts import Part, PartKind, Role
from hub.model.summary import Summary, Tone
from hub.strings import one_line
from hub.templating.escapes import plain
from hub.templating.flaws import is_dynamic
from hub.templating.marks import InlineText, Structure
from hub.templating.renderer import Renderer
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import HttpResponse, json_request
from hub.transport.judging import Ruling, dead, foreign, json_object, judge, pause, rest

API_URL = "https://events.pagerduty.com"
PATH = "/v2/enqueue"

SUMMARY_LIMIT, KEY_LIMIT, SOURCE_LIMIT = 1024, 255, 255

SEVERITIES: Mapping[str, Tone] = {
    "critical": Tone.BAD,
    "error": Tone.BAD,
    "warning": Tone.WATCH,
    "info": Tone.PLAIN,
}
"""Every severity there is, with the tone that its colour has."""

RULINGS: Mapping[int, Ruling] = {
    400: dead("PagerDuty does not take this event", form=True),
    403: pause("PagerDuty lets no event of this routing_key in; look at it"),
    413: dead("the event is too large", form=True),
    429: rest("too many events", 120),
}
BAD_KEY = pause("the routing_key is not valid; set the integration key of an Events API v2 integration")


class PagerDutyOptions(NetworkBlock):
    """A block under `destinations:` of type `pagerduty`."""

    routing_key: SecretStr = Field(description="the integration key of a service's Events API v2 integration")
    api_url: ApiUrl = Field(
        default=API_URL, description="accounts in the EU: https://events.eu.pagerduty.com"
    )

    @field_validator("routing_key")
    @classmethod
    def _is_routing_key(cls, key: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[\x21-\x7e]{32}", key.get_secret_value().strip()):
            raise ValueError("must be an integration key, which has 32 characters")
        return key


class PagerDutySend(Block):
    """A send block to a destination of type `pagerduty`; what is left out is said in the built-in words."""

    summary: InlineText | None = None
    severity: InlineText | None = Field(default=None, description="critical, error, warning or info")
    source: InlineText | None = Field(default=None, description="left out: the name of the event's source")
    dedup_key: InlineText | None = Field(
        default=None, description="events with the same key are one alert; left out: the delivery's id"
    )
    action: Literal["trigger", "acknowledge", "resolve"] = "trigger"
    details: Annotated[dict[str, Any] | None, Structure()] = None


class PagerDutyDestination(Destination):
    """A service, or a global orchestration, with somebody on call."""

    type: ClassVar[str] = "pagerduty"
    rate_limit: ClassVar[RateLimit | None] = RateLimit(count=100, seconds=60, burst=20)
    Options = PagerDutyOptions
    Send = PagerDutySend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, PagerDutySend)
        if send.action != "trigger":
            if send.dedup_key is None:
                yield f"action {send.action} needs dedup_key: the key that the alert was triggered with"
            for key in ("summary", "severity", "source", "details"):
                if key in send.model_fields_set:
                    yield f"{key} belongs to action trigger; PagerDuty drops it from others"
        severity = send.severity
        if severity is not None and not is_dynamic(severity) and severity.strip() not in SEVERITIES:
            yield f'severity must be {", ".join(SEVERITIES)}, not "{one_line(severity, 60)}"'

    @classmethod
    def addressed(cls, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        """Return the key of the alert that a send block is about: another alert is none of its business."""
        try:
            key = _rendered("dedup_key", fields, renderer)
        except TemplateError as error:
            raise RecipientError(error.template, error.line, error.message) from error
        action = fields.get("action", "trigger")
        if action != "trigger" and not key:
            raise RecipientError("dedup_key", None, f"renders to nothing, and {action} needs one")
        return {"dedup_key": key} if key else {}

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        addressed, action = cls.addressed(fields, renderer), fields.get("action", "trigger")
        if action != "trigger":
            return {"event_action": action, **addressed}
        builtin = cls.compose_builtin(options, renderer.summary(), None, renderer.link)
        own = {key: _rendered(key, fields, renderer) for key in ("summary", "severity", "source")}
        if own["severity"] and not renderer.is_open(own["severity"]):
            _require_severity(own["severity"])
        payload = {**builtin["payload"], **{key: text for key, text in own.items() if text}}
        if fields.get("details") is not None:
            payload["custom_details"] = renderer.structure(fields["details"], plain, name="details")
        return _fitted({**builtin, **addressed, "payload": payload})

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        details = dict(summary.fields)
        details |= {"Note": summary.details} if summary.details else {}
        details |= {"Warning": warning} if warning else {}
        payload: dict[str, Any] = {"summary": summary.headline, "severity": _severity(summary.tone)}
        payload |= {"timestamp": summary.at.isoformat()} if summary.at else {}
        payload |= {"custom_details": details} if details else {}
        message: Message = {"event_action": "trigger", "payload": payload}
        return _fitted({**message, "links": [{"href": link, "text": "Open in the hub"}]} if link else message)

    @classmethod
    def finished(cls, message: Message) -> Message:
        if "payload" in message:
            _require_severity(message["payload"]["severity"])
        return _fitted(message)

    @classmethod
    def text_alone(cls, message: Message) -> Message | None:
        if "payload" not in message:
            return None
        payload = {key: value for key, value in message["payload"].items() if key != "custom_details"}
        alone = {key: value for key, value in message.items() if key != "links"} | {"payload": payload}
        return alone if alone != message else None

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        payload = message.get("payload") or {}
        severity = payload.get("severity", "")
        yield Part(text=payload.get("summary", ""), role=Role.HEADING, tone=SEVERITIES.get(severity))
        details = payload.get("custom_details") or {}
        if all(isinstance(value, str) for value in details.values()):
            yield Part(kind=PartKind.FIELDS, pairs=tuple(details.items()))
        else:
            yield Part(kind=PartKind.JSON, text=json.dumps(details, ensure_ascii=False))
        beside = {
            "action": message.get("event_action", ""),
            "severity": severity,
            "source": payload.get("source") or ("(the event's source)" if payload else ""),
            "dedup_key": message.get("dedup_key") or "(the delivery's id)",
            "timestamp": payload.get("timestamp", ""),
            "link": ", ".join(link["href"] for link in message.get("links", [])),
        }
        pairs = tuple((name, value) for name, value in beside.items() if value)
        yield Part(kind=PartKind.HEADERS, pairs=pairs, role=Role.NOTE)

    def __init__(self, options: PagerDutyOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        self._routing_key = options.routing_key.get_secret_value().strip()
        self._url = options.api_url.removesuffix(PATH) + PATH
        self._http = options.client(self.concurrency, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        event = {**message, "routing_key": self._routing_key, "client": "fanout-hub"}
        event["dedup_key"] = _key(message.get("dedup_key") or context.delivery_id)
        if "payload" in message:
            event["payload"] = {"source": context.event_source or "hub", **message["payload"]}
        request = json_request(self._url, event)
        response = self._http.send(request, context.timeout_seconds)
        return judge(response, context.at, _ruling(response), taken="taken by PagerDuty")

    def describe(self) -> str:
        return str(urlsplit(self._url).hostname)

    def close(self) -> None:
        self._http.close()


def _ruling(response: HttpResponse) -> Ruling | None:
    answer = json_object(response)
    if 200 <= response.status < 300:
        return None if answer is not None and answer.get("status") == "success" else foreign("PagerDuty")
    if response.status == 400 and answer is None:
        # What PagerDuty refuses it says in JSON: this is somebody's on the way.
        return None
    if response.status == 400 and re.search(r"routing[_ ]key", response.text, re.IGNORECASE):
        return BAD_KEY
    return RULINGS.get(response.status)


def _rendered(key: str, fields: Mapping[str, Any], renderer: Renderer) -> str:
    """Return what a key of a send block renders to; nothing where it is left out."""
    return "" if fields.get(key) is None else renderer.text(fields[key], plain, name=key).strip()


def _severity(tone: Tone) -> str:
    return {Tone.BAD: "error", Tone.WATCH: "warning"}.get(tone, "info")


def _require_severity(severity: str) -> None:
    if severity not in SEVERITIES:
        message = f'must be {", ".join(SEVERITIES)}, not "{one_line(severity, 60)}"'
        raise TemplateError("severity", None, message)


def _fitted(message: Message) -> Message:
    """Return a message within PagerDuty's limits, each of its texts one line."""
    if "payload" not in message:
        return message
    payload = {**message["payload"], "summary": one_line(message["payload"]["summary"], SUMMARY_LIMIT)}
    if "source" in payload:
        payload["source"] = one_line(payload["source"], SOURCE_LIMIT)
    return {**message, "payload": payload}


def _key(key: str) -> str:
    """Return a key that fits: of one that is too long, its beginning and what tells it from all others."""
    if len(key) <= KEY_LIMIT:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
    return f"{key[: KEY_LIMIT - len(digest) - 1]}-{digest}"
