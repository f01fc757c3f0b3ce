"""Signatures by Standard Webhooks (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC

from hub.errors import Reject
from hub.model.config import SHORTEST_KEY_BYTES
from hub.model.delivery import SendContext


def signing_key(secret: str) -> bytes:
    """Return the key in a secret like whsec_MfKQ…; raises ValueError where there is none that can be used."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("must be a secret like whsec_MfKQ…: base64 after whsec_")
    if len(key) < SHORTEST_KEY_BYTES:
        raise ValueError(f"must be a secret with a key of at least {SHORTEST_KEY_BYTES} bytes in base64")
    return key


def signature(secrets: tuple[str, ...], body: bytes, context: SendContext) -> str:
    """Return one signature per secret, as Standard Webhooks wants them while a secret is rotated."""
    from standardwebhooks.webhooks import Webhook

    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Reject("the event is not UTF-8, which a signature needs") from error
    at = context.at.astimezone(UTC)
    return " ".join(Webhook(signing_key(secret)).sign(context.delivery_id, at, text) for secret in secrets)
