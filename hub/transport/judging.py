"""An HTTP answer -> the receipt of an attempt, or its error: the rule for all places that speak HTTP.

2xx is delivered, 410 means never again, everything else is tried again. What a place documents of its own
answers, and what users write under `on_status`, is a ruling: it says otherwise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from hub.errors import About, Pause, Reject, Retry, SendError, Unknown
from hub.model.delivery import Receipt
from hub.transport.http import RETRY_AFTER_LIMIT_SECONDS, HttpResponse, retry_after_seconds

MESSAGE_STATUSES = frozenset({400, 406, 409, 411, 413, 414, 415, 422, 431})
"""These speak of the message: its form, size or content. Whoever answers so lives."""
PATH_STATUSES = frozenset({404, 405})
"""So do these where the send has a path of its own; else it is the endpoint that is not there."""


class Meaning(StrEnum):
    """The meaning of an answer, as users write it under `on_status`."""

    DELIVERED = "delivered"
    RETRY = "retry"
    DEAD = "dead"
    PAUSE = "pause"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The meaning of an answer where it is not the usual one.

    `words` say what it means and what to do: they follow the status in the reason, and quote nobody. `form`
    is set where the place may take the message in a plainer form. `throttled` and `after_seconds` hold the
    destination, where no Retry-After header says for how long.
    """

    meaning: Meaning
    words: str = ""
    form: bool = False
    throttled: bool = False
    after_seconds: float | None = None


def pause(words: str) -> Ruling:
    """Return the ruling that a destination accepts nothing until somebody acts, with what to do."""
    return Ruling(meaning=Meaning.PAUSE, words=words)


def dead(words: str, *, form: bool = False) -> Ruling:
    """Return the ruling that a message can never be accepted, or with `form` not in this form."""
    return Ruling(meaning=Meaning.DEAD, words=words, form=form)


def rest(words: str, seconds: float | None = None) -> Ruling:
    """Return the ruling that a destination asks for a rest, for so long where it says that."""
    return Ruling(meaning=Meaning.RETRY, words=words, throttled=True, after_seconds=seconds)


def foreign(place: str) -> Ruling:
    """Return the ruling on a success that is not in the words of its place: a proxy's page, a portal's."""
    return Ruling(meaning=Meaning.UNKNOWN, words=f"with something that is not {place}'s")


def judge(
    response: HttpResponse,
    now: datetime,
    ruling: Ruling | None = None,
    *,
    taken: str = "",
    has_path: bool = False,
) -> Receipt:
    """Return the receipt that a response is; raises SendError where it is none.

    `taken` is what a receipt says instead of the status: `taken by Teams`. A 429 holds the destination in any
    case.
    """
    status = response.status
    meaning = ruling.meaning if ruling else _usual(status)
    words = ruling.words if ruling else ""
    reason = _reason(status) + (f": {words}" if words else "")
    throttled = status == HTTPStatus.TOO_MANY_REQUESTS or bool(ruling and ruling.throttled)
    after_seconds = retry_after_seconds(response.headers, now)
    if after_seconds is None and ruling:
        after_seconds = ruling.after_seconds
    if meaning is Meaning.DELIVERED:
        return Receipt(
            detail=taken or reason,
            status=status,
            answer=response.text,
            throttled=throttled,
            after_seconds=after_seconds,
        )
    error = _error(meaning, reason, status, has_path, form=bool(ruling and ruling.form))
    error.answer, error.throttled, error.after_seconds = response.text, throttled, after_seconds
    raise error


def json_object(response: HttpResponse) -> dict[str, Any] | None:
    """Return the JSON object that a response is; None where it is anything else, such as a proxy's page."""
    try:
        value = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_page(answer: str) -> bool:
    """Return True for HTML: a page of a proxy or of a captive portal, which is nobody's word for the message.

    The text decides: Slack calls its own `ok` text/html.
    """
    return answer.lstrip("\ufeff \t\r\n").startswith("<")


def seconds_of(value: Any) -> float | None:
    """Return the wait that a number in an answer asks for, at most a day; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return float(min(value, RETRY_AFTER_LIMIT_SECONDS))


def _error(meaning: Meaning, reason: str, status: int, has_path: bool, *, form: bool) -> SendError:
    match meaning:
        case Meaning.DEAD:
            return Reject(reason, status=status, form=form)
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
