"""Acts in words: a dialog says before what an act will do and to whom, an answer says what it did."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.operator import LEFT_OUT, Forecast, Refused, Share, Target
from hub.web.act_words import Place, Tally, Verb, answer_of, dialog_of, outsiders

CRM, GROWTH = Target(destination="crm"), Target(destination="growth")
OUTSIDE = Target(destination="mail", is_outside=True)
PLACES = {
    CRM: Place(label="crm"),
    GROWTH: Place(label="#growth"),
    OUTSIDE: Place(label="mail", detail="jane@example.com"),
}
TOO_OLD = "it cannot be retried: too old: it was 12 min old and may be 10"


def forecast(*refused: Refused, **counts: int) -> Forecast:
    targets = {"crm": CRM, "growth": GROWTH, "mail": OUTSIDE}
    shares = tuple(
        Share(target=targets[name], count=count, examples=("dlv_1",)) for name, count in counts.items()
    )
    return Forecast(shares=shares, refused=refused, count=sum(counts.values()))


@pytest.mark.parametrize(
    ("act", "would", "title", "will"),
    [
        ("retry", forecast(crm=1), "Retry 1 message", "Sends 1 message again to crm."),
        (
            "retry",
            forecast(growth=1, crm=1, mail=1),
            "Retry 3 messages",
            "Sends 3 messages again: #growth, crm, and one to jane@example.com.",
        ),
        (
            "retry",
            forecast(crm=1200, mail=2),
            "Retry 1,202 messages",
            "Sends 1,202 messages again: 1,200 to crm and 2 to jane@example.com.",
        ),
        ("cancel", forecast(mail=1), "Cancel 1 message", "Cancels 1 message to jane@example.com."),
        (
            "cancel",
            forecast(crm=2, growth=1),
            "Cancel 3 messages",
            "Cancels 3 messages: 2 to crm and #growth.",
        ),
        (
            "resolve",
            forecast(crm=8),
            "8 messages may have arrived",
            "They went out to crm and no answer came. Look for them there, then say which it is.",
        ),
        (
            "resolve",
            forecast(crm=1),
            "1 message may have arrived",
            "It went out to crm and no answer came. Look for it there, then say which it is.",
        ),
    ],
)
def test_a_dialog_says_what_will_go_where(act: str, would: Forecast, title: str, will: str) -> None:
    dialog = dialog_of(act, would, PLACES, would.count)

    assert (dialog.title, dialog.will, dialog.refusals) == (title, will, ())


def test_a_replay_counts_events_and_their_new_messages() -> None:
    would = Forecast(shares=forecast(crm=2, growth=1).shares, refused=(), count=2)
    dialog = dialog_of("replay", would, PLACES, 2)

    assert (dialog.title, dialog.will) == (
        "Replay 2 events",
        "Sends 3 new messages of 2 events: 2 to crm and #growth.",
    )


@pytest.mark.parametrize(
    ("act", "ticked"),
    [
        ("retry", [True, False]),
        ("replay", [True, False]),
        ("cancel", [True, True]),
        ("resolve", [True, True]),
    ],
)
def test_what_sends_to_people_outside_is_not_ticked(act: str, ticked: list[bool]) -> None:
    dialog = dialog_of(act, forecast(crm=1, mail=1), PLACES, 2)

    assert [choice.is_ticked for choice in dialog.choices] == ticked


def test_what_cannot_be_done_is_told_with_its_reason_and_a_seventh_is_counted() -> None:
    refused = [
        Refused(destination="mail", why=TOO_OLD, count=2),
        Refused(destination="", why="there is no delivery dlv_0"),
        *(Refused(destination="crm", why=f"reason {number}") for number in range(6)),
    ]
    dialog = dialog_of("retry", forecast(*refused, crm=1), PLACES, 10)
    nothing = dialog_of("retry", forecast(*refused[:1]), PLACES, 2)

    assert dialog.will == "Sends 1 message again to crm. 9 messages of the 10 cannot be: see below."
    assert dialog.refusals[:3] == (
        "2 to mail: too old: it was 12 min old and may be 10.",
        "1: there is no delivery dlv_0.",
        "1 to crm: reason 0.",
    )
    assert dialog.refusals[6:] == ("2 more, for other reasons.",)
    assert (nothing.will, nothing.choices) == ("Nothing of it can be done.", ())


@pytest.mark.parametrize(
    ("addresses", "count", "words"),
    [
        ([], 1, ""),
        (["jane@example.com"], 1, "jane@example.com"),
        (["a@b.example", "a@b.example"], 2, "a@b.example"),
        (["a@b.example", "c@d.example"], 2, "a@b.example and c@d.example"),
        (["a@b.example", "c@d.example"], 9, "a@b.example, c@d.example and 7 more"),
    ],
)
def test_people_outside_are_named(addresses: list[str], count: int, words: str) -> None:
    share = Share(target=OUTSIDE, count=count, examples=("dlv_1", "dlv_2")[:count])

    assert outsiders(addresses, share) == words


PAUSED = "alerts is paused (invalid_auth); sent once it is resumed"
DELIVERED = "it cannot be retried: it was delivered; replay its event to send it again"
MANY = (
    "Nothing was done. 10 were not: reason 0. 9 were not: reason 1. 8 were not: reason 2. "
    "7 were not: reason 3. 6 were not: reason 4. 5 were not: reason 5. 7 more were not, for other reasons."
)


@pytest.mark.parametrize(
    ("verb", "tally", "waits", "answer"),
    [
        (Verb.RETRY, Tally(changed=1, deliveries={"crm": 1}), {}, "1 will be sent now."),
        (
            Verb.RETRY,
            Tally(changed=5, deliveries={"crm": 3, "alerts": 2}, skipped={DELIVERED: 1}),
            {"alerts": (2, PAUSED)},
            f"3 will be sent now. 2 wait: {PAUSED}. 1 was not: {DELIVERED.partition(': ')[2]}.",
        ),
        (
            Verb.RESEND,
            Tally(changed=1, deliveries={"alerts": 1}, skipped={LEFT_OUT: 2}),
            {"alerts": (1, PAUSED)},
            f"1 waits: {PAUSED}. 2 were left out, as you chose.",
        ),
        (Verb.REPLAY, Tally(changed=1, deliveries={"crm": 1}), {}, "1 new message will be sent now."),
        (Verb.REPLAY, Tally(changed=1, deliveries={"crm": 2}), {}, "2 new messages will be sent now."),
        (
            Verb.CANCEL,
            Tally(changed=3, deliveries={"crm": 3}),
            {},
            "3 are canceled and will not be sent.",
        ),
        (Verb.ARRIVED, Tally(changed=12, deliveries={"crm": 12}), {}, "12 are marked as arrived."),
        (
            Verb.RETRY,
            Tally(skipped={"it was dead and is pending by now": 2}),
            {},
            "Nothing was done. 2 were not: it was dead and is pending by now.",
        ),
        (
            Verb.CANCEL,
            Tally(skipped={f"reason {number}": 10 - number for number in range(8)}),
            {},
            MANY,
        ),
    ],
)
def test_an_answer_says_what_changed_and_what_did_not_and_why(
    verb: Verb, tally: Tally, waits: dict[str, tuple[int, str]], answer: str
) -> None:
    assert answer_of(verb, tally, waits) == answer


def test_an_answer_says_that_more_is_found_than_one_act_takes() -> None:
    words = answer_of(Verb.CANCEL, Tally(changed=1, deliveries={"crm": 1}), {}, is_cut=True)

    assert words.endswith(" More are found: one act takes 10,000, so do it again for the rest.")


def test_of_what_is_decided_already_no_dialog_says_that_it_may_have_arrived() -> None:
    gone = Refused(destination="crm", why="only held deliveries are resolved; it is delivered", count=2)
    none = dialog_of("resolve", Forecast(shares=(), refused=(gone,), count=0), {}, 2)
    some = dialog_of("resolve", replace(forecast(crm=1), refused=(gone,)), PLACES, 3)

    assert (none.title, none.will) == ("Resolve 2 messages", "Nothing of it can be done.")
    assert some.title == "1 message may have arrived"
