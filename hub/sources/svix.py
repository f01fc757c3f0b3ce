"""Senders that sign as Svix does (https://docs.svix.com/receiving/verifying-payloads/how-manual)."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from hub.errors import NotConfigured, NotVerified
from hub.sources.base import Headers, Source, VerifiedMessage, event_type_of

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
        if not self.config.secrets:
            raise NotConfigured(f"source {self.config.name} has no signing secret yet")
        message_id, timestamp, signatures = _signing_headers(headers)
        _check_timestamp(timestamp, now)
        signed = {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": signatures,
        }
        if not signatures or not any(_is_signed(webhook, body, signed) for webhook in self._webhooks):
            raise NotVerified(
                "invalid_signature",
                f"no signature matches the signing secret of source {self.config.name}; compare it with the "
                "one your webhook endpoint shows (it begins with whsec_)",
            )
        return VerifiedMessage(message_id=message_id, type=event_type_of(body))

    @cached_property
    def _webhooks(self) -> tuple[Webhook, ...]:
        from svix.webhooks import Webhook

        return tuple(Webhook(secret) for secret in self.config.secrets)

    @classmethod
    def check_secret(cls, secret: str) -> str | None:
        from standardwebhooks.webhooks import Webhook

        try:
            Webhook(secret)
            is_base64 = _SECRET.fullmatch(secret) is not None
        except Exception:  # noqa: BLE001 - the signature library's boundary
            is_base64 = False
        if is_base64:
            return None
        return "is no signing secret: it must be whsec_ followed by base64, as the webhook endpoint shows it"


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


def _check_timestamp(timestamp: str, now: float) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise NotVerified("invalid_timestamp", "svix-timestamp must be whole seconds since 1970")
    difference = int(timestamp) - now
    if abs(difference) > TOLERANCE_SECONDS:
        direction = "ahead of" if difference > 0 else "behind"
        raise NotVerified(
            "invalid_timestamp",
            f"svix-timestamp is {abs(round(difference))} s {direction} this server's clock; "
            f"at most {TOLERANCE_SECONDS} s are accepted",
        )


def _is_signed(webhook: Webhook, body: bytes, headers: dict[str, str]) -> bool:
    try:
        webhook.verify(body, headers)
    except Exception:  # noqa: BLE001 - the signature library raises more than its own error on hostile input
        return False
    return True
