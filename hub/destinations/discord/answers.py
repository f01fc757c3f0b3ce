"""Discord's answers: the meaning of each code, with what to do about it.

https://docs.discord.com/developers/topics/opcodes-and-status-codes has the codes. 10,000 answers of 401, 403
and 429 within ten minutes shut the whole address out, and a webhook that is not there must not be tried again
(…/topics/rate-limits): so those pause at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.transport.http import HttpResponse
from hub.transport.judging import Ruling, dead, foreign, pause, rest, seconds_of

MILLISECONDS_FROM = 1000.0
"""A `retry_after` above that is in milliseconds: discord/discord-api-docs#4722. A header goes before it."""


RULINGS: Mapping[int, Ruling] = {
    10003: pause("there is no such thread; check thread_id"),
    10015: pause("the webhook was deleted; create a new one and set its URL"),
    50006: dead("the message is empty", form=True),
    50013: pause("the webhook may not post there; check the permissions of the channel"),
    50024: pause("that channel takes no such messages; use the webhook of another one"),
    50027: pause("the webhook's URL is not whole, or was renewed; copy it again"),
    50035: dead("something in it has a form that Discord does not take", form=True),
    50083: pause("the thread is archived; open it, or set another thread_id"),
    50109: dead("it is no JSON to Discord", form=True),
    160005: pause("the thread is locked; unlock it, or set another thread_id"),
    200000: dead("automatic moderation blocked its words"),
    220001: pause("a forum takes messages in its threads only; set thread_id"),
    220003: pause("the webhook is of no forum; take thread_name out of its URL"),
    240000: dead("the filter of harmful links blocked it"),
}
"""Answers by Discord's own codes, which stand in their body as `code`."""

_CLOSED = pause("it takes no messages here; check the webhook's URL")


def ruling(response: HttpResponse, answer: Mapping[str, Any]) -> Ruling | None:
    """Return the meaning of an answer, None for the usual one; `answer` is its JSON object, or empty."""
    code = answer.get("code")
    if isinstance(code, int) and code in RULINGS:
        return RULINGS[code]
    if response.status in (401, 403, 404):
        return _CLOSED
    if response.status == 429:
        seconds = seconds_of(answer.get("retry_after"))
        if seconds is not None and seconds > MILLISECONDS_FROM:
            seconds /= 1000
        return rest("", seconds)
    return foreign("Discord") if response.status == 200 and "id" not in answer else None
