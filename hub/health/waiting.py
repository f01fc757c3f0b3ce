"""The one function that says why a delivery waits, for page, API, command line and answers to an operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from hub.health.assess import worker_finding
from hub.health.destinations import destination_finding
from hub.health.facts import Facts
from hub.health.status import DestinationStatus, status_of
from hub.health.words import short
from hub.humanize import clock, counted, not_set, span, utc
from hub.model.delivery import State
from hub.model.destination import DestinationConfig
from hub.model.finding import Finding, FindingCode
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
    """The reason why a delivery waits, as a part of a sentence. `until` is None where no time ends it.

    `resumes` is True where it goes on by itself once somebody has acted.
    """

    code: WaitCode
    text: str
    until: datetime | None = None
    resumes: bool = False

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
        at = f" at {clock(delivery.tried_at, facts.now, facts.zone)}" if delivery.tried_at else ""
        return WaitReason(code=WaitCode.HELD, text=f"may have arrived{at}; somebody has to say")
    if delivery.state is not State.PENDING:
        return None
    name = delivery.destination
    lasting = lasting_reason(name, facts)
    if lasting is not None:
        return lasting
    if any("/" in need for need in delivery.needs):
        text = delivery.reason or "waits for a table"
        return WaitReason(code=WaitCode.NOT_CONFIGURED, text=text, resumes=True)
    if delivery.needs:
        return WaitReason(code=WaitCode.NOT_CONFIGURED, text=not_set(delivery.needs))
    reasons = [*_of_time(name, facts), *_schedule(delivery, facts)]
    later = [reason for reason in reasons if reason.until is not None and reason.until > facts.now]
    if later:
        return max(later, key=lambda reason: reason.until or facts.now)
    reason = _of_others(name, facts) or WaitReason(code=WaitCode.DUE, text="goes out now")
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
        return WaitReason(code=_CODES[status], text=_lasting(finding, facts))
    if worker_finding(facts) is not None:
        return WaitReason(code=WaitCode.NO_WORKER, text=_no_worker(facts))
    return None


def _schedule(delivery: DeliveryRecord, facts: Facts) -> Iterator[WaitReason]:
    if not _is_put_off_too_far(delivery, facts):
        number, of = delivery.tries + 1, len(_config(delivery.destination, facts).retry_seconds) + 1
        error = f", after {delivery.reason.removeprefix('answered ')}" if delivery.reason else ""
        text = f"try {number} of {max(of, number)} {_in(delivery.due_at, facts)}{error}"
        yield WaitReason(code=WaitCode.SCHEDULE, text=text, until=delivery.due_at)


def _of_time(destination: str, facts: Facts) -> Iterator[WaitReason]:
    """Yield the reasons of a destination that a moment ends, past moments included."""
    config, state = _config(destination, facts), facts.state(destination)
    beyond = beyond_bounds(config, state, facts.now)
    if state.throttled_until is not None and "throttled_until" not in beyond:
        text = f"{destination} asks to wait: again {_in(state.throttled_until, facts)}"
        yield WaitReason(code=WaitCode.RETRY_AFTER, text=text, until=state.throttled_until)
    is_limited = config.rate_limit is not None and "rate_limited_until" not in beyond
    if is_limited and state.rate_limited_until is not None:
        text = f"waits for its turn, {config.rate_limit}: about {_span(state.rate_limited_until, facts)}"
        yield WaitReason(code=WaitCode.RATE_LIMIT, text=text, until=state.rate_limited_until)
    if state.probe_at is not None and "probe_at" not in beyond:
        text = _breaker(destination, facts, state.probe_at)
        yield WaitReason(code=WaitCode.BREAKER, text=text, until=state.probe_at)


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
    sending = counted(in_flight, "is", "are")
    text = f"{sending} being sent; the next free place is its"
    return WaitReason(code=WaitCode.CONCURRENCY, text=text)


def _breaker(destination: str, facts: Facts, probe_at: datetime | None = None) -> str:
    finding = destination_finding(destination, facts)
    assert finding is not None
    return f"{finding.headline}; one is tried {_in(probe_at, facts)}, the rest follow when it works"


def _lasting(finding: Finding, facts: Facts) -> str:
    """Return a destination's own finding as the reason for a wait."""
    name, reason = finding.subject, finding.reason
    match finding.code:
        case FindingCode.PAUSED:
            return f"{name} is paused ({short(facts.state(name).paused_reason)}); sent once it is resumed"
        case FindingCode.NOT_CONFIGURED:
            return reason or finding.headline
        case FindingCode.SWITCHED_OFF:
            return f"{name} is switched off in routes.yaml"
    return f"{name} is no longer in routes.yaml: put it back, or cancel"


def _no_worker(facts: Facts) -> str:
    seen_at = facts.store.worker_seen_at if facts.store else None
    return "no worker has run yet" if seen_at is None else f"no worker for {_span(facts.now, facts, seen_at)}"


def _in(moment: datetime | None, facts: Facts) -> str:
    """Return the distance of a moment: `in 44 s`, `now`."""
    return "now" if moment is None or moment <= facts.now else f"in {_span(moment, facts)}"


def _span(moment: datetime, facts: Facts, since: datetime | None = None) -> str:
    return span(max(int((moment - (since or facts.now)).total_seconds()), 1))


def _config(destination: str, facts: Facts) -> DestinationConfig:
    config = facts.destination_config(destination)
    assert config is not None
    return config
