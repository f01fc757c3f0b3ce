"""Postmark: https://postmarkapp.com/developer/api/email-api and /developer/api/overview (error codes)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from hub.destinations.email.mail import Mail
from hub.destinations.email.mailboxes import Mailbox
from hub.destinations.email.providers.base import (
    CHECK_KEY,
    CHECK_SENDER,
    Answer,
    Provider,
    text_in,
)
from hub.model.delivery import SendContext
from hub.transport.http import HttpRequest, HttpResponse
from hub.transport.judging import Ruling, json_object

_INACTIVE = re.compile(r"inactive addresses:\s*(.+?)\.?\s*(?:Inactive recipients|$)", re.IGNORECASE)
_NOT_APPROVED = "ask Postmark to approve the account"

_CURES = {
    "10": f"{CHECK_KEY}: it is the token of the server, not of the account",
    "400": CHECK_SENDER,
    "401": CHECK_SENDER,
    "412": f"{_NOT_APPROVED}; until then it mails to the domain of from alone",
    "413": _NOT_APPROVED,
    "422": CHECK_KEY,
    "1235": "the server at Postmark has no message stream outbound; make one",
    "1236": "the message stream outbound of the server at Postmark cannot send",
    "1480": "allow the address of this machine at Postmark, or lift the limit on addresses",
}
"""The error codes that are about the server, the account or the sender. 400 and 401 stand in older tables."""
_OUT_OF_CREDITS = "405"
_MAINTENANCE = "100"


class Postmark(Provider):
    """Postmark. It keeps no keys: a request that is made twice is two mails."""

    type: ClassVar[str] = "postmark"
    name: ClassVar[str] = "Postmark"
    api_url: ClassVar[str] = "https://api.postmarkapp.com"
    most_recipients: ClassVar[int] = 50

    def request(self, mail: Mail, delivery_id: str, key: str) -> HttpRequest:
        parties = mail.parties
        headers = [{"Name": name, "Value": value} for name, value in mail.headers]
        body = {
            "From": str(parties.sender),
            "To": _listed(parties.to),
            "Cc": _listed(parties.cc),
            "Bcc": _listed(parties.bcc),
            "ReplyTo": str(parties.reply_to) if parties.reply_to else None,
            "Subject": mail.subject,
            "TextBody": mail.text,
            "HtmlBody": mail.html,
            # Otherwise it sets a Message-ID of its own.
            "Headers": [*headers, {"Name": "X-PM-KeepID", "Value": "true"}],
        }
        return self._json_request("/email", {"X-Postmark-Server-Token": self._account.api_key}, body)

    def ruling(self, response: HttpResponse, context: SendContext) -> Ruling | None:
        body = json_object(response) or {}
        code, message = text_in(body.get("ErrorCode")), text_in(body.get("Message"))
        answer = Answer(response=response, context=context, code=code, words=message)
        return answer.taken() if response.status == 200 and code == "0" else _ruling(answer)

    def undelivered(self, response: HttpResponse) -> tuple[str, ...]:
        # "Message OK, but will not deliver to these inactive addresses: …": all others get it.
        matched = _INACTIVE.search(text_in((json_object(response) or {}).get("Message")))
        return tuple(address.strip().lower() for address in matched[1].split(",")) if matched else ()


def _ruling(answer: Answer) -> Ruling | None:
    if answer.code == _OUT_OF_CREDITS:
        return answer.quota()
    if answer.code in _CURES:
        return answer.destination(_CURES[answer.code])
    if answer.code == "300" and answer.says("^(invalid|error parsing) 'from'"):
        return answer.destination(CHECK_SENDER)
    if answer.code == _MAINTENANCE:
        return answer.later()
    if answer.is_own and answer.status in (413, 422):
        return answer.message()
    return answer.foreign()


def _listed(boxes: Iterable[Mailbox]) -> str:
    """Return mailboxes as one text, in which a name with a comma is quoted."""
    return ", ".join(map(str, boxes))
