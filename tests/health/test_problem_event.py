"""The words of a `hub.problem`: all that a person needs to act, and the same for machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from given_health import NOW, WELL, with_counts, with_store

from hub import catalog
from hub.health.alerts import Notice
from hub.health.problem_event import Particulars, problem_data
from hub.ingest.fanout import hub_event
from hub.model.alert import Alert, AlertKind
from hub.model.delivery import State
from hub.model.destination import DestinationState
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.model.summary import Summary, Tone


def alert(kind: AlertKind, subject: str, **values: Any) -> Alert:
    return Alert(**{"kind": kind, "subject": subject, "since": NOW - timedelta(minutes=1), **values})


def paused_notice(name: str, reason: str) -> Notice:
    finding = Finding(
        code=FindingCode.PAUSED,
        severity=FindingSeverity.BAD,
        subject=name,
        headline=f"{name} is paused",
        reason=reason,
        cure="put that right, then resume",
    )
    return Notice(alert=alert(AlertKind.PAUSED, name), finding=finding)


def test_a_message_has_the_problem_its_beginning_its_reason_and_its_cure() -> None:
    counts = {("crm", State.PENDING): 3, ("team", State.DEAD): 2}
    over = Notice(alert=alert(AlertKind.DIED, "team", since=None), finding=None)
    data = problem_data(
        [paused_notice("crm", "invalid_auth"), over],
        with_counts(counts),
        "https://hub.example.com",
        Particulars(),
    )

    assert data["headline"] == "crm is paused; team works again"
    assert [(line["label"], line["text"]) for line in data["lines"]] == [
        ("Problem", "crm is paused, since 2026-05-04 11:59 UTC; 3 deliveries wait"),
        ("Reason", "invalid_auth"),
        ("To do", "Put that right, then resume: hub resume crm"),
        ("Over", "team works again"),
        ("To do", "2 dead letters are left: hub retry --state dead --destination team"),
        ("Page", "https://hub.example.com"),
    ]


def test_a_message_has_its_findings_as_the_api_has_them() -> None:
    counts = {("crm", State.PENDING): 3, ("team", State.DEAD): 1}
    over = alert(AlertKind.REFUSED, "team", since=None, reason="410 Gone", count=4)
    notices = [
        paused_notice("crm", "invalid_auth"),
        Notice(alert=over, finding=None, began=NOW - timedelta(minutes=34)),
    ]

    assert problem_data(notices, with_counts(counts), "", Particulars(sent={"team": 82}))["findings"] == [
        {
            "code": "paused",
            "severity": "bad",
            "subject": "crm",
            "headline": "crm is paused",
            "reason": "invalid_auth",
            "since": "2026-05-04T11:59:00+00:00",
            "count": 3,
            "cure": "put that right, then resume",
            "command": "hub resume crm",
        },
        {
            "code": "dead",
            "severity": "note",
            "subject": "team",
            "headline": "No delivery to team is dead any more",
            "reason": "410 Gone",
            "since": None,
            "count": None,
            "cure": "1 dead letter is left: hub retry --state dead --destination team",
            "over": True,
            "lasted_seconds": 2040,
            "sent": 82,
        },
    ]


def test_a_failing_destination_has_its_last_answer_and_its_next_try() -> None:
    state = DestinationState(
        name="crm",
        failures=6,
        probe_at=NOW + timedelta(minutes=1),
        last_error="answered 500 Internal Server Error",
        last_answer="on fire",
    )
    facts = with_store(states={"crm": state}, counts={("crm", State.PENDING): 82})
    finding = Finding(
        code=FindingCode.FAILING, severity=FindingSeverity.BAD, subject="crm", headline="crm is failing"
    )
    notice = Notice(alert=alert(AlertKind.FAILING, "crm"), finding=finding)
    (data,) = problem_data([notice], facts, "", Particulars())["findings"]

    assert (data["count"], data["last_error"], data["last_answer"], data["next_try"]) == (
        82,
        "answered 500 Internal Server Error",
        "on fire",
        "2026-05-04T12:01:00+00:00",
    )


def test_two_ends_of_one_trouble_are_one() -> None:
    notices = [
        Notice(alert=alert(kind, "crm", since=None), finding=None)
        for kind in (AlertKind.FAILING, AlertKind.DIED)
    ]

    assert summary_of(notices, WELL).headline == "crm works again"


def test_a_problem_is_read_as_people_read_it() -> None:
    summary = summary_of([paused_notice("crm", "invalid_auth")], with_counts({("crm", State.PENDING): 3}))

    assert summary.headline == "crm is paused since 11:59"
    assert summary.tone is Tone.BAD
    assert summary.fields == (("Waiting", "3 deliveries"), ("Reason", "invalid_auth"))
    assert summary.details == "What to do: put that right, then resume: hub resume crm"


def summary_of(notices: Any, facts: Any) -> Summary:
    return catalog.summarise(hub_event(catalog.PROBLEM, problem_data(notices, facts, "", Particulars()), NOW))


def test_a_message_stays_short_whatever_happens() -> None:
    notices = [paused_notice(f"crm{number}", "x" * 5000) for number in range(50)]
    data = problem_data(notices, WELL, "https://hub.example.com", Particulars())

    assert len(data["lines"]) <= 20
    assert data["lines"][-2:] == [
        {"label": "And", "text": "44 more, on the status page"},
        {"label": "Page", "text": "https://hub.example.com"},
    ]
    assert all(len(line["text"]) < 200 for line in data["lines"])


def test_a_message_about_a_source_tells_nothing_of_a_destination_of_its_name() -> None:
    headline = "crm: 30 refused since 11:59, no signature fits KEY; the last accepted came 11:58 UTC"
    finding = Finding(
        code=FindingCode.REFUSED,
        severity=FindingSeverity.BAD,
        subject="crm",
        headline=headline,
        since=NOW - timedelta(minutes=1),
        cure="compare KEY with the signing secret",
    )
    refused = Notice(alert=alert(AlertKind.TURNED_AWAY, "crm"), finding=finding)
    over = Notice(alert=alert(AlertKind.SILENT, "crm", since=None), finding=None)
    counts = {("crm", State.PENDING): 3, ("crm", State.DEAD): 2}
    data = problem_data([refused, over], with_counts(counts), "", Particulars())

    assert [(line["label"], line["text"]) for line in data["lines"]] == [
        ("Problem", headline),
        ("To do", "Compare KEY with the signing secret"),
        ("Over", "crm sends again"),
    ]
