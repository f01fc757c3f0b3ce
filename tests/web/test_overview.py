"""The top of the status page: what needs somebody, the worst first, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import given
import pytest

from hub.health.assess import Area
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.web.first_steps import StepKind, headline, steps_of, trigger_command
from hub.web.overview import Note, NoteAct, Tone, notes_of, overview

NOW = given.NOON
BAD, WATCH, NOTE = FindingSeverity.BAD, FindingSeverity.WATCH, FindingSeverity.NOTE
CODE = FindingCode


def finding(
    code: FindingCode, severity: FindingSeverity = BAD, subject: str = "crm", **more: object
) -> Finding:
    given_ = {"headline": f"{subject} {code.value}", "count": 3}
    return Finding(code=code, severity=severity, subject=subject, **given_ | more)  # type: ignore[arg-type]


PAUSED = finding(CODE.PAUSED, subject="alerts", since=NOW - timedelta(minutes=34), cure="put a new token in")
FAILING = finding(CODE.FAILING, next_try=NOW + timedelta(seconds=44), reason='"on fire"')
HELD = finding(CODE.HELD, WATCH, "warehouse", reason="the request went out", count=8)
DEAD = finding(CODE.DEAD, WATCH)
UNSET = finding(
    CODE.NOT_CONFIGURED, NOTE, "mail", headline="mail is not configured", reason="SMTP_URL is not set"
)
WARNING = finding(
    CODE.CONFIGURATION, NOTE, "hub", headline="routes.yaml:1:1: warning[unused-destination]: no"
)


def judged(**areas: list[Finding]) -> Mapping[Area, list[Finding]]:
    return {Area(name): findings for name, findings in areas.items()}


def titles(notes: tuple[Note, ...]) -> list[str]:
    return [note.title for note in notes]


def test_all_is_well() -> None:
    whole = overview(judged(destinations=[], worker=[]), NOW)

    assert (whole.tone, whole.headline, whole.notes, whole.fold) == (Tone.GOOD, "All is well", (), "")


def test_what_is_to_be_set_up_is_folded_and_all_is_well() -> None:
    whole = overview(judged(configuration=[WARNING, WARNING], destinations=[UNSET]), NOW)

    assert (whole.tone, whole.headline, whole.notes) == (Tone.GOOD, "All is well", ())
    assert whole.fold == "2 smaller notes: mail is not configured (SMTP_URL) · 2 warnings in routes.yaml"
    assert titles(whole.folded) == [
        "mail is not configured · SMTP_URL is not set",
        "2 warnings in routes.yaml",
    ]


def test_the_worst_comes_first_and_more_than_four_are_folded() -> None:
    others = [finding(CODE.DEGRADED, WATCH, "team"), DEAD, HELD]
    whole = overview(judged(destinations=[UNSET, FAILING, PAUSED], deliveries=others), NOW)

    assert (whole.tone, whole.headline) == (Tone.TROUBLE, "5 things need you")
    assert titles(whole.notes) == ["crm failing", "alerts paused", "warehouse held", "crm dead"]
    assert whole.fold == "1 more and 1 smaller note: team degraded · mail is not configured (SMTP_URL)"


def test_what_stands_open_is_not_named_again_among_what_is_folded() -> None:
    failing = replace(FAILING, subject="warehouse", headline="warehouse does not answer")
    others = [finding(CODE.DEGRADED, WATCH, "team"), DEAD, HELD]
    whole = overview(judged(destinations=[UNSET, failing, PAUSED], deliveries=others), NOW)

    assert titles(whole.notes) == ["alerts paused", "warehouse held", "crm dead", "team degraded"]
    assert whole.fold == "1 smaller note: mail is not configured (SMTP_URL)"


def test_what_went_out_in_another_form_is_shown_for_the_time_that_was_counted() -> None:
    (note,) = notes_of([finding(CODE.DEGRADED, WATCH, count=5)], NOW)

    assert note.acts[0].values == {"degraded": "true", "since": "24h", "destination": "crm"}


def test_one_thing_needs_you() -> None:
    assert overview(judged(destinations=[PAUSED]), NOW).headline == "1 thing needs you"


def test_a_destination_that_holds_what_it_did_not_answer_is_one_thing_with_what_waits() -> None:
    failing = replace(FAILING, subject="warehouse", headline="warehouse does not answer", count=40)
    whole = overview(judged(destinations=[PAUSED, failing], deliveries=[DEAD, HELD]), NOW)

    assert whole.headline == "3 things need you"
    assert titles(whole.notes) == ["alerts paused", "warehouse held", "crm dead"]
    assert whole.notes[1].before == "The request went out · 40 wait, nothing is lost"
    assert whole.notes[1].next_try == failing.next_try


def test_a_note_has_since_when_and_the_next_try_between_its_reason_and_its_cure() -> None:
    paused, failing = notes_of([PAUSED, FAILING], NOW)

    assert (paused.since, paused.before, paused.next_try) == ("since 11:26, 34 min", "3 wait", None)
    assert paused.cure == "Put a new token in."
    assert failing.before == '"on fire" · 3 wait, nothing is lost'
    assert failing.next_try == NOW + timedelta(seconds=44)


@pytest.mark.parametrize(
    ("of", "labels"),
    [
        (FAILING, ["Open crm"]),
        (PAUSED, ["Resume", "Open alerts"]),
        (HELD, ["Decide 8"]),
        (UNSET, []),
        (finding(CODE.REFUSED, subject="clerk"), ["Open routes"]),
        (finding(CODE.DEGRADED, WATCH, count=5), ["Show 5"]),
        (finding(CODE.DEAD, WATCH, count=12), ["Retry 12…"]),
        (finding(CODE.NO_WORKER, subject="hub"), []),
        (finding(CODE.RELOAD_REFUSED, subject="hub"), ["Show"]),
        (finding(CODE.DISK, subject="hub"), []),
        (finding(CODE.SILENT, WATCH, "clerk"), []),
    ],
)
def test_a_note_has_the_act_that_cures(of: Finding, labels: list[str]) -> None:
    (note,) = notes_of([of], NOW)

    assert [act.label for act in note.acts] == labels


def test_an_act_of_the_hub_is_done_at_once_and_others_open_a_page() -> None:
    (note,) = notes_of([PAUSED], NOW)

    assert note.acts == (
        NoteAct(label="Resume", endpoint="actions.resume", values={"name": "alerts"}, posts=True),
        NoteAct(label="Open alerts", endpoint="pages.destination", values={"name": "alerts"}),
    )


@pytest.mark.parametrize(
    ("secrets", "asked", "has_event", "done", "words"),
    [
        ((), False, False, [], "4 steps to the first message"),
        ((), True, False, ["reach"], "3 steps to the first message"),
        (("whsec_x",), True, False, ["reach", "secret"], "2 steps to the first message"),
        (("whsec_x",), True, True, ["reach", "secret", "event"], "1 step to the first message"),
        (("whsec_x",), False, False, ["secret"], "3 steps to the first message"),
    ],
)
def test_a_step_is_ticked_once_it_was_seen(
    secrets: tuple[str, ...], asked: bool, has_event: bool, done: list[str], words: str
) -> None:
    config = given.config(sources=(given.source(secrets=secrets),))
    steps = steps_of(config, asked=asked, has_event=has_event)

    assert [step.kind for step in steps if step.done] == done
    assert [step.kind for step in steps if step.open] == [next(kind for kind in StepKind if kind not in done)]
    assert headline(steps) == words


@pytest.mark.parametrize(
    ("url", "command"),
    [
        ("http://127.0.0.1:8000", "hub trigger waitlistEntry.created"),
        ("http://127.0.0.1:8123", "hub trigger waitlistEntry.created --url http://127.0.0.1:8123"),
    ],
)
def test_a_sample_is_sent_by_the_command_as_it_is_printed(url: str, command: str) -> None:
    assert trigger_command(url) == command
