"""Mail services on loopback, each as strict as its documents say that the real one is.

Facts: resend.com/docs (api-reference/emails/send-email, errors, idempotency keys),
postmarkapp.com/developer/api (email, overview: error codes; support article 1180),
twilio.com/docs/sendgrid/api-reference/mail-send (mail-send, errors) and
documentation.mailgun.com/docs/mailgun (messages, responses).
"""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.inbox import Inbox

KEY = "key-of-the-account"
DOMAIN = "example.com"

_PLAIN_NAME = r"[^\x00-\x1f,;:<>@()\[\]\"\\]*"
_QUOTED_NAME = r'"(?:\\.|[^"\\])*"'
_ADDRESS = r"[A-Za-z0-9.!#$%&'`*+/=^_{}|~-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+"
_MAILBOX = re.compile(rf"\s*(?:(?:{_QUOTED_NAME}|{_PLAIN_NAME})\s*<({_ADDRESS})>|({_ADDRESS}))\s*")


@dataclass(frozen=True, kw_only=True)
class TakenMail:
    """A mail that a service has taken: addresses without names, and the request as it came."""

    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    body: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    @property
    def recipients(self) -> tuple[str, ...]:
        return (*self.to, *self.cc, *self.bcc)


class Refused(Exception):
    """A request that the service answers with an error."""

    def __init__(self, status: int, body: Any, **headers: str) -> None:
        self.response = _json(status, body, **headers)
        super().__init__(f"{status} {body}")


class MailService:
    """A service to be used in a `with`. `responses` are given first, instead of its own.

    `key` is the account's, `domain` the one that it may send from, and `dead` are addresses that it refuses.
    """

    def __init__(
        self,
        responses: Iterable[CannedResponse] = (),
        *,
        key: str = KEY,
        domain: str = DOMAIN,
        dead: Iterable[str] = (),
        quota: int = 1000,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.inbox: Inbox[TakenMail] = Inbox()
        self.key = key
        self.domain = domain
        self.dead = frozenset(dead)
        self.quota = quota
        self.http = HttpReceiver(responses, respond=self._respond, tls=tls)
        self.url = self.http.url

    def __enter__(self) -> MailService:
        self.http.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.__exit__()

    @property
    def mails(self) -> list[TakenMail]:
        return self.inbox.all()

    def answer(self, request: ReceivedRequest) -> CannedResponse:
        raise NotImplementedError

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        try:
            return self.answer(request)
        except Refused as refused:
            return refused.response


class ResendService(MailService):
    """Resend. `owner` is the account's own address: onboarding@resend.dev mails to nobody else."""

    owner = "owner@example.com"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._answers: dict[str, tuple[bytes, CannedResponse]] = {}

    def answer(self, request: ReceivedRequest) -> CannedResponse:
        self._check_access(request)
        key = request.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= 256:
            raise _resend(400, "invalid_idempotency_key", "Idempotency keys must have 1 to 256 characters.")
        if key in self._answers:
            kept, response = self._answers[key]
            if kept == request.body:
                return response
            raise _resend(409, "invalid_idempotent_request", "This key was used with another request body.")
        self._take(request)
        response = _json(200, {"id": f"mail-{len(self.mails)}"})
        if key is not None:
            self._answers[key] = request.body, response
        return response

    def _check_access(self, request: ReceivedRequest) -> None:
        if request.path != "/emails":
            raise _resend(404, "not_found", "The requested endpoint does not exist.")
        if request.method != "POST":
            raise _resend(405, "method_not_allowed", "Method is not allowed for the requested path.")
        if "authorization" not in request.headers:
            raise _resend(401, "missing_api_key", "Missing API Key")
        if request.headers["authorization"] != f"Bearer {self.key}":
            raise _resend(401, "validation_error", "API key is invalid")
        if not request.headers.get("user-agent"):
            raise _resend(403, "validation_error", "The request has no User-Agent.")

    def _take(self, request: ReceivedRequest) -> None:
        body = _object(request.body)
        if body is None:
            raise _resend(400, "validation_error", "The body is no JSON object.")
        for name in ("from", "to", "subject"):
            if not body.get(name):
                raise _resend(422, "missing_required_field", f"Missing `{name}` field.")
        if not (body.get("html") or body.get("text")):
            raise _resend(422, "missing_required_field", "Missing `html` or `text` field.")
        if not _are_texts(body.get("headers", {})):
            raise _resend(422, "invalid_parameter", "`headers` must be an object of strings.")
        lists = {
            name: self._addresses(name, body.get(name) or []) for name in ("to", "cc", "bcc", "reply_to")
        }
        (sender,) = self._addresses("from", body["from"])
        self._check_sender(sender, lists["to"] + lists["cc"] + lists["bcc"])
        if len(self.mails) >= self.quota:
            raise _resend(429, "daily_quota_exceeded", "You have reached your daily email sending quota.")
        self.inbox.add(_taken(sender, lists, body, request))

    def _addresses(self, name: str, value: Any) -> tuple[str, ...]:
        texts = value if isinstance(value, list) else [value]
        addresses = [_address(text) for text in texts]
        if len(texts) > 50 or any(address is None or address in self.dead for address in addresses):
            shape = "the `email@example.com` or `Name <email@example.com>` format"
            raise _resend(422, "validation_error", f"Invalid `{name}` field. It needs to follow {shape}.")
        return tuple(address for address in addresses if address)

    def _check_sender(self, sender: str, recipients: tuple[str, ...]) -> None:
        domain = sender.rpartition("@")[2]
        if domain == "resend.dev" and set(recipients) != {self.owner}:
            words = f"You can only send testing emails to your own email address ({self.owner})."
            raise _resend(403, "validation_error", words)
        if domain not in ("resend.dev", self.domain):
            words = f"The {domain} domain is not verified. Please, add and verify your domain."
            raise _resend(403, "validation_error", words)


class PostmarkService(MailService):
    """Postmark. `dead` are its inactive addresses; until it is `approved` it mails within its domain."""

    fields = frozenset({"From", "To", "Cc", "Bcc", "ReplyTo", "Subject", "TextBody", "HtmlBody", "Headers"})

    def __init__(self, *args: Any, approved: bool = True, **options: Any) -> None:
        super().__init__(*args, **options)
        self.approved = approved

    def answer(self, request: ReceivedRequest) -> CannedResponse:
        if request.path != "/email":
            raise Refused(404, {})
        if request.headers.get("x-postmark-server-token") != self.key:
            raise _postmark(10, "The Server Token you provided is missing or not valid.", status=401)
        for name in ("accept", "content-type"):
            if request.headers.get(name) != "application/json":
                raise _postmark(409, "Accept and Content-Type must be application/json.", status=415)
        body = _object(request.body)
        if body is None:
            raise _postmark(402, "Invalid JSON.")
        if unknown := set(body) - self.fields:
            raise _postmark(403, f"Invalid request field(s): {', '.join(sorted(unknown))}.")
        return self._take(body, request)

    def _take(self, body: dict[str, Any], request: ReceivedRequest) -> CannedResponse:
        lists = {name.lower(): self._addresses(name, body.get(name) or "") for name in ("To", "Cc", "Bcc")}
        self._addresses("ReplyTo", body.get("ReplyTo") or "")
        senders = self._addresses("From", body.get("From") or "")
        recipients = [address for addresses in lists.values() for address in addresses]
        self._check(senders, lists["to"], recipients, body)
        inactive = [address.lower() for address in recipients if address in self.dead]
        if inactive and len(inactive) == len(recipients):
            words = (
                f"Found inactive addresses: {', '.join(inactive)}. Inactive recipients are ones that bounced."
            )
            raise _postmark(
                406, f"You tried to send to recipient(s) that have been marked as inactive. {words}"
            )
        kept = {
            name: tuple(address for address in addresses if address not in self.dead)
            for name, addresses in lists.items()
        }
        self.inbox.add(_taken(senders[0], kept, body, request))
        words = f"Message OK, but will not deliver to these inactive addresses: {', '.join(inactive)}."
        return _json(200, {"ErrorCode": 0, "Message": words if inactive else "OK", "MessageID": "b7bc2f4a"})

    def _check(
        self, senders: tuple[str, ...], to: tuple[str, ...], recipients: list[str], body: dict[str, Any]
    ) -> None:
        if len(senders) != 1 or not to:
            raise _postmark(300, f"Invalid '{'From' if to else 'To'}' address: ''.")
        if senders[0].rpartition("@")[2] != self.domain:
            raise _postmark(400, f"The 'From' address you supplied ({senders[0]}) is not a Sender Signature.")
        if len(recipients) > 50:
            raise _postmark(300, "Exceeded the maximum of 50 recipients per message.")
        if not (body.get("TextBody") or body.get("HtmlBody")):
            raise _postmark(300, "Provide either email TextBody or HtmlBody or both.")
        headers = body.get("Headers", [])
        if not all(
            isinstance(item, dict) and set(item) == {"Name", "Value"} and _are_texts(item) for item in headers
        ):
            raise _postmark(403, "Invalid request field(s): 'Headers'.")
        if not self.approved and any(address.rpartition("@")[2] != self.domain for address in recipients):
            raise _postmark(
                412, "While your account is pending approval, all recipients must share its domain."
            )
        if len(self.mails) >= self.quota:
            raise _postmark(405, "Not allowed to send: you ran out of credits.")

    def _addresses(self, name: str, text: Any) -> tuple[str, ...]:
        parts = re.findall(r'(?:"(?:\\.|[^"\\])*"|[^,"])+', text) if isinstance(text, str) else [text]
        addresses = [_address(part) for part in parts]
        for part, address in zip(parts, addresses, strict=True):
            if address is None:
                raise _postmark(300, f"Error parsing '{name}': Illegal email address '{part}'.")
        return tuple(address for address in addresses if address)


class SendGridService(MailService):
    """SendGrid. `dead` stands for addresses that its validation refuses."""

    fields = frozenset({"personalizations", "from", "reply_to", "subject", "content", "headers"})
    reserved = frozenset(
        {
            *(
                "x-sg-id",
                "x-sg-eid",
                "received",
                "dkim-signature",
                "content-type",
                "content-transfer-encoding",
            ),
            *("to", "from", "subject", "reply-to", "cc", "bcc"),
        }
    )

    def answer(self, request: ReceivedRequest) -> CannedResponse:
        if request.path != "/v3/mail/send":
            raise Refused(404, {"errors": [{"field": None, "message": "not found"}]})
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise _sendgrid(401, "The provided authorization grant is invalid, expired, or revoked")
        if "accept" not in request.headers:
            raise _sendgrid(406, "Missing Accept header. For example: Accept: application/json")
        if len(self.mails) >= self.quota:
            raise _sendgrid(401, "Maximum credits exceeded")
        body = _object(request.body)
        if body is None or set(body) - self.fields:
            raise _sendgrid(400, "Bad Request")
        self._check_content(body)
        lists = self._recipients(body)
        sender = self._mailbox(body.get("from"))
        if sender.rpartition("@")[2] != self.domain:
            raise _sendgrid(403, "The from address does not match a verified Sender Identity.")
        self.inbox.add(_taken(sender, lists, body, request))
        return CannedResponse(status=202, headers={"X-Message-Id": "14c5d75ce93"})

    def _recipients(self, body: dict[str, Any]) -> dict[str, tuple[str, ...]]:
        personalizations = body.get("personalizations")
        if not isinstance(personalizations, list) or len(personalizations) != 1:
            raise _sendgrid(400, "You must have at least one personalization.")
        lists = {
            name: tuple(self._mailbox(item) for item in personalizations[0].get(name, []))
            for name in ("to", "cc", "bcc")
        }
        recipients = [address for addresses in lists.values() for address in addresses]
        if not lists["to"]:
            raise _sendgrid(400, "The to array is required for all personalization objects.")
        if len(recipients) > 1000:
            raise _sendgrid(400, "There is a limit of 1000 total recipients (to + cc + bcc) per request.")
        for address in recipients:
            if recipients.count(address) > 1:
                once = "Each unique email address in the personalizations array should only be included once."
                raise _sendgrid(400, f"{once} You have included {address} more than once.")
        return lists

    def _mailbox(self, item: Any) -> str:
        is_right = isinstance(item, dict) and set(item) <= {"email", "name"} and _are_texts(item)
        address = _address(item["email"]) if is_right and "email" in item else None
        if address is None or address in self.dead or address != item["email"]:
            raise _sendgrid(400, "Does not contain a valid address.")
        return address

    def _check_content(self, body: dict[str, Any]) -> None:
        if not (isinstance(body.get("subject"), str) and body["subject"]):
            raise _sendgrid(
                400, "The subject is required. You can get around this requirement by a template."
            )
        content = body.get("content")
        if not isinstance(content, list) or not content:
            raise _sendgrid(400, "Unless a valid template_id is provided, the content parameter is required.")
        kinds = [part.get("type") for part in content]
        if kinds not in (["text/plain"], ["text/html"], ["text/plain", "text/html"]):
            raise _sendgrid(
                400, "If present, text/plain and text/html may only be provided once, in that order."
            )
        if not all(isinstance(part.get("value"), str) and part["value"] for part in content):
            raise _sendgrid(400, "The content value must be a string at least one character in length.")
        headers = body.get("headers", {})
        if not _are_texts(headers) or {name.lower() for name in headers} & self.reserved:
            raise _sendgrid(400, "The headers may not be one of the reserved keys, and must be strings.")


class MailgunService(MailService):
    """Mailgun, with one domain; a `sandbox` mails to authorized recipients only."""

    fields = frozenset({"from", "to", "cc", "bcc", "subject", "text", "html"})
    authorized = frozenset({"owner@example.com"})

    def answer(self, request: ReceivedRequest) -> CannedResponse:
        login = "Basic " + base64.b64encode(f"api:{self.key}".encode()).decode()
        if request.headers.get("authorization") != login:
            return CannedResponse(status=401, body=b"Forbidden")
        matched = re.fullmatch(r"/v3/([^/]+)/messages", request.path)
        if matched is None:
            return CannedResponse(body=b"Mailgun Magnificent API")
        if matched[1] != self.domain:
            raise Refused(404, {"message": f"Domain not found: {matched[1]}"})
        self._take(parse_qsl(request.body.decode(), keep_blank_values=True), request)
        return _json(200, {"id": f"<1@{self.domain}>", "message": "Queued. Thank you."})

    def _take(self, pairs: list[tuple[str, str]], request: ReceivedRequest) -> None:
        body = dict(pairs)
        unknown = [
            name for name in body if name not in self.fields and not re.match(r"[hvo]:[\x21-\x7e]+$", name)
        ]
        if unknown:
            raise Refused(400, {"message": f"unknown parameter {unknown[0]}"})
        if not (body.get("text") or body.get("html")):
            raise Refused(400, {"message": "Need at least one of 'text' or 'html' parameters specified"})
        lists = {
            name: tuple(self._address(name, value) for key, value in pairs if key == name)
            for name in ("from", "to", "cc", "bcc")
        }
        for name in ("from", "to"):
            if not lists[name]:
                raise Refused(400, {"message": f"{name} parameter is missing"})
        recipients = lists["to"] + lists["cc"] + lists["bcc"]
        if len(recipients) > 1000:
            raise Refused(400, {"message": "Too many recipients; max is 1000"})
        if sum(len(name) + len(value) for name, value in pairs if name[1:2] == ":") > 16 * 1024:
            raise Refused(400, {"message": "Send options are limited to 16 kB total"})
        if self.domain.startswith("sandbox") and not set(recipients) <= self.authorized:
            words = "Sandbox subdomains are for test purposes only. Please add your own domain"
            raise Refused(403, {"message": f"{words} or add the address to authorized recipients."})
        if len(self.mails) >= self.quota:
            raise Refused(402, {"message": "The limit of messages of this plan is reached."})
        self.inbox.add(_taken(lists["from"][0], lists, body, request))

    def _address(self, name: str, text: str) -> str:
        address = _address(text)
        if address is None or address in self.dead:
            raise Refused(
                400, {"message": f"{name} parameter is not a valid address. please check documentation"}
            )
        return address


def _taken(
    sender: str, lists: Mapping[str, tuple[str, ...]], body: Mapping[str, Any], request: ReceivedRequest
) -> TakenMail:
    return TakenMail(
        sender=sender, to=lists["to"], cc=lists["cc"], bcc=lists["bcc"], body=body, headers=request.headers
    )


def _address(text: Any) -> str | None:
    """Return the address of one mailbox; None where the text is none."""
    matched = _MAILBOX.fullmatch(text) if isinstance(text, str) else None
    return (matched[1] or matched[2]) if matched else None


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _json(status: int, body: Any, **headers: str) -> CannedResponse:
    headers = {"Content-Type": "application/json", **headers}
    return CannedResponse(status=status, body=json.dumps(body).encode(), headers=headers)


def _resend(status: int, name: str, message: str) -> Refused:
    return Refused(status, {"statusCode": status, "name": name, "message": message})


def _postmark(code: int, message: str, status: int = 422) -> Refused:
    return Refused(status, {"ErrorCode": code, "Message": message})


def _sendgrid(status: int, message: str) -> Refused:
    return Refused(status, {"errors": [{"message": message, "field": None, "help": None}]})
