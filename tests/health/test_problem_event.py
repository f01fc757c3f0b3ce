"""The words of a `hub.problem`: all that a person needs to act, and the same for machines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from given_health import NOW, WELL, with_counts

from hub.health.alerts import Notice
from hub.health.problem_event import problem_data
from hub.model.alert import Alert, AlertKind
from hub.model.delivery import State
from hub.model.finding import Finding, FindingCode, FindingSeverity


def alert(kind: AlertKind, subject: str, **values: Any) -> Alert:
    return Alert(**{"kind": kind, "subject": subject, "since": NOW - timedelta(minutes=1), **values})


def paused_notice(name: str, reason: str) -> Notice:
    finding = Finding(
        code=FindingCode.PAUSED,
        severity=FindingSeverity.BAD,
        subject=name,
        headline=f"{name} is paused",
        reason=reason,
        cure=f"put that right, then: hub resume {name}",
    )
    return Notice(alert=alert(AlertKind.PAUSED, name), finding=finding)


def test_a_message_has_the_problem_its_beginning_its_reason_and_its_cure() -> None:
    counts = {("crm", State.PENDING): 3, ("team", State.DEAD): 2}
    over = Notice(alert=alert(AlertKind.DIED, "team", since=None), finding=None)
    data = problem_data(
        [paused_notice("crm", "invalid_auth"), over],
        with_counts(counts),
        "https://hub.example.com",
    )

    assert data["headline"] == "crm is paused; team accepts again"
    assert [(line["label"], line["text"]) for line in data["lines"]] == [
        ("Problem", "crm is paused, since 2026-05-04 11:59 UTC; 3 deliveries wait"),
        ("Reason", "invalid_auth"),
        ("To do", "Put that right, then: hub resume crm"),
        ("Over", "team accepts again"),
        ("To do", "2 dead letters are left: hub retry --state dead --destination team"),
        ("Page", "https://hub.example.com"),
    ]


def test_a_message_has_the_same_for_machines() -> None:
    over = alert(AlertKind.REFUSED, "team", since=None, reason="410 Gone", count=4)
    notices = [paused_notice("crm", "invalid_auth"), Notice(alert=over, finding=None)]

    assert problem_data(notices, WELL, "")["troubles"] == [
        {
            "kind": "paused",
            "subject": "crm",
            "over": False,
            "since": "2026-05-04T11:59:00+00:00",
            "count": 0,
            "reason": "invalid_auth",
        },
        {
            "kind": "refused",
            "subject": "team",
            "over": True,
            "since": None,
            "count": 4,
            "reason": "410 Gone",
        },
    ]


def test_a_message_stays_short_whatever_happens() -> None:
    notices = [paused_notice(f"crm{number}", "x" * 5000) for number in range(50)]
    data = problem_data(notices, WELL, "https://hub.example.com")

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
    data = problem_data([refused, over], with_counts(counts), "")

    assert [(line["label"], line["text"]) for line in data["lines"]] == [
        ("Problem", headline),
        ("To do", "Compare KEY with the signing secret"),
        ("Over", "crm sends again"),
    ]
