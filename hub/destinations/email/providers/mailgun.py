"""Mailgun: https://documentation.mailgun.com/docs/mailgun, api-reference/send and responses."""

from __future__ import annotations

import base64
from typing import ClassVar
from urllib.parse import quote, urlencode

from hub.destinations.email.mail import Mail
from hub.destinations.email.providers.base import (
    CHECK_KEY,
    Answer,
    Provider,
    text_in,
)
from hub.model.delivery import SendContext
from hub.transport.http import HttpRequest, HttpResponse
from hub.transport.judging import Ruling, json_object

REGION = "is its region the EU? then write api_url: https://api.eu.mailgun.net; else check domain"
_NO_SUCH_PLACE = "Mailgun Magnificent API"
"""Its answer, with 200, where the URL is none of its own."""


class Mailgun(Provider):
    """Mailgun, in the name of one domain of the account. It keeps no keys for sending."""

    type: ClassVar[str] = "mailgun"
    name: ClassVar[str] = "Mailgun"
    api_url: ClassVar[str] = "https://api.mailgun.net"
    needs_domain: ClassVar[bool] = True
    most_recipients: ClassVar[int] = 1000

    def request(self, mail: Mail, delivery_id: str, key: str) -> HttpRequest:
        parties = mail.parties
        fields = [
            ("from", str(parties.sender)),
            *(("to", str(box)) for box in parties.to),
            *(("cc", str(box)) for box in parties.cc),
            *(("bcc", str(box)) for box in parties.bcc),
            ("subject", mail.subject),
            ("text", mail.text),
            *([("html", mail.html)] if mail.html else []),
            *([("h:Reply-To", str(parties.reply_to))] if parties.reply_to else []),
            *((f"h:{_header_name(name)}", value) for name, value in mail.headers),
            ("v:hub-delivery", delivery_id),
        ]
        return self._request(
            f"/v3/{quote(self._account.domain, safe='')}/messages",
            {"Authorization": "Basic " + base64.b64encode(f"api:{self._account.api_key}".encode()).decode()},
            "application/x-www-form-urlencoded",
            urlencode(fields, errors="replace").encode(),
        )

    def ruling(self, response: HttpResponse, context: SendContext) -> Ruling | None:
        body = json_object(response) or {}
        answer = Answer(response=response, context=context, words=text_in(body.get("message")))
        is_taken = response.status == 200 and text_in(body.get("id"))
        return answer.taken() if is_taken else _ruling(answer, self._account.domain)


def _ruling(answer: Answer, domain: str) -> Ruling | None:
    if answer.status == 200 and _NO_SUCH_PLACE in answer.response.text:
        return answer.destination("its address is wrong: check api_url and domain")
    if answer.status == 401:
        return answer.destination(f"{CHECK_KEY}, and that it is for {domain}")
    if answer.says("^sandbox subdomains"):
        return answer.destination("write your own domain, or add the recipients to the authorized ones")
    if answer.status == 404 and answer.is_own:
        # A domain that was just made may not be known everywhere yet.
        is_first = answer.context.attempt_number <= 1
        return answer.later() if is_first else answer.destination(REGION)
    if answer.status == 402 or (answer.status in (403, 429) and answer.says("limit exceeded|quota")):
        return answer.quota()
    if (answer.status == 403 and _is_its(answer)) or answer.says("^domain .* is not allowed to send"):
        return answer.destination("check the domain and the account at Mailgun")
    if answer.is_own and answer.status in (400, 413):
        return answer.message()
    return answer.foreign()


def _is_its(answer: Answer) -> bool:
    """Return True for an answer of Mailgun's own: some are the one word Forbidden."""
    return answer.is_own or answer.response.text.strip() == "Forbidden"


def _header_name(name: str) -> str:
    """Return the name of a header as Mailgun takes it: only so does it keep the id of the mail."""
    return "Message-Id" if name.lower() == "message-id" else name
