"""The due time of the next attempt, and the settlement of each outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import given
import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from hub.delivery import retry
from hub.errors import Pause, Reject, Retry, SendError, Unknown
from hub.model.delivery import Claim, Outcome, Receipt, Settlement, State
from hub.model.destination import OnUnknown
from hub.model.routing import Send

DEFAULT = (5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 36000.0)
DESTINATION = given.destination(retry_seconds=DEFAULT)
CLAIM = Claim(
    id="dlv_1",
    token="t",
    event=given.event(),
    route="r",
    destination="log",
    send=Send(to="log"),
    attempts=9,
    tries=1,
    message={"text": "x"},
    degraded=None,
    accepted=("a@example.com",),
)


def wait(tries: int, *, after: float | None = None, chance: float = 0.5) -> float | None:
    due_at = retry.next_attempt(DEFAULT, tries, given.NOON, after_seconds=after, chance=chance)
    return None if due_at is None else (due_at - given.NOON).total_seconds()


def after(error: SendError, *, tries: int = 1, on_unknown: OnUnknown = OnUnknown.RESEND) -> Settlement:
    claim, place = replace(CLAIM, tries=tries), replace(DESTINATION, on_unknown=on_unknown)
    return retry.after_error(claim, error, place, now=given.NOON, chance=0.5, seconds=0.1)


def test_the_schedule_is_followed_and_then_it_is_over() -> None:
    assert [wait(tries) for tries in range(1, 9)] == [*DEFAULT, None]


@for_any(st.integers(1, 7), st.floats(0, 1))
def test_jitter_stays_within_a_fifth(tries: int, chance: float) -> None:
    seconds = wait(tries, chance=chance)

    assert seconds is not None
    assert DEFAULT[tries - 1] * 0.8 - 1e-6 <= seconds <= DEFAULT[tries - 1] * 1.2 + 1e-6


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 4.0), (0.5, 5.0), (1.0, 6.0)])
def test_jitter_goes_both_ways(chance: float, seconds: float) -> None:
    assert wait(1, chance=chance) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("tries", "asked", "seconds"),
    [(1, 60, 60), (1, 1, 5), (2, 60, 300), (1, 0, 5), (1, 86400, 86400), (1, 10**9, 86400)],
)
def test_never_sooner_than_retry_after_up_to_a_day(tries: int, asked: float, seconds: float) -> None:
    assert wait(tries, after=asked) == seconds


def test_a_retry_waits_as_the_schedule_and_the_answer_say() -> None:
    settled = after(Retry("answered 503", status=503, after_seconds=90))

    assert (settled.state, settled.reason, settled.outcome) == (State.PENDING, "answered 503", Outcome.FAILED)
    assert (settled.status, settled.detail, settled.seconds) == (503, "answered 503", 0.1)
    assert settled.due_at == given.NOON + timedelta(seconds=90)
    assert settled.tries == 1


def test_after_the_last_attempt_it_is_dead_and_says_so() -> None:
    settled = after(Retry("answered 500"), tries=8)

    assert (settled.state, settled.due_at) == (State.DEAD, None)
    assert settled.reason == "answered 500 (attempt 8 of 8, the last)"


@pytest.mark.parametrize("error", [Retry("answered 429", throttled=True), Pause("invalid_auth")])
def test_waiting_for_the_destination_uses_no_attempt_of_the_schedule(error: SendError) -> None:
    settled = after(error, tries=8)

    assert (settled.state, settled.tries, settled.due_at) == (State.PENDING, 7, given.NOON)


def test_waiting_for_a_part_of_the_destination_has_no_due_time_and_uses_no_attempt() -> None:
    settled = after(Pause("there is no table", needs=["users", "roles"]), tries=8)

    assert (settled.state, settled.tries, settled.due_at) == (State.PENDING, 7, None)
    assert settled.needs == tuple(f"{settled.claim.destination}/{part}" for part in ("roles", "users"))


def test_a_rejected_message_is_dead_at_once() -> None:
    settled = after(Reject("invalid_blocks", status=400))

    assert (settled.state, settled.reason, settled.outcome) == (State.DEAD, "invalid_blocks", Outcome.FAILED)
    assert settled.due_at is None


@pytest.mark.parametrize(
    ("on_unknown", "tries", "state"),
    [
        (OnUnknown.RESEND, 1, State.PENDING),
        (OnUnknown.RESEND, 8, State.DEAD),
        (OnUnknown.HOLD, 1, State.HELD),
        (OnUnknown.HOLD, 8, State.HELD),
    ],
)
def test_an_unknown_outcome_is_resent_or_held(on_unknown: OnUnknown, tries: int, state: State) -> None:
    settled = after(Unknown("cut"), tries=tries, on_unknown=on_unknown)

    assert (settled.state, settled.outcome) == (state, Outcome.UNKNOWN)
    assert (settled.due_at is not None) == (state is State.PENDING)


def test_holding_is_for_unknown_outcomes_alone() -> None:
    assert after(Retry("503"), on_unknown=OnUnknown.HOLD).state is State.PENDING


def test_who_has_it_is_remembered_once() -> None:
    settled = after(Retry("450", accepted=("b@example.com", "a@example.com")))
    settlement = retry.after_receipt(CLAIM, Receipt(detail="ok", accepted=("c@example.com",)), 1.5)

    assert settled.accepted == ("a@example.com", "b@example.com")
    assert settlement.accepted == ("a@example.com", "c@example.com")
    assert retry.not_begun(CLAIM, "no").accepted == CLAIM.accepted
    assert retry.not_begun(CLAIM, None).accepted == CLAIM.accepted


def test_a_receipt_delivers() -> None:
    settled = retry.after_receipt(CLAIM, Receipt(detail="ok", status=200), 1.5)

    assert (settled.state, settled.outcome, settled.reason) == (State.DELIVERED, Outcome.DELIVERED, None)
    assert (settled.detail, settled.status, settled.seconds) == ("ok", 200, 1.5)


def test_without_an_attempt_there_is_no_outcome() -> None:
    dead, back = retry.not_begun(CLAIM, "template failed"), retry.not_begun(CLAIM, None)

    assert (dead.state, dead.reason, dead.outcome) == (State.DEAD, "template failed", None)
    assert (back.state, back.due_at, back.outcome, back.tries) == (State.PENDING, None, None, CLAIM.tries - 1)


def test_the_start_of_an_answer_is_kept_on_one_line() -> None:
    settlement = retry.after_receipt(CLAIM, Receipt(detail="ok", answer=' {"id":\r\n 7}\x1b[31m'), 1.5)
    settled = after(Reject("no", answer="x\u202ey" + "z" * 600))

    assert settlement.answer == '{"id": 7} [31m'
    assert settled.answer == "x y" + "z" * 496 + "…"


def test_a_word_of_an_answer_is_kept_as_it_is() -> None:
    assert retry.after_receipt(CLAIM, Receipt(detail="ok", answer="ok"), 1.5).answer == "ok"
    assert after(Unknown("no answer")).answer == ""
