"""The retry decision: what follows an attempt, and when the next one is due. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from hub.errors import Pause, Reject, Retry, SendError, Unknown
from hub.model.delivery import Claim, Outcome, Receipt, Settlement, State
from hub.model.destination import DestinationConfig, OnUnknown
from hub.model.moments import JITTER, LONGEST_RETRY_AFTER_SECONDS
from hub.strings import one_line

ANSWER_LIMIT = 500
"""As many characters of an answer are kept."""


def next_attempt(
    schedule_seconds: tuple[float, ...],
    tries: int,
    now: datetime,
    *,
    after_seconds: float | None,
    chance: float,
) -> datetime | None:
    """Return when to try again after `tries` attempts; None where the schedule is used up.

    `chance` is a random number from 0 to 1. Never sooner than `after_seconds`, up to a day.
    """
    if tries > len(schedule_seconds):
        return None
    wait = schedule_seconds[tries - 1] * (1 + JITTER * (2 * chance - 1))
    if after_seconds is not None:
        wait = max(wait, min(after_seconds, LONGEST_RETRY_AFTER_SECONDS))
    return now + timedelta(seconds=wait)


def after_receipt(claim: Claim, receipt: Receipt, seconds: float | None) -> Settlement:
    """Settle an attempt that delivered."""
    return Settlement(
        claim=claim,
        state=State.DELIVERED,
        reason=None,
        tries=claim.tries,
        accepted=tuple(dict.fromkeys((*claim.accepted, *receipt.accepted))),
        outcome=Outcome.DELIVERED,
        status=receipt.status,
        detail=receipt.detail,
        answer=start_of(receipt.answer),
        seconds=seconds,
    )


def after_error(
    claim: Claim,
    error: SendError,
    destination: DestinationConfig,
    *,
    now: datetime,
    chance: float,
    seconds: float | None,
) -> Settlement:
    """Settle an attempt that did not deliver.

    Where the destination is paused, or asked for a rest, its delivery waits without having used the attempt:
    the destination is held, not the delivery. Where only a part of it is lacking the delivery waits for that.
    An unknown outcome is resent by the schedule or held, as the destination's `on_unknown` says.
    """
    state, reason, due_at, tries = State.PENDING, error.reason, now, claim.tries
    needs = error.needs if isinstance(error, Pause) else ()
    match error:
        case Pause() | Retry(throttled=True):
            tries -= 1
        case Reject():
            state = State.DEAD
        case Unknown() if destination.on_unknown is OnUnknown.HOLD:
            state = State.HELD
        case _:
            after = error.after_seconds if isinstance(error, Retry) else None
            later = next_attempt(destination.retry_seconds, tries, now, after_seconds=after, chance=chance)
            if later is None:
                state, reason = State.DEAD, f"{error.reason} (attempt {tries} of {tries}, the last)"
            else:
                due_at = later
    if isinstance(error, Unknown) and error.key_used:
        claim = replace(claim, rendering=claim.rendering + 1)
    return Settlement(
        claim=claim,
        state=state,
        reason=reason,
        due_at=due_at if state is State.PENDING and not needs else None,
        needs=tuple(f"{claim.destination}/{part}" for part in needs),
        tries=tries,
        accepted=tuple(dict.fromkeys((*claim.accepted, *error.accepted))),
        outcome=Outcome.UNKNOWN if isinstance(error, Unknown) else Outcome.FAILED,
        status=error.status,
        detail=error.reason,
        answer=start_of(error.answer),
        seconds=seconds,
    )


def not_begun(
    claim: Claim,
    reason: str | None,
    needs: tuple[str, ...] = (),
    due_at: datetime | None = None,
    *,
    too_old: bool = False,
) -> Settlement:
    """Settle a claim of which no byte was sent, as if it had never been made.

    Without a `reason` it is pending again and due as before, or once the variables that it `needs` are set;
    with one no message can be made, or its event is `too_old`: it is dead. With `due_at` another process may
    make it: it is pending until then.
    """
    return Settlement(
        claim=claim,
        state=State.PENDING if reason is None or due_at else State.DEAD,
        reason=reason,
        due_at=due_at,
        needs=needs,
        too_old=too_old,
        tries=claim.tries - 1,
        accepted=claim.accepted,
    )


def start_of(answer: str) -> str:
    """Return the start of an answer on one line, without control characters."""
    # Nearly every answer is a word.
    is_fit = len(answer) <= ANSWER_LIMIT and answer.isprintable()
    return answer if is_fit else one_line(answer, ANSWER_LIMIT)
