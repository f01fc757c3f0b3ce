"""The one function that says why a delivery waits, for page, API, command line and answers to an operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from hub.health.assess import destination_finding, worker_finding
from hub.health.facts import Facts
from hub.health.status import DestinationStatus, status_of
from hub.humanize import counted, not_set, utc
from hub.model.delivery import State
from hub.model.destination import DestinationConfig
from hub.model.finding import HUB, Finding
from hub.model.moments import STEP, beyond_bounds, longest_wait
from hub.model.records import DeliveryRecord


class WaitCode(StrEnum):
    """A reason to wait, for machines."""

    DUE = "due"
    SCHEDULE = "schedule"
    RETRY_AFTER = "retry_after"
    RATE_LIMIT = "rate_limit"
    CONCURRENCY = "concurrency"
    BREAKER = "breaker"
    PAUSED = "paused"
    NOT_CONFIGURED = "not_configured"
    SWITCHED_OFF = "switched_off"
    REMOVED = "removed"
    HELD = "held"
    NO_WORKER = "no_worker"


@dataclass(frozen=True, kw_only=True)
class WaitReason:
    """The reason why a delivery waits, as a part of a sentence. `until` is None where no time ends it."""

    code: WaitCode
    text: str
    until: datetime | None = None

    @property
    def needs_somebody(self) -> bool:
        """True for a wait that does not end by itself."""
        return self.code in _NEED_SOMEBODY


_NEED_SOMEBODY = (
    WaitCode.PAUSED,
    WaitCode.NOT_CONFIGURED,
    WaitCode.SWITCHED_OFF,
    WaitCode.REMOVED,
    WaitCode.HELD,
    WaitCode.NO_WORKER,
)
_CODES = {
    DestinationStatus.PAUSED: WaitCode.PAUSED,
    DestinationStatus.NOT_CONFIGURED: WaitCode.NOT_CONFIGURED,
    DestinationStatus.DISABLED: WaitCode.SWITCHED_OFF,
    DestinationStatus.REMOVED: WaitCode.REMOVED,
}


def why(delivery: DeliveryRecord, facts: Facts) -> WaitReason | None:
    """Return why a pending or held delivery waits; None for any other.

    Of several reasons the one that nobody but an operator ends comes first, then the one that lasts longest.
    """
    if delivery.state is State.HELD:
        error = f": {delivery.reason}" if delivery.reason else ""
        text = f"the message may have arrived{error}; resolve it as delivered or as retry"
        return WaitReason(code=WaitCode.HELD, text=text)
    if delivery.state is not State.PENDING:
        return None
    name = delivery.destination
    lasting = lasting_reason(name, facts)
    if lasting is not None:
        return lasting
    if delivery.unset:
        text = f"{not_set(delivery.unset)} where the worker runs, which its message needs; set it there"
        return WaitReason(code=WaitCode.NOT_CONFIGURED, text=text)
    reasons = [*_of_time(name, facts), *_schedule(delivery, facts)]
    later = [reason for reason in reasons if reason.until is not None and reason.until > facts.now]
    if later:
        return max(later, key=lambda reason: reason.until or facts.now)
    reason = _of_others(name, facts) or WaitReason(code=WaitCode.DUE, text="it is due, and goes out next")
    unbelieved = _unbelieved(delivery, facts)
    if unbelieved is None:
        return reason
    text = f"a clock that was ahead put it off until {utc(unbelieved)} UTC, which is not believed"
    return replace(reason, text=f"{text}; {reason.text}")


def lasting_reason(destination: str, facts: Facts) -> WaitReason | None:
    """Return why all that a destination is owed waits until somebody acts; None where it need not."""
    status = status_of(destination, facts)
    finding = destination_finding(destination, facts)
    if finding is not None and status in _CODES:
        return WaitReason(code=_CODES[status], text=_in_words(finding))
    no_worker = worker_finding(facts)
    if no_worker is not None:
        return WaitReason(code=WaitCode.NO_WORKER, text=_in_words(no_worker))
    return None


def _schedule(delivery: DeliveryRecord, facts: Facts) -> Iterator[WaitReason]:
    if not _is_put_off_too_far(delivery, facts):
        text = f"it is tried again after: {delivery.reason}" if delivery.reason else "it is not due yet"
        yield WaitReason(code=WaitCode.SCHEDULE, text=text, until=delivery.due_at)


def _of_time(destination: str, facts: Facts) -> Iterator[WaitReason]:
    """Yield the reasons of a destination that a moment ends, past moments included."""
    config, state = _config(destination, facts), facts.state(destination)
    beyond = beyond_bounds(config, state, facts.now)
    if state.throttled_until is not None and "throttled_until" not in beyond:
        text = f"{destination} asked for a rest"
        yield WaitReason(code=WaitCode.RETRY_AFTER, text=text, until=state.throttled_until)
    if config.rate_limit is not None and "rate_limited_until" not in beyond:
        text = f"the rate_limit of {destination} lets no message go yet"
        yield WaitReason(code=WaitCode.RATE_LIMIT, text=text, until=state.rate_limited_until)
    if state.probe_at is not None and "probe_at" not in beyond:
        yield WaitReason(code=WaitCode.BREAKER, text=_breaker(destination, facts), until=state.probe_at)


def _unbelieved(delivery: DeliveryRecord, facts: Facts) -> datetime | None:
    """Return the latest moment that would put a delivery off and lies further ahead than it can."""
    state = facts.state(delivery.destination)
    moments = [*beyond_bounds(_config(delivery.destination, facts), state, facts.now).values()]
    if delivery.due_at is not None and _is_put_off_too_far(delivery, facts):
        moments.append(delivery.due_at)
    return max(moments, default=None)


def _is_put_off_too_far(delivery: DeliveryRecord, facts: Facts) -> bool:
    """Return True for what is due later than anything puts it off, or was itself made by a clock ahead."""
    if delivery.due_at is None or delivery.due_at <= facts.now:
        return False
    longest = longest_wait(_config(delivery.destination, facts))
    return delivery.due_at > facts.now + longest or delivery.created_at > facts.now + STEP


def _of_others(destination: str, facts: Facts) -> WaitReason | None:
    """Messages to the same destination that are being sent, or that are tried first."""
    if facts.state(destination).probe_at is not None:
        return WaitReason(code=WaitCode.BREAKER, text=_breaker(destination, facts))
    in_flight = facts.count(State.SENDING, destination)
    if in_flight < _config(destination, facts).concurrency:
        return None
    sending = counted(in_flight, "message is", "messages are")
    text = f"{sending} being sent to {destination}, as many as its concurrency allows"
    return WaitReason(code=WaitCode.CONCURRENCY, text=text)


def _breaker(destination: str, facts: Facts) -> str:
    finding = destination_finding(destination, facts)
    assert finding is not None
    return f"{finding.headline}: {finding.reason}; one message at a time is tried"


def _config(destination: str, facts: Facts) -> DestinationConfig:
    config = facts.destination_config(destination)
    assert config is not None
    return config


def _in_words(finding: Finding) -> str:
    """A finding as a part of a sentence, with the thing to do, but without the number of those that wait."""
    headline = finding.headline
    if finding.subject == HUB:
        headline = headline[:1].lower() + headline[1:]
    statement = f"{headline}: {finding.reason}" if finding.reason else headline
    return f"{statement}; {finding.cure}"
