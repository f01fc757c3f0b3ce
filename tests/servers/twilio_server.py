"""Twilio's Messages API on loopback, as strict as its documents.

https://www.twilio.com/docs/messaging/api/message-resource and the page of each code below
https://www.twilio.com/docs/api/errors.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest

NUMBER = re.compile(r"\+[1-9]\d{1,14}")
TEXT_LIMIT = 1600
LONGEST_VALIDITY_SECONDS = 36_000


class TwilioServer:
    """One account with a number and a messaging service, to be used in a `with`.

    `messages` has the form of each that was taken. `stopped` are numbers that opted out.
    """

    def __init__(
        self,
        responses: Iterable[CannedResponse] = (),
        *,
        account_sid: str,
        auth_token: str,
        numbers: Iterable[str] = ("+15557654321",),
        services: Iterable[str] = ("MG1",),
        stopped: Iterable[str] = (),
    ) -> None:
        self._account_sid = account_sid
        self._login = "Basic " + base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._numbers, self._services, self._stopped = set(numbers), set(services), set(stopped)
        self.messages: list[Mapping[str, str]] = []
        self.http = HttpReceiver(responses, respond=self._respond)
        self.api_url = self.http.url

    def __enter__(self) -> TwilioServer:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        if request.headers.get("authorization") != self._login:
            return _refusal(401, 20003, "Authenticate")
        path = f"/2010-04-01/Accounts/{self._account_sid}/Messages.json"
        if (request.method, request.path) != ("POST", path):
            return _refusal(404, 20404, "The requested resource was not found")
        if request.headers.get("content-type") != "application/x-www-form-urlencoded":
            return _refusal(400, 21604, "A 'To' phone number is required.")
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True))
        refusal = self._look_at_parties(form) or _look_at_words(form)
        if refusal is not None:
            return refusal
        self.messages.append(form)
        sid = f"SM{len(self.messages):032d}"
        body = {"sid": sid, "status": "queued", "to": form["To"], "error_code": None}
        return CannedResponse(status=201, headers={"Content-Type": "application/json"}, body=_json(body))

    def _look_at_parties(self, form: Mapping[str, str]) -> CannedResponse | None:
        to, sender, service = form.get("To"), form.get("From"), form.get("MessagingServiceSid")
        if not to:
            return _refusal(400, 21604, "A 'To' phone number is required.")
        if not NUMBER.fullmatch(to):
            return _refusal(400, 21211, f"Invalid 'To' Phone Number: {to}")
        if service is None and sender is None:
            return _refusal(400, 21603, "A 'From' phone number is required.")
        if service is not None and service not in self._services:
            return _refusal(400, 21705, "The Messaging Service Sid is invalid.")
        if service is None and sender not in self._numbers:
            return _refusal(400, 21606, f"The 'From' phone number {sender} is not valid for {to}.")
        if to in self._stopped:
            return _refusal(400, 21610, "Attempt to send to unsubscribed recipient")
        return None


def _look_at_words(form: Mapping[str, str]) -> CannedResponse | None:
    text = form.get("Body", "")
    if not text.strip():
        return _refusal(400, 21602, "Message body is required.")
    if len(text.encode("utf-16-le")) // 2 > TEXT_LIMIT:
        return _refusal(400, 21617, "The concatenated message body exceeds the 1600 character limit.")
    validity = form.get("ValidityPeriod", "1")
    if not validity.isdecimal() or not 1 <= int(validity) <= LONGEST_VALIDITY_SECONDS:
        return _refusal(400, 90007, "Invalid validity period value")
    return None


def _refusal(status: int, code: int, message: str) -> CannedResponse:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return CannedResponse(status=status, headers={"Content-Type": "application/json"}, body=_json(body))


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()
