"""The throttle of a destination: breaker, pause, rest and rate limit, in simulated time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

import given
import pytest

from hub.delivery import throttle
from hub.errors import About, Pause, Reject, Retry, SendError, Unknown
from hub.model.destination import DestinationConfig, DestinationState, RateLimit

NOW = given.NOON
DESTINATION = given.destination(concurrency=4)
STATE = DestinationState(name="log")


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def after(*errors: SendError, state: DestinationState = STATE, now: datetime = NOW) -> DestinationState:
    for error in errors:
        state = throttle.after_failure(state, error, now)
    return state


def allowed(
    state: DestinationState,
    *,
    now: datetime = NOW,
    in_flight: int = 0,
    slots: int = 100,
    config: DestinationConfig = DESTINATION,
) -> int:
    return throttle.allowance(config, state, in_flight, slots, now)


FAIL = Retry("answered 503", status=503)
OPEN = after(*[FAIL] * 5)


# -- concurrency ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("in_flight", "slots", "count"),
    [(0, 100, 4), (3, 100, 1), (4, 100, 0), (9, 100, 0), (0, 2, 2), (0, 0, 0)],
)
def test_no_more_than_its_concurrency_and_the_workers_room(in_flight: int, slots: int, count: int) -> None:
    assert allowed(STATE, in_flight=in_flight, slots=slots) == count


@pytest.mark.parametrize(
    ("threads", "free", "in_flight", "slots"),
    [
        (16, 16, 0, 12),
        (16, 8, 4, 4),
        (16, 4, 4, 0),
        (16, 4, 0, 1),
        (16, 1, 0, 1),
        (16, 0, 0, 0),
        (4, 4, 0, 3),
        (3, 3, 0, 2),
        (2, 2, 0, 1),
        (2, 1, 1, 0),
        (1, 1, 0, 1),
        (1, 0, 0, 0),
    ],
)
def test_no_destination_takes_the_last_free_threads(
    threads: int, free: int, in_flight: int, slots: int
) -> None:
    assert throttle.free_slots(threads, free, in_flight) == slots


@pytest.mark.parametrize("threads", [2, 3, 4, 8, 16])
def test_one_destination_that_hangs_leaves_a_thread_for_another(threads: int) -> None:
    taken = 0
    for _ in range(20):
        taken += throttle.free_slots(threads, threads - taken, taken)

    assert throttle.free_slots(threads, threads - taken, 0) >= 1


@pytest.mark.parametrize(
    ("count", "chance", "firsts"),
    [(1, 0.4, 0), (1, 0.6, 1), (4, 0.0, 2), (4, 0.99, 2), (5, 0.4, 2), (5, 0.6, 3)],
)
def test_half_of_a_claim_is_for_first_attempts(count: int, chance: float, firsts: int) -> None:
    assert throttle.first_attempts(STATE, count, chance) == firsts


@pytest.mark.parametrize("chance", [0.0, 0.99])
def test_probes_are_in_turn_a_retry_and_a_first_attempt(chance: float) -> None:
    state, firsts = OPEN, []
    for _ in range(4):
        firsts.append(throttle.first_attempts(state, 1, chance))
        state = throttle.after_claim(DESTINATION, state, 1, NOW)

    assert firsts == [0, 1, 0, 1]


# -- breaker --------------------------------------------------------------------------------------


def test_a_breaker_opens_after_five_failures_in_a_row() -> None:
    assert allowed(after(*[FAIL] * 4)) == 4
    assert allowed(OPEN) == 0
    assert throttle.opens_at(DESTINATION, OPEN, NOW) == later(5)


def test_a_success_between_them_begins_the_count_anew() -> None:
    state = throttle.after_success(after(*[FAIL] * 4))

    assert allowed(after(*[FAIL] * 4, state=state)) == 4


def test_an_unknown_outcome_counts_like_a_failure() -> None:
    assert allowed(after(*[Unknown("cut")] * 5)) == 0


def test_rejected_messages_open_no_breaker() -> None:
    assert after(*[Reject("no")] * 9) == STATE


@pytest.mark.parametrize("refused", [Reject("no"), Retry("answered 422", about=About.MESSAGE)])
def test_a_refused_message_never_opens_a_breaker_and_closes_one(refused: SendError) -> None:
    assert after(*[refused] * 9) == STATE
    assert after(*[FAIL] * 4, refused, *[FAIL] * 4).probe_at is None
    assert after(refused, state=OPEN) == STATE


def test_one_probe_goes_at_a_time() -> None:
    assert allowed(OPEN, now=later(4.9)) == 0
    assert allowed(OPEN, now=later(5)) == 1
    assert allowed(OPEN, now=later(5), in_flight=1) == 0


def test_probes_grow_rarer_up_to_five_minutes() -> None:
    state, now, waits = OPEN, NOW, []
    for _ in range(9):
        opens_at = throttle.opens_at(DESTINATION, state, now)
        assert opens_at is not None
        waits.append((opens_at - now).total_seconds())
        now = opens_at
        assert allowed(state, now=now) == 1
        state = throttle.after_claim(DESTINATION, state, 1, now)
        assert allowed(state, now=now) == 0
        state = after(FAIL, state=state, now=now + timedelta(seconds=1))

    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_success_closes_the_breaker() -> None:
    state = throttle.after_success(throttle.after_claim(DESTINATION, OPEN, 1, later(5)))

    assert allowed(state, now=later(6)) == 4
    assert (state.failures, state.probe_at, state.probes) == (0, None, 0)


def test_failures_that_come_back_late_do_not_put_the_probe_off() -> None:
    assert after(FAIL, FAIL, state=OPEN, now=later(20)).probe_at == OPEN.probe_at


def test_claiming_nothing_changes_nothing() -> None:
    assert throttle.after_claim(DESTINATION, OPEN, 0, later(40)) == OPEN


# -- pause and rest -------------------------------------------------------------------------------


def test_a_pause_lasts_until_somebody_resumes() -> None:
    state = after(Pause("invalid_auth"))

    assert (state.paused_at, state.paused_reason) == (NOW, "invalid_auth")
    assert allowed(state, now=later(10**8)) == 0
    assert throttle.opens_at(DESTINATION, state, NOW) is None


def test_a_part_that_is_lacking_pauses_nothing_and_closes_the_breaker() -> None:
    lacking = Pause("there is no table", needs=["users"])

    assert after(lacking) == STATE
    assert after(lacking, state=OPEN) == STATE


def throttled(seconds: float | None) -> Retry:
    return Retry("429", after_seconds=seconds, throttled=True)


@pytest.mark.parametrize(("asked", "seconds"), [(90.0, 90.0), (None, 30.0), (10.0**9, 86400.0), (1.5, 1.5)])
def test_a_throttled_answer_holds_the_destination_and_does_not_count(
    asked: float | None, seconds: float
) -> None:
    state = after(*[throttled(asked)] * 9)

    assert (state.failures, state.probe_at) == (0, None)
    assert allowed(state, now=later(seconds - 0.1)) == 0
    assert allowed(state, now=later(seconds)) == 4


def rests(asked: float | None, times: int, state: DestinationState = STATE) -> list[float]:
    """The rests of a destination that answers 429 as soon as it is sent to again."""
    now, seconds = NOW, []
    for _ in range(times):
        state = after(throttled(asked), state=state, now=now)
        assert state.throttled_until is not None
        seconds.append((state.throttled_until - now).total_seconds())
        now = state.throttled_until
    return seconds


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (None, [30, 60, 120, 240, 300, 300]),
        (0.0, [0] * 9 + [30, 60, 120, 240, 300, 300]),
        (50.0, [50] * 9 + [50, 60, 120, 240, 300, 300]),
        (600.0, [600] * 15),
    ],
)
def test_a_destination_that_throttles_again_and_again_rests_longer(
    asked: float | None, seconds: list[float]
) -> None:
    assert rests(asked, len(seconds)) == seconds


@pytest.mark.parametrize("other", [FAIL, Reject("no"), Retry("422", about=About.MESSAGE)])
def test_any_other_answer_begins_the_count_of_throttled_ones_anew(other: SendError) -> None:
    state = after(other, state=after(throttled(None)), now=later(30))

    assert state.throttled_count == 0
    assert throttle.after_success(after(throttled(None))).throttled_count == 0


def test_the_longest_rest_counts() -> None:
    state = after(throttled(90), throttled(5))

    assert (state.throttled_until, state.throttled_count) == (later(90), 1)


# -- rate limit -----------------------------------------------------------------------------------


def sent_at(limit: RateLimit, seconds: float, *, step: float, at_once: int = 100) -> list[float]:
    """Return the times at which messages go where a worker claims as it may, every `step` seconds."""
    config = replace(DESTINATION, concurrency=at_once, rate_limit=limit)
    state, sent, elapsed = STATE, [], 0.0
    while elapsed < seconds:
        count = allowed(state, now=later(elapsed), config=config, slots=at_once)
        state = throttle.after_claim(config, state, count, later(elapsed))
        sent += [elapsed] * count
        elapsed += step
    return sent


@pytest.mark.parametrize(
    ("limit", "step", "slack"),
    [
        (RateLimit(count=1, seconds=1), 0.001, 1),
        (RateLimit(count=50, seconds=1), 0.005, 2),
        (RateLimit(count=1000, seconds=1), 0.007, 21),
        (RateLimit(count=30, seconds=60), 0.05, 1),
        (RateLimit(count=10, seconds=1, burst=5), 0.01, 5),
        (RateLimit(count=100, seconds=3600), 1.0, 1),
    ],
)
def test_no_window_has_more_than_the_limit_and_its_burst(limit: RateLimit, step: float, slack: int) -> None:
    sent = sent_at(limit, limit.seconds * 4, step=step)
    windows = [sum(1 for moment in sent if start <= moment < start + limit.seconds) for start in sent]

    assert max(windows) <= limit.count + slack
    # And it is reached: whoever is a little late makes up for it.
    assert len(sent) >= 4 * limit.count * 0.95


def test_messages_are_spread_evenly() -> None:
    sent = sent_at(RateLimit(count=10, seconds=1), 3, step=0.001)
    gaps = [second - first for first, second in pairwise(sent)]

    assert min(gaps) >= 0.079
    assert sum(gaps) / len(gaps) == pytest.approx(0.1, rel=0.05)


def test_a_rest_saves_up_the_burst_and_no_more() -> None:
    config = replace(DESTINATION, concurrency=100, rate_limit=RateLimit(count=10, seconds=1, burst=5))

    assert allowed(STATE, config=config) == 5
    used = throttle.after_claim(config, STATE, 5, NOW)
    assert allowed(used, config=config) == 0
    assert allowed(used, config=config, now=later(0.25)) == 2
    assert allowed(used, config=config, now=later(3600)) == 5


def test_a_limit_says_when_the_next_may_go() -> None:
    config = replace(DESTINATION, rate_limit=RateLimit(count=1, seconds=1))
    state = throttle.after_claim(config, STATE, 1, NOW)
    opens_at = throttle.opens_at(config, state, NOW)

    assert opens_at is not None
    assert later(0.97) <= opens_at <= later(1)
    assert allowed(state, config=config, now=opens_at) == 1


# -- clocks ---------------------------------------------------------------------------------------

AHEAD = later(86400 * 2)
LIMITED = replace(DESTINATION, rate_limit=RateLimit(count=60, seconds=60, burst=10))


@pytest.mark.parametrize(
    ("name", "longest"), [("rate_limited_until", 10.0), ("probe_at", 300.0), ("throttled_until", 86400.0)]
)
def test_a_moment_further_ahead_than_it_can_be_counts_as_now(name: str, longest: float) -> None:
    possible = replace(STATE, **{name: later(longest)})
    impossible = replace(STATE, **{name: later(longest + 1)})

    assert throttle.believed(LIMITED, possible, NOW) == possible
    assert getattr(throttle.believed(LIMITED, impossible, NOW), name) == NOW
    assert allowed(throttle.believed(LIMITED, replace(STATE, **{name: AHEAD}), NOW), config=LIMITED) > 0


def test_a_destination_that_is_as_far_ahead_as_it_can_be_is_believed() -> None:
    state, sent = STATE, 0
    while count := allowed(state, config=replace(LIMITED, concurrency=100)):
        state = throttle.after_claim(LIMITED, state, count, NOW)
        sent += count

    assert sent == 10
    assert throttle.believed(LIMITED, state, NOW) == state


# -- the words of failures ------------------------------------------------------------------------


def test_failures_in_a_row_have_the_time_of_the_first_and_the_words_of_the_last() -> None:
    first = after(Retry("did not answer within 10 s"))
    state = after(Retry("answered 500", answer="on fire"), state=first, now=later(60))

    assert (first.failing_since, first.last_answer) == (NOW, None)
    assert (state.failing_since, state.last_error, state.last_answer) == (NOW, "answered 500", "on fire")
    assert throttle.after_success(state) == STATE


def test_what_is_no_failure_of_the_endpoint_leaves_no_words() -> None:
    for error in (Pause("no"), Reject("gone"), Retry("answered 422", about=About.MESSAGE)):
        state = after(error)

        assert (state.failing_since, state.last_error) == (None, None)
