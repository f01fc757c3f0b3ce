"""Bounds of the moments that are stored ahead of time: a clock that was ahead wrote what lies beyond them."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.model.destination import DestinationConfig, DestinationState

LONGEST_RETRY_AFTER_SECONDS = 24 * 3600.0

LONGEST_PROBE_SECONDS = 300.0

JITTER = 0.2
"""Each wait of a schedule differs by up to this part, so that retries do not arrive as a herd."""

STEP = timedelta(minutes=1)
"""A clock that goes so much further than another stepped; what was written so far ahead, by one that was."""

CATCH_UP_SECONDS = 0.02
"""A worker that wakes a little late may make up for it; without this a limit of 1000/s is never reached."""


def beyond_bounds(config: DestinationConfig, state: DestinationState, now: datetime) -> dict[str, datetime]:
    """Return the moments that hold a destination up and lie further ahead than they can, by their names."""
    limit = config.rate_limit
    bounds = [
        ("probe_at", state.probe_at, LONGEST_PROBE_SECONDS),
        ("throttled_until", state.throttled_until, LONGEST_RETRY_AFTER_SECONDS),
    ]
    if limit is not None:
        full_bucket_seconds = limit.burst * limit.seconds / limit.count
        bounds.append(
            ("rate_limited_until", state.rate_limited_until, full_bucket_seconds + CATCH_UP_SECONDS)
        )
    return {
        name: moment
        for name, moment, seconds in bounds
        if moment is not None and moment > now + timedelta(seconds=seconds)
    }


def longest_of_schedule(destination: DestinationConfig) -> timedelta:
    """Return the longest wait of a destination's own schedule."""
    return timedelta(seconds=max(destination.retry_seconds, default=0.0) * (1 + JITTER))


def longest_wait(destination: DestinationConfig) -> timedelta:
    """Return the longest time for which an attempt can put the next one off."""
    return max(longest_of_schedule(destination), timedelta(seconds=LONGEST_RETRY_AFTER_SECONDS))
