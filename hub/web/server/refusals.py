"""The answers to what never becomes a request, in JSON, made without a thread."""

from __future__ import annotations

import json
from http import HTTPStatus

from hub.ingest.receive import RETRY_AFTER_SECONDS


def _refusal(status: HTTPStatus, code: str, message: str, *fields: str) -> bytes:
    body = json.dumps({"error": code, "message": message}, separators=(",", ":")) + "\n"
    lines = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *fields,
    )
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


BROKEN_OFF = _refusal(
    HTTPStatus.BAD_REQUEST, "invalid_payload", "the body broke off before its end; send it again"
)
LATE = _refusal(
    HTTPStatus.REQUEST_TIMEOUT, "request_timeout", "the body did not arrive in time; send it again"
)
LONG_HEAD = _refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", "request line and headers are too long"
)
OVERLOADED = _refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "unavailable",
    "too many requests are unfinished; send it again",
    f"Retry-After: {RETRY_AFTER_SECONDS}",
)
