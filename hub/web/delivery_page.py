"""A delivery's page in words: what became of it, what came back, and what happens next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from hub.catalog.redaction import Redaction
from hub.destinations.base import find_destination
from hub.health.facts import Facts
from hub.health.waiting import WaitCode, WaitReason, why
from hub.humanize import capitalised, period, sentence, span, stamp, utc
from hub.model.delivery import Outcome, State
from hub.model.destination import DestinationConfig, OnUnknown
from hub.model.records import AttemptRecord, DeliveryRecord
from hub.operator import FOUND_DELIVERED
from hub.strings import shortened

ATTEMPTS_OPEN = 3
"""So many of the newest attempts stand open; earlier ones are folded."""

ANSWER_SHOWN, QUOTED = 300, 80
"""So many characters of an answer are shown, and quoted in a sentence."""

_TEMPLATE_FAILED = "template failed: "

_CURES = {
    WaitCode.PAUSED: "Put right what is wrong, then resume the destination: what waits is sent at once.",
    WaitCode.NOT_CONFIGURED: "Set that where the hub runs and restart it: then it goes out.",
    WaitCode.SWITCHED_OFF: "Switch it on there, or cancel this.",
    WaitCode.REMOVED: "Put it back into routes.yaml, or cancel this.",
    WaitCode.NO_WORKER: "hub serve starts a worker by itself; else start hub worker.",
}

Fields = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DeliveryWords:
    """The words of a delivery's page. `degraded` says why its message is not that of its send block."""

    reason: str
    attempts: list[Fields]
    next_steps: list[str]
    degraded: str


def delivery_words(
    record: DeliveryRecord, whole: Fields, facts: Facts, redaction: Redaction
) -> DeliveryWords:
    """Return the words for a delivery; `whole` are its fields as the API has them."""
    own = redaction.of_event(record.type, record.payload)
    wait = why(record, facts)
    if wait is not None:
        wait = replace(wait, text=own.own_text(wait.text))
    config = facts.destination_config(record.destination)
    return DeliveryWords(
        reason=reason_of(record, whole),
        attempts=attempt_lines(record, own),
        next_steps=next_steps(record, wait, config, facts.zone),
        degraded=_degraded(own.own_text(record.degraded)) if record.degraded else "",
    )


def _degraded(reason: str) -> str:
    """Return why a message is not that of its send block, as a sentence for its reader's operator."""
    failure = reason.removeprefix(_TEMPLATE_FAILED)
    if failure == reason:
        return sentence(reason)
    return sentence(f"Your template failed, so the built-in message went out: {failure}")


def attempt_lines(record: DeliveryRecord, redaction: Redaction) -> list[Fields]:
    """Return the attempts for the page, newest first; `is_same` where the next newer one ended likewise."""
    lines: list[Fields] = []
    newer: AttemptRecord | None = None
    for attempt in reversed(record.attempt_list):
        is_same = newer is not None and _ending(attempt) == _ending(newer)
        answer = redaction.text(attempt.answer) if attempt.answer else ""
        lines.append(
            {
                "number": attempt.number,
                "at": attempt.at,
                "state": attempt.outcome.value if attempt.outcome else State.SENDING.value,
                "ending": ending(attempt, redaction),
                "took": span(attempt.seconds) if attempt.seconds is not None else "",
                "answer": shortened(answer, ANSWER_SHOWN),
                "is_same": is_same,
            }
        )
        newer = attempt
    return lines


def ending(attempt: AttemptRecord, redaction: Redaction) -> str:
    """Return the end of an attempt in a few words: `500 Internal Server Error`, `no answer within 3 s`."""
    if attempt.outcome is None:
        return "under way"
    detail = redaction.own_text(attempt.detail or "")
    return detail.removeprefix("answered ") or (str(attempt.status) if attempt.status else "")


def reason_of(record: DeliveryRecord, whole: Fields) -> str:
    """Return the reason of a delivery's state as a sentence, the first words below the page's title."""
    match record.state:
        case State.DELIVERED:
            return _arrival(record)
        case State.DEAD:
            return _death(record, whole)
        case State.HELD:
            return f"{sentence(whole['reason'])} Somebody has to say whether it is there.".strip()
        case State.CANCELLED:
            return sentence(without_state(whole["reason"] or ""))
        case State.SENDING:
            return f"Try {record.tries} is under way."
    return f"{whole['why']['text']}." if whole["why"] else ""


def without_state(reason: str) -> str:
    """Return a reason that stands behind the word of its state, without saying that again."""
    return reason.removeprefix("answered ").removeprefix("cancelled ")


def _arrival(record: DeliveryRecord) -> str:
    if record.reason == FOUND_DELIVERED:
        return sentence(record.reason)
    at_try = f", at try {record.tries}" if record.tries > 1 else ""
    if record.delivered_at is None:
        return f"It has arrived{at_try}."
    seconds = (record.delivered_at - record.created_at).total_seconds()
    return f"It arrived {span(max(seconds, 0.001))} after it became owed{at_try}."


def _death(record: DeliveryRecord, whole: Fields) -> str:
    """Return the reason of a death, with the other side's words where those made it."""
    reason = whole["reason"] or "it is dead"
    last = whole["attempt_list"][-1] if whole["attempt_list"] else None
    if last is None or not last["detail"] or not reason.startswith(last["detail"]):
        return sentence(reason)
    quoted = f': "{shortened(last["answer"], QUOTED)}"' if last["answer"] else ""
    given_up = (
        f"Given up after {record.tries} tries." if record.tries > 1 else "It is not tried again by itself."
    )
    return f"{capitalised(last['detail'].removeprefix('answered '))}{quoted}. {given_up}"


def next_steps(
    record: DeliveryRecord, wait: WaitReason | None, config: DestinationConfig | None, zone: tzinfo
) -> list[str]:
    """Return what happens next by itself, and what somebody may do, a paragraph each.

    `wait` is without secrets; `config` None where the destination is gone; `zone` is that of the readers.
    """
    match record.state:
        case State.DELIVERED:
            return ["Nothing: it has arrived. Replay its event to send it once more."]
        case State.DEAD:
            return [_after_death(record)]
        case State.CANCELLED:
            return ["Nothing: somebody canceled it. Retry owes it again, rendered anew from today's routes."]
        case State.HELD:
            return list(_decision(record, config))
        case State.SENDING:
            return [*_under_way(record, config)]
    return [*_waiting(record, wait, zone), *_unknown_before(record, config)]


def _after_death(record: DeliveryRecord) -> str:
    reason = record.reason or ""
    if reason.startswith("too old"):
        return "Nothing: it is too old to be sent, by max_age."
    cause = "template" if reason.startswith(_TEMPLATE_FAILED) else "cause"
    return (
        f"Nothing by itself. Mend the {cause}, then press Retry: "
        "it is rendered anew from today's routes and sent under the same id."
    )


def _waiting(record: DeliveryRecord, wait: WaitReason | None, zone: tzinfo) -> Iterator[str]:
    if wait is None:
        return
    if wait.resumes:
        yield "It goes out by itself, within seconds, once that is done. Nothing is lost."
    elif wait.needs_somebody:
        yield " ".join(filter(None, ("Nothing by itself.", _CURES.get(wait.code), "Nothing is lost.")))
    elif wait.until is None:
        yield "It goes out by itself."
    elif wait.code is WaitCode.BREAKER:
        yield (
            f"It goes out by itself once {record.destination} works again: "
            f"one message is tried at {stamp(wait.until, zone)}."
        )
    else:
        yield f"It goes out by itself at {stamp(wait.until, zone)}."
    if record.tries:
        yield "Retry now does not wait, renders it anew from today's routes and begins the schedule again."


def _under_way(record: DeliveryRecord, config: DestinationConfig | None) -> Iterator[str]:
    if config is None:
        return
    limit = period(config.timeout_seconds)
    yield f"It is being sent now; {record.destination} has {limit} to answer."
    if config.on_unknown is OnUnknown.HOLD:
        yield "Without an answer it may have arrived: then it is held, and somebody has to say."
    else:
        yield "Without an answer it may have arrived: then it is sent again under the same id."


def _decision(record: DeliveryRecord, config: DestinationConfig | None) -> Iterator[str]:
    name = record.destination
    yield f"Nothing by itself. The message went out and no answer came, so {name} may have it, or not."
    yield f"Look in {name} for {_trace(record, config)}."
    yield "Then press Resolve: mark it as arrived, or have the same message go out once more."


def _unknown_before(record: DeliveryRecord, config: DestinationConfig | None) -> Iterator[str]:
    """Yield what the last attempt's unknown outcome means for one that is sent again."""
    last = record.attempt_list[-1] if record.attempt_list else None
    if last is not None and last.outcome is Outcome.UNKNOWN:
        yield (
            f"Try {last.number} may have arrived: the message went out and no answer came. It is sent again "
            f"under the same id, so {record.destination} may get it twice: {_trace(record, config)}."
        )


def _trace(record: DeliveryRecord, config: DestinationConfig | None) -> str:
    """Return what to look for on the other side."""
    kind = find_destination(config.type) if config is not None else None
    last = record.attempt_list[-1].at if record.attempt_list else record.created_at
    if kind is not None and kind.id_header:
        return f"{kind.id_header} {record.id}, sent {utc(last)} UTC"
    return f"this message, sent {utc(last)} UTC"


def _ending(attempt: AttemptRecord) -> tuple[Any, ...]:
    return attempt.outcome, attempt.status, attempt.detail, attempt.answer
