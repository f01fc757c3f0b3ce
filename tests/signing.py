"""Signs requests as Svix does, independently of the library that the hub verifies with."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

import given


def signature(body: bytes, message_id: str, timestamp: str, secret: str = given.SECRET) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = message_id.encode() + b"." + timestamp.encode() + b"." + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def headers(
    body: bytes,
    *,
    message_id: str = "msg_1",
    timestamp: float | None = None,
    secret: str = given.SECRET,
    prefix: str = "svix",
) -> dict[str, str]:
    """The headers of a genuine request, sent now unless told otherwise."""
    at = str(int(time.time() if timestamp is None else timestamp))
    return {
        f"{prefix}-id": message_id,
        f"{prefix}-timestamp": at,
        f"{prefix}-signature": signature(body, message_id, at, secret),
    }
