"""SendGrid: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send and /mail-send/errors."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from hub.destinations.email.mail import Mail
from hub.destinations.email.mailboxes import Mailbox
from hub.destinations.email.providers.base import (
    CHECK_KEY,
    CHECK_SENDER,
    Answer,
    Provider,
    headers_of,
    text_in,
)
from hub.model.delivery import SendContext
from hub.transport.http import HttpRequest, HttpResponse
from hub.transport.judging import Ruling, json_object

LONGEST_RESET_SECONDS = 3600.0


class SendGrid(Provider):
    """SendGrid. It keeps no keys: a request that is made twice is two mails."""

    type: ClassVar[str] = "sendgrid"
    name: ClassVar[str] = "SendGrid"
    api_url: ClassVar[str] = "https://api.sendgrid.com"
    most_recipients: ClassVar[int] = 1000

    def request(self, mail: Mail, delivery_id: str, key: str) -> HttpRequest:
        parties = mail.parties
        # An address that is there twice, over all three, is a 400.
        seen: set[str] = set()
        recipients = {
            field: [_recipient(box) for box in _unseen(boxes, seen)]
            for field, boxes in (("to", parties.to), ("cc", parties.cc), ("bcc", parties.bcc))
        }
        content = [("text/plain", mail.text), ("text/html", mail.html)]
        body = {
            "personalizations": [{field: boxes for field, boxes in recipients.items() if boxes}],
            "from": _object(parties.sender),
            "reply_to": _object(parties.reply_to) if parties.reply_to else None,
            "subject": mail.subject,
            "content": [{"type": kind, "value": value} for kind, value in content if value],
            "headers": headers_of(mail),
        }
        return self._json_request("/v3/mail/send", {"Authorization": f"Bearer {self._account.api_key}"}, body)

    def ruling(self, response: HttpResponse, context: SendContext) -> Ruling | None:
        errors = (json_object(response) or {}).get("errors")
        messages = [text_in(error.get("message")) for error in _objects(errors)]
        answer = Answer(response=response, context=context, words=" ".join(filter(None, messages)))
        return answer.taken() if response.status == 202 else _ruling(answer)


def _ruling(answer: Answer) -> Ruling | None:
    # It says so with 401, as of a wrong key.
    if answer.status == 401 and answer.says("credits exceeded"):
        return answer.quota()
    if answer.status == 401:
        return answer.destination(CHECK_KEY)
    if answer.status == 403 and answer.says("temporarily blocked"):
        return answer.quota()
    if answer.status == 403 and answer.says("sender identity"):
        return answer.destination(CHECK_SENDER)
    if answer.status == 403 and answer.is_own:
        return answer.destination(f"{CHECK_KEY}: it must have the permission Mail Send")
    if answer.status == 451:
        return answer.destination("write api_url: https://api.eu.sendgrid.com, where the account's data is")
    if answer.is_own and answer.status in (400, 413):
        return answer.message()
    if answer.status == 429:
        return answer.later(_reset_seconds(answer))
    return answer.foreign()


def _reset_seconds(answer: Answer) -> float | None:
    """Return the seconds until the moment in X-RateLimit-Reset, a Unix time."""
    headers = {name.lower(): value for name, value in answer.response.headers.items()}
    text = headers.get("x-ratelimit-reset", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        return None
    seconds = (datetime.fromtimestamp(int(text), UTC) - answer.context.at).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RESET_SECONDS)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _unseen(boxes: Iterable[Mailbox], seen: set[str]) -> list[Mailbox]:
    """Return those whose address, in small letters, was not seen before, which it is from now on."""
    unseen = []
    for box in boxes:
        if box.address.lower() not in seen:
            seen.add(box.address.lower())
            unseen.append(box)
    return unseen


def _object(box: Mailbox) -> dict[str, str]:
    return {"email": box.address, "name": box.name} if box.name else {"email": box.address}


def _recipient(box: Mailbox) -> dict[str, str]:
    """Return a recipient: there SendGrid does not quote a name that needs it (sendgrid-python#291)."""
    needs_quotes = "," in box.name or ";" in box.name
    return {"email": box.address, "name": str(box).rpartition(" <")[0]} if needs_quotes else _object(box)
