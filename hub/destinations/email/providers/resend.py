"""Resend: https://resend.com/docs, api-reference/emails/send-email, errors and idempotency keys."""

from __future__ import annotations

from typing import ClassVar

from hub.destinations.email.mail import Mail
from hub.destinations.email.providers.base import (
    CHECK_KEY,
    CHECK_SENDER,
    CHECK_URL,
    Answer,
    Provider,
    headers_of,
    text_in,
)
from hub.model.delivery import SendContext
from hub.transport.http import HttpRequest, HttpResponse
from hub.transport.judging import Ruling, json_object

VERIFY_DOMAIN = "verify your domain at resend.com/domains, and write a from of it"

_OTHER_BYTES = "invalid_idempotent_request"
_QUOTAS = frozenset({"daily_quota_exceeded", "monthly_quota_exceeded"})
_CURES = {
    "missing_api_key": CHECK_KEY,
    "invalid_api_key": CHECK_KEY,
    "restricted_api_key": "make an API key that may send, for the domain of from",
    "invalid_access": CHECK_KEY,
    "invalid_from_address": CHECK_SENDER,
    "invalid_region": CHECK_URL,
    "not_found": CHECK_URL,
    "method_not_allowed": CHECK_URL,
}


class Resend(Provider):
    """Resend. It sends a request of the same key and the same bytes once in 24 hours."""

    type: ClassVar[str] = "resend"
    name: ClassVar[str] = "Resend"
    api_url: ClassVar[str] = "https://api.resend.com"
    most_recipients: ClassVar[int] = 50

    def request(self, mail: Mail, delivery_id: str, key: str) -> HttpRequest:
        parties = mail.parties
        body = {
            "from": str(parties.sender),
            "to": [str(box) for box in parties.to],
            "cc": [str(box) for box in parties.cc],
            "bcc": [str(box) for box in parties.bcc],
            "reply_to": str(parties.reply_to) if parties.reply_to else None,
            "subject": mail.subject,
            "text": mail.text,
            "html": mail.html,
            "headers": headers_of(mail),
        }
        headers = {"Authorization": f"Bearer {self._account.api_key}", "Idempotency-Key": key}
        return self._json_request("/emails", headers, body)

    def ruling(self, response: HttpResponse, context: SendContext) -> Ruling | None:
        body = json_object(response) or {}
        name, message = text_in(body.get("name")), text_in(body.get("message"))
        answer = Answer(response=response, context=context, code=name, words=message)
        return answer.taken() if response.status == 200 and text_in(body.get("id")) else _ruling(answer)

    def has_used_key(self, response: HttpResponse) -> bool:
        return (json_object(response) or {}).get("name") == _OTHER_BYTES


def _ruling(answer: Answer) -> Ruling | None:
    if answer.code == _OTHER_BYTES:
        return answer.unknown()
    if answer.code in _QUOTAS:
        return answer.quota()
    if answer.status == 403 and answer.says("testing emails|is not verified"):
        return answer.destination(VERIFY_DOMAIN)
    # A key that was deleted is a validation_error, with 400 or 401.
    if answer.code in _CURES or answer.says("^api key is invalid"):
        return answer.destination(_CURES.get(answer.code, CHECK_KEY))
    if answer.is_own and answer.status == 403:
        return answer.destination(f"{CHECK_KEY}, from and the account at resend.com")
    if answer.is_own and answer.status in (400, 413, 422):
        return answer.message()
    return answer.foreign()
