"""The status line of a response -> a receipt, or the error of the attempt; nothing else of it decides.

2xx is delivered, 410 means never again, everything else is tried again. `on_status` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from hub.errors import About, Pause, Reject, Retry, SendError, Unknown
from hub.model.delivery import Receipt
from hub.strings import one_line
from hub.transport.http import HttpResponse, retry_after_seconds

MESSAGE_STATUSES = frozenset({400, 406, 409, 411, 413, 414, 415, 422, 431})
"""These speak of the message: its form, size or content. Whoever answers so lives."""
PATH_STATUSES = frozenset({404, 405})
"""So do these where the send has a path of its own; else it is the endpoint that is not there."""


class Meaning(StrEnum):
    """The meaning of a status, as users write it under `on_status`."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    PAUSE = "pause"
    UNKNOWN = "unknown"


def status_problems(on_status: Iterable[str]) -> Iterable[str]:
    """Yield the problems of the keys of `on_status`, one sentence each."""
    for key in on_status:
        if not re.fullmatch(r"[2-5](\d\d|xx)", key):
            name = one_line(key, 20)
            yield f"on_status takes statuses such as 404 and classes such as 4xx, not {name!r}"


def judge(response: HttpResponse, on_status: Mapping[str, Any], has_path: bool, now: datetime) -> Receipt:
    """Return the receipt that a response is; raises SendError where it is none.

    `on_status` is what users wrote; the number wins over its class. A 429 holds the destination in any case.
    """
    status = response.status
    ruled = on_status.get(str(status), on_status.get(f"{status // 100}xx"))
    meaning = Meaning(ruled) if ruled else _usual(status)
    reason = _reason(status) + (f": {meaning}, by on_status" if ruled else "")
    throttled = status == HTTPStatus.TOO_MANY_REQUESTS
    after_seconds = retry_after_seconds(response.headers, now)
    if meaning is Meaning.DELIVERED:
        return Receipt(
            detail=reason,
            status=status,
            answer=response.text,
            throttled=throttled,
            after_seconds=after_seconds,
        )
    error = _error(meaning, reason, status, has_path)
    error.answer, error.throttled, error.after_seconds = response.text, throttled, after_seconds
    raise error


def _error(meaning: Meaning, reason: str, status: int, has_path: bool) -> SendError:
    match meaning:
        case Meaning.DEAD:
            return Reject(reason, status=status)
        case Meaning.PAUSE:
            return Pause(reason, status=status)
        case Meaning.UNKNOWN:
            return Unknown(reason, status=status)
    is_about_message = status in MESSAGE_STATUSES or (has_path and status in PATH_STATUSES)
    return Retry(reason, status=status, about=About.MESSAGE if is_about_message else About.ENDPOINT)


def _usual(status: int) -> Meaning:
    if 200 <= status < 300:
        return Meaning.DELIVERED
    return Meaning.DEAD if status == HTTPStatus.GONE else Meaning.RETRY


def _reason(status: int) -> str:
    """Return the status in the standard's words: those of the response are anybody's."""
    if 300 <= status < 400:
        return f"answered with a redirect ({status}), which is not followed"
    try:
        return f"answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"answered {status}"
