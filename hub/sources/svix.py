"""Senders that sign as Svix does (https://docs.svix.com/receiving/verifying-payloads/how-manual)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from hub.errors import NotConfigured, NotVerified
from hub.humanize import counted
from hub.model.config import SHORTEST_KEY_BYTES
from hub.sources.base import Headers, Source, VerifiedMessage, read_event

if TYPE_CHECKING:
    from svix.webhooks import Webhook

TOLERANCE_SECONDS = 5 * 60
"""The distance of a request's timestamp from our clock that is accepted, in both directions."""

_HEADERS = ("id", "timestamp", "signature")
_ID_LIMIT = 200
_SIGNATURES_LIMIT = 20
"""A header lists one signature for each live secret; more are no sender's."""

_SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{43}=")
"""HMAC-SHA256 in base64. Other versions (v1a, v2) are skipped, and so is what is no signature at all."""

_SECRET = re.compile(r"(whsec_)?[A-Za-z0-9+/]+={0,2}")
"""The library drops what is no base64 from a secret, and with it whatever was pasted wrongly."""


class SvixSource(Source):
    """HMAC-SHA256 over `id.timestamp.body`; any secret and any listed `v1` signature may match."""

    type: ClassVar[str] = "svix"

    def verify(self, body: bytes, headers: Headers, now: float) -> VerifiedMessage:
        if not self.config.signing.secrets:
            raise NotConfigured(f"source {self.config.name}: {self.config.signing.fault}")
        message_id, timestamp, signatures = _signing_headers(headers)
        signed = {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signatures,
        }
        ahead = _seconds_ahead(timestamp, now)
        if abs(ahead) > TOLERANCE_SECONDS:
            raise _out_of_time(ahead, is_signed=self._signs(body, signed))
        if not signatures or not any(_is_signed(webhook, body, signed) for webhook in self._webhooks):
            if self._signs(body, signed):
                read_event(body)  # says what is wrong: the library reads nothing but UTF-8
            raise NotVerified("invalid_signature", self._mismatch(headers))
        event = read_event(body)
        return VerifiedMessage(message_id=message_id, type=event["type"], body=event)

    def is_complete(self, headers: Headers) -> bool:
        try:
            _signing_headers(headers)
        except NotVerified:
            return False
        return True

    def _signs(self, body: bytes, signed: Mapping[str, str]) -> bool:
        """Return True where a secret signs these very bytes at that time, whatever they are and however old.

        It only tells why a request is refused; what is accepted was verified by the library.
        """
        content = f"{signed['webhook-id']}.{signed['webhook-timestamp']}.".encode() + body
        digests = [
            hmac.digest(_key(secret), content, hashlib.sha256) for secret in self.config.signing.secrets
        ]
        expected = [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]
        given = signed["webhook-signature"].split(" ")
        return any(hmac.compare_digest(one, other) for one in expected for other in given)

    def _mismatch(self, headers: Headers) -> str:
        message = (
            f"no signature matches the signing secret of source {self.config.name}; compare it with the "
            "one your webhook endpoint shows (it begins with whsec_)"
        )
        if headers.get("content-encoding"):
            message += "; the body came compressed, and a proxy that compresses breaks the signature"
        return message

    @cached_property
    def _webhooks(self) -> tuple[Webhook, ...]:
        from svix.webhooks import Webhook

        return tuple(Webhook(secret) for secret in self.config.signing.secrets)

    @classmethod
    def check_secret(cls, secret: str) -> str | None:
        try:
            size = len(_key(secret)) if _SECRET.fullmatch(secret) else 0
        except ValueError:
            size = 0
        if size == 0:
            return (
                "is no signing secret: it must be whsec_ followed by base64, as the webhook endpoint shows it"
            )
        if size < SHORTEST_KEY_BYTES:
            return (
                f"is too short for a signing secret: its key has {counted(size, 'byte')}, and under "
                f"{SHORTEST_KEY_BYTES} can be guessed; copy the whole of it from the webhook endpoint"
            )
        return None


def _key(secret: str) -> bytes:
    """Return the bytes of a key; raises ValueError where a secret is no base64. Padding may be left out."""
    return base64.b64decode(secret.removeprefix("whsec_") + "==")


def _signing_headers(headers: Headers) -> tuple[str, str, str]:
    """Return id, timestamp and signatures, from `svix-…` or `webhook-…`; raises NotVerified without one."""
    values = [headers.get(f"svix-{name}") or headers.get(f"webhook-{name}") or "" for name in _HEADERS]
    missing = [f"svix-{name}" for name, value in zip(_HEADERS, values, strict=True) if not value]
    if missing:
        raise NotVerified(
            "missing_headers",
            f"{', '.join(missing)} missing: only signed webhooks are accepted here, "
            "and every proxy on the way must pass their headers on",
        )
    message_id, timestamp, signatures = values
    if len(message_id) > _ID_LIMIT or not message_id.isascii() or not message_id.isprintable():
        raise NotVerified("missing_headers", f"svix-id must be 1 to {_ID_LIMIT} printable ASCII characters")
    # The library stops at the first that it cannot check.
    known = [signature for signature in signatures.split(" ") if _SIGNATURE.fullmatch(signature)]
    return message_id, timestamp, " ".join(known[:_SIGNATURES_LIMIT])


def _seconds_ahead(timestamp: str, now: float) -> float:
    """Return how far `now` is ahead of a timestamp; raises NotVerified where that is none."""
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise NotVerified("invalid_timestamp", "svix-timestamp must be whole seconds since 1970")
    return now - int(timestamp)


def _out_of_time(ahead: float, *, is_signed: bool) -> NotVerified:
    """Return the refusal of a timestamp; anybody can write one, but only the sender can sign it."""
    direction = "behind" if ahead > 0 else "ahead of"
    return NotVerified(
        "invalid_timestamp",
        f"svix-timestamp is {abs(round(ahead))} s {direction} this server's clock; "
        f"at most {TOLERANCE_SECONDS} s are accepted",
        clock_ahead_seconds=ahead if is_signed else None,
    )


def _is_signed(webhook: Webhook, body: bytes, headers: dict[str, str]) -> bool:
    try:
        webhook.verify(body, headers)
    except Exception:  # noqa: BLE001 - the signature library raises more than its own error on hostile input
        return False
    return True
