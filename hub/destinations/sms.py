"""SMS, sent by Twilio's Messages API.

https://www.twilio.com/docs/messaging/api/message-resource has the request, and
https://www.twilio.com/docs/api/errors a page for each code.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import ConfigDict, Field, SecretStr, field_validator

from hub.destinations.base import ApiUrl, Block, Destination, NetworkBlock, ShownContext
from hub.errors import Pause, RecipientError, TemplateError
from hub.model.delivery import Message, Receipt, SendContext
from hub.model.parts import Part, PartKind
from hub.model.summary import Summary
from hub.strings import one_line, printable, shortened, utf16_length
from hub.templating.escapes import plain
from hub.templating.flaws import is_dynamic
from hub.templating.gsm import is_one_segment, simpler
from hub.templating.marks import Inline, InlineText
from hub.templating.renderer import Renderer
from hub.transport.deadline import Resolver, system_resolver
from hub.transport.http import USER_AGENT, HttpRequest, HttpResponse
from hub.transport.judging import Ruling, dead, foreign, json_object, judge, pause, rest

API_URL = "https://api.twilio.com"

TEXT_LIMIT = 1600
LONGEST_VALIDITY_SECONDS = 36_000
"""https://www.twilio.com/docs/api/errors/90007"""

WARNING_LIMIT = 80

_NUMBER = re.compile(r"\+[1-9]\d{5,14}")
_SENDER = re.compile(r"MG[0-9A-Za-z]+|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")


_NO_SENDER = pause("from is no number of this account that can send SMS there; set another one")
_NO_LOGIN = pause("account_sid and auth_token do not belong together; set the right ones")

RULINGS: Mapping[int, Ruling] = {
    20003: _NO_LOGIN,
    20429: rest("too many requests", 30),
    21211: dead("there is no such number to send to"),
    21212: _NO_SENDER,
    21408: dead("the account may not send to that country; allow it in Twilio's Geo permissions"),
    21601: _NO_SENDER,
    21602: dead("the text is empty"),
    21606: _NO_SENDER,
    21608: pause("a trial account sends to verified numbers only; verify it, or upgrade the account"),
    21610: dead("the recipient opted out (STOP), and has to send START"),
    21612: dead("no way leads from this sender to that number"),
    21614: dead("that number takes no SMS"),
    21617: dead("the text is too long"),
    21659: _NO_SENDER,
    21661: _NO_SENDER,
    21705: pause("from is no messaging service of this account; set its MG…"),
}
"""Answers by Twilio's own codes, which stand in their body as `code`."""

BUSY = rest("too many requests", 30)


class SmsOptions(NetworkBlock):
    """A block under `destinations:` of type `sms`."""

    model_config = ConfigDict(populate_by_name=True)

    provider: Literal["twilio"] = "twilio"
    account_sid: str = Field(description="AC…")
    auth_token: SecretStr = Field(description="the account's, or an API key with its secret: SK…:secret")
    sender: str = Field(alias="from", description="a number (+…), a sender id, or a messaging service (MG…)")
    to: str | None = Field(default=None, description="the number of those whom no send block names: +…")
    api_url: ApiUrl = API_URL

    @field_validator("account_sid")
    @classmethod
    def _is_account(cls, sid: str) -> str:
        if not re.fullmatch(r"AC[0-9A-Za-z]+", sid.strip()):
            raise ValueError("must be an account SID, which begins with AC")
        return sid.strip()

    @field_validator("auth_token")
    @classmethod
    def _is_token(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()):
            raise ValueError("must be an auth token, or an API key with its secret: SK…:secret")
        return token

    @field_validator("sender")
    @classmethod
    def _is_sender(cls, sender: str) -> str:
        if _NUMBER.fullmatch(_compact(sender)):
            return _compact(sender)
        if not _SENDER.fullmatch(sender.strip()):
            raise ValueError("must be a number such as +15557654321, a sender id, or MG…")
        return sender.strip()

    @field_validator("to")
    @classmethod
    def _is_number(cls, to: str | None) -> str | None:
        return None if to is None else phone_number(to)


class SmsSend(Block):
    """A send block to a destination of type `sms`; without `text` it is the built-in message."""

    text: InlineText | None = None
    recipient: Annotated[str, Inline(filled=True)] | None = Field(
        default=None, description="one number, in place of the destination's to"
    )


class SmsDestination(Destination):
    """A phone, the same each time or the one that the send block names."""

    type: ClassVar[str] = "sms"
    recipient_keys: ClassVar[tuple[str, ...]] = ("recipient",)
    Options = SmsOptions
    Send = SmsSend

    @classmethod
    def check(cls, options: Block | None, send: Block) -> Iterable[str]:
        assert isinstance(send, SmsSend)
        if send.recipient is not None and not is_dynamic(send.recipient):
            try:
                phone_number(send.recipient)
            except ValueError as error:
                yield f"recipient {error}"
        if send.recipient is None and isinstance(options, SmsOptions) and options.to is None:
            yield "needs recipient: the destination has no to of its own"

    @classmethod
    def addressed(cls, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if fields.get("recipient") is None:
            return {}
        try:
            rendered = renderer.text(fields["recipient"], plain, name="recipient")
        except TemplateError as error:
            raise RecipientError(error.template, error.line, error.message) from error
        return {"to": rendered if renderer.is_open(rendered) else _recipient(rendered)}

    @classmethod
    def compose(cls, options: Block | None, fields: Mapping[str, Any], renderer: Renderer) -> Message:
        if fields.get("text") is None:
            message = cls.compose_builtin(options, renderer.summary(), None, renderer.link)
        else:
            text = _fitted(renderer.text(fields["text"], plain, name="text"))
            message = {**_own_recipient(options), "text": text}
        return {**message, **cls.addressed(fields, renderer)}

    @classmethod
    def compose_builtin(
        cls, options: Block | None, summary: Summary, warning: str | None, link: str
    ) -> Message:
        text = simpler(one_line(summary.headline))
        if warning:
            text = f"{text} ({simpler(one_line(warning, WARNING_LIMIT))})"
        elif link and is_one_segment(f"{text} {link}"):
            text = f"{text} {link}"
        return {**_own_recipient(options), "text": text}

    @classmethod
    def finished(cls, message: Message) -> Message:
        to = {"to": _recipient(message["to"])} if "to" in message else {}
        return {**message, **to, "text": _fitted(message["text"])}

    @classmethod
    def shown(cls, message: Message, context: ShownContext) -> Iterable[Part]:
        written = context.written
        pairs = (
            ("From", str(written.get("from", "(not configured)"))),
            ("To", message.get("to") or str(written.get("to", "(not configured)"))),
        )
        yield Part(kind=PartKind.HEADERS, pairs=pairs)
        yield Part(text=message.get("text", ""))

    def __init__(self, options: SmsOptions, name: str, *, resolver: Resolver = system_resolver) -> None:
        super().__init__(options, name)
        self._sender = options.sender
        path = f"/2010-04-01/Accounts/{options.account_sid}/Messages.json"
        self._url = options.api_url + path
        token = options.auth_token.get_secret_value()
        login = token if token.startswith("SK") and ":" in token else f"{options.account_sid}:{token}"
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(login.encode()).decode(),
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": USER_AGENT,
        }
        self._http = options.client(self.concurrency, resolver)

    def send(self, message: Message, context: SendContext) -> Receipt:
        if not message.get("to"):
            raise Pause("nobody to send to: add to to the destination, or recipient to its send blocks")
        is_service = self._sender.startswith("MG")
        form = {
            "To": message["to"],
            "MessagingServiceSid" if is_service else "From": self._sender,
            "Body": message["text"],
        }
        if context.valid_seconds is not None:
            # What is older is not to leave Twilio's queue either.
            form["ValidityPeriod"] = str(min(max(int(context.valid_seconds), 1), LONGEST_VALIDITY_SECONDS))
        body = urlencode(form, errors="replace").encode()
        request = HttpRequest(method="POST", url=self._url, headers=self._headers, body=body)
        response = self._http.send(request, context.timeout_seconds)
        return judge(response, context.at, _ruling(response), taken="taken by Twilio")

    def describe(self) -> str:
        return f"by Twilio from {self._sender}"

    def close(self) -> None:
        self._http.close()


def phone_number(text: str) -> str:
    """Return a number as E.164 has it; raises ValueError where a text is not exactly one."""
    number = _compact(text)
    if not _NUMBER.fullmatch(number):
        raise ValueError("must be one phone number with its country code, such as +15557654321")
    return number


def _compact(text: str) -> str:
    """Return a number without what people write between its digits."""
    return re.sub(r"[\s().\u00a0/-]", "", text)


def _recipient(rendered: str) -> str:
    try:
        return phone_number(rendered)
    except ValueError as error:
        raise RecipientError("recipient", None, str(error)) from error


def _own_recipient(options: Block | None) -> Message:
    return {"to": options.to} if isinstance(options, SmsOptions) and options.to else {}


def _fitted(text: str) -> str:
    """Return a text of a user's own within Twilio's limit, its line breaks kept."""
    lines = (printable(line).rstrip() for line in text.splitlines())
    fitted = "\n".join(lines).strip()
    if not fitted:
        raise TemplateError("text", None, "renders to nothing, which Twilio does not take")
    while utf16_length(fitted) > TEXT_LIMIT:
        fitted = shortened(fitted, len(fitted) - (utf16_length(fitted) - TEXT_LIMIT + 1) // 2)
    return fitted


def _ruling(response: HttpResponse) -> Ruling | None:
    answer = json_object(response)
    if 200 <= response.status < 300:
        return None if answer is not None and answer.get("sid") else foreign("Twilio")
    code = (answer or {}).get("code")
    if isinstance(code, int) and code in RULINGS:
        return RULINGS[code]
    if response.status == 401 and answer is not None:
        return _NO_LOGIN
    return BUSY if response.status == 429 else None
