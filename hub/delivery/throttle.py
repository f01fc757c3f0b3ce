"""The throttle of a destination: breaker, pause and rate limit, as pure functions of its state.

The state is the store's, shared by all workers, and everything in it is a time: nothing that a dead worker
could leave set.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hub.errors import About, Pause, Retry, SendError, Unknown
from hub.model.destination import DestinationConfig, DestinationState, RateLimit
from hub.model.moments import (
    CATCH_UP_SECONDS,
    LONGEST_PROBE_SECONDS,
    LONGEST_RETRY_AFTER_SECONDS,
    beyond_bounds,
)

FAILURES_TO_OPEN = 5
"""So many failures of the endpoint in a row open a breaker."""

FIRST_PROBE_SECONDS = 5.0

FIRST_REST_SECONDS, LONGEST_REST_SECONDS = 30.0, 300.0
TRUSTED_RESTS = 9
"""So many 429 in a row are believed to know for how long; from then on the hub rests longer each time."""


def believed(config: DestinationConfig, state: DestinationState, now: datetime) -> DestinationState:
    """Return a state without the moments that lie further ahead than they can.

    A clock that was ahead wrote them, and they would silence the destination until its time comes.
    """
    moments = (state.rate_limited_until, state.probe_at, state.throttled_until)
    if all(moment is None or moment <= now for moment in moments):
        return state
    beyond: dict[str, Any] = dict.fromkeys(beyond_bounds(config, state, now), now)
    return replace(state, **beyond) if beyond else state


def opens_at(config: DestinationConfig, state: DestinationState, now: datetime) -> datetime | None:
    """Return when a destination that must wait may be sent to again; None where it need not wait.

    A pause does not end by itself and is not counted here.
    """
    moments = [state.throttled_until, state.probe_at]
    if config.rate_limit is not None:
        moments.append(_start(config.rate_limit, state, now))
    later = [moment for moment in moments if moment is not None and moment > now]
    return max(later, default=None)


def allowance(
    config: DestinationConfig, state: DestinationState, in_flight: int, slots: int, now: datetime
) -> int:
    """Return how many deliveries of a destination may be claimed now.

    `in_flight` counts all workers' together, `slots` are the free ones that this worker has for it.
    """
    if state.paused_at is not None or opens_at(config, state, now) is not None:
        return 0
    count = min(config.concurrency - in_flight, slots)
    if state.probe_at is not None:
        count = min(count, 1 - in_flight)
    if config.rate_limit is not None:
        limit = config.rate_limit
        saved_seconds = (now - _start(limit, state, now)).total_seconds()
        # The generic cell rate algorithm.
        count = min(count, math.floor(saved_seconds * limit.count / limit.seconds + 1e-9) + 1)
    return max(count, 0)


def first_attempts(state: DestinationState, count: int, chance: float) -> int:
    """Return how many of `count` claims are for first attempts, if so many are due: half of them.

    The other half is for what was tried before. So neither waits for all of the other: not what is new behind
    old retries, nor a retry behind what keeps coming. `chance`, a random number from 0 to 1, decides the odd
    one. Probes take turns: neither messages that always fail keep a breaker open, nor an endpoint that fails
    each one's first attempt.
    """
    return math.floor(count / 2 + chance) if state.probe_at is None else state.probes % 2


def free_slots(threads: int, free: int, in_flight: int) -> int:
    """Return how many of a worker's free threads a destination may have that already has `in_flight` of them.

    The last quarter, one at least, is for destinations that have none, one thread each.
    """
    reserve = max(threads // 4, 1)
    if in_flight == 0 and free > 0:
        return max(free - reserve, 1)
    return max(free - reserve, 0)


def after_claim(
    config: DestinationConfig, state: DestinationState, count: int, now: datetime
) -> DestinationState:
    """Return the state once `count` deliveries were claimed: rate used up, and the next probe put off."""
    if count == 0:
        return state
    if config.rate_limit is not None:
        limit = config.rate_limit
        rate_limited_until = _start(limit, state, now) + timedelta(
            seconds=count * limit.seconds / limit.count
        )
        state = replace(state, rate_limited_until=rate_limited_until)
    if state.probe_at is not None:
        probes = state.probes + 1
        state = replace(state, probes=probes, probe_at=now + timedelta(seconds=probe_seconds(probes)))
    return state


def after_take_back(
    config: DestinationConfig, state: DestinationState, probe: int | None, now: datetime
) -> DestinationState:
    """Return the state once a claim was taken back: rate and probe are as if it had not been made."""
    if config.rate_limit is not None and state.rate_limited_until is not None:
        earlier = state.rate_limited_until - timedelta(
            seconds=config.rate_limit.seconds / config.rate_limit.count
        )
        state = replace(state, rate_limited_until=earlier)
    if probe is not None and state.probe_at is not None:
        state = replace(state, probes=probe, probe_at=now)
    return state


def after_success(state: DestinationState) -> DestinationState:
    """Return the state after a success: the breaker closes."""
    if state.failures == 0 and state.probe_at is None and state.throttled_count == 0:
        return state
    healthy = replace(state, failures=0, probe_at=None, probes=0, throttled_count=0)
    return replace(healthy, failing_since=None, last_error=None, last_answer=None)


def after_failure(state: DestinationState, error: SendError, now: datetime) -> DestinationState:
    """Return the state after a failure: it paused itself, asked for a rest (429), or failed once more.

    One that refuses a message answers, and that closes its breaker, as one does that lacks a part of it. A
    throttled answer does not count.
    """
    match error:
        case Pause(needs=()):
            return replace(state, paused_at=now, paused_reason=error.reason)
        case SendError(throttled=True):
            return after_throttling(state, error.after_seconds, now)
        case Retry(about=About.ENDPOINT) | Unknown():
            return _failed(state, error, now)
        case _:
            return after_success(state)


def after_throttling(state: DestinationState, asked_seconds: float | None, now: datetime) -> DestinationState:
    """Return the state after one more 429; several that were under way together count as one."""
    rests_already = state.throttled_until is not None and state.throttled_until > now
    count = state.throttled_count + (not rests_already)
    until = now + timedelta(seconds=rest_seconds(count, asked_seconds))
    return replace(state, throttled_count=count, throttled_until=max(until, state.throttled_until or until))


def probe_seconds(probes: int) -> float:
    """Return the wait for the next probe after so many: it doubles from one to the next."""
    return float(min(FIRST_PROBE_SECONDS * 2 ** min(probes, 10), LONGEST_PROBE_SECONDS))


def rest_seconds(count: int, asked_seconds: float | None) -> float:
    """Return the rest of a destination after its `count`th 429 in a row: what it asked for, up to a day.

    Where it did not say for how long, and from the tenth in a row in any case, the hub rests itself, twice as
    long each time.
    """
    rests = count if asked_seconds is None else count - TRUSTED_RESTS
    own = FIRST_REST_SECONDS * 2 ** min(rests - 1, 10) if rests > 0 else 0.0
    return max(min(own, LONGEST_REST_SECONDS), min(asked_seconds or 0.0, LONGEST_RETRY_AFTER_SECONDS))


def _failed(state: DestinationState, error: SendError, now: datetime) -> DestinationState:
    """One more failure. An open breaker stays as it is: each probe put off the next when it went out."""
    state = replace(
        state,
        failures=state.failures + 1,
        throttled_count=0,
        failing_since=now if state.failures == 0 else state.failing_since,
        last_error=error.reason,
        last_answer=error.answer or None,
    )
    if state.failures < FAILURES_TO_OPEN or state.probe_at is not None:
        return state
    return replace(state, probes=0, probe_at=now + timedelta(seconds=probe_seconds(0)))


def _start(limit: RateLimit, state: DestinationState, now: datetime) -> datetime:
    """The start of the limit's next interval: what was not used is saved up to the burst."""
    saved = max((limit.burst - 1) * limit.seconds / limit.count, CATCH_UP_SECONDS)
    earliest = now - timedelta(seconds=saved)
    return max(state.rate_limited_until or earliest, earliest)
