"""The top of the status page: trouble before tasks, and nothing where all is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hub.health.assess import Area
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.web.overview import Tone, overview

PAUSED = Finding(
    code=FindingCode.PAUSED,
    severity=FindingSeverity.BAD,
    subject="crm",
    headline="crm is paused",
    reason="invalid_auth",
    count=3,
    cure="put that right, then: hub resume crm",
)
DEAD = Finding(
    code=FindingCode.DEAD,
    severity=FindingSeverity.WATCH,
    subject="crm",
    headline="2 deliveries to crm died",
    count=2,
    cure="see why",
)
NOT_CONFIGURED = Finding(
    code=FindingCode.NOT_CONFIGURED,
    severity=FindingSeverity.NOTE,
    subject="mail",
    headline="mail is not configured",
    cure="set SMTP_URL where the hub runs",
)
WARNING = Finding(
    code=FindingCode.CONFIGURATION,
    severity=FindingSeverity.NOTE,
    headline="routes.yaml:1:1: warning[unused-destination]: no route sends to crm",
)


def found(**areas: list[Finding]) -> Mapping[Area, list[Finding]]:
    return {Area(name): findings for name, findings in areas.items()}


def test_all_is_right() -> None:
    whole = overview(found(destinations=[], worker=[]))

    assert (whole.tone, whole.headline, whole.notes) == (Tone.GOOD, "Everything is all right", ())


def test_what_is_to_be_set_up_is_no_trouble_and_warnings_are_one_note() -> None:
    whole = overview(found(configuration=[WARNING, WARNING], destinations=[NOT_CONFIGURED]))

    assert (whole.tone, whole.headline) == (Tone.TASK, "All right so far, 2 things left to set up")
    assert [note.title for note in whole.notes] == [
        "mail is not configured",
        "2 warnings in the configuration",
    ]


def test_trouble_comes_first_with_a_link_to_where_it_is_put_right() -> None:
    whole = overview(found(destinations=[NOT_CONFIGURED, PAUSED], deliveries=[DEAD]))

    assert (whole.tone, whole.headline) == (Tone.TROUBLE, "2 things need you")
    assert [(note.title, note.text, note.endpoint, dict(note.values)) for note in whole.notes] == [
        (
            "crm is paused",
            "invalid_auth. 3 deliveries wait. Put that right, then: hub resume crm.",
            "pages.destination",
            {"name": "crm"},
        ),
        (
            "2 deliveries to crm died",
            "See why.",
            "pages.deliveries",
            {"state": "dead", "destination": "crm"},
        ),
        ("mail is not configured", "Set SMTP_URL where the hub runs.", "pages.destination", {"name": "mail"}),
    ]


def test_a_source_to_connect_counts_without_a_note() -> None:
    whole = overview(found(sources=[replace(NOT_CONFIGURED, subject="clerk")]))

    assert (whole.tone, whole.headline) == (Tone.TASK, "All right so far, 1 thing left to set up")
    assert whole.notes == ()
