"""The doctor's report has a line for each finding, and a good one for each area without."""

from __future__ import annotations

from dataclasses import replace

import given
import pytest
from given_health import POSTGRES, SQLITE, WELL, with_counts, with_files, with_state

from hub.errors import StoreError
from hub.health.doctor import CheckResult, Level, examine
from hub.health.facts import Facts, FileFacts
from hub.model.delivery import State
from hub.model.problem import Problem, Severity
from hub.model.stats import DatabaseStatus

CONNECTIONS = "4 of 20 connections in use; this hub takes up to 9"
UNUSED = Problem(
    file="routes.yaml",
    line=1,
    column=1,
    severity=Severity.WARNING,
    code="unused-destination",
    message="no route sends to crm",
)


def results(facts: Facts) -> list[CheckResult]:
    return list(examine(facts, "routes.yaml"))


@pytest.mark.parametrize(
    ("database", "lines"),
    [
        (
            SQLITE,
            [
                ("database", "SQLite 3, its schema up to date, its file in order"),
                ("disk", "50 GiB free of 100 GiB; the database takes 1.0 GiB"),
                ("clock", "nothing in the store is in the future"),
            ],
        ),
        (
            POSTGRES,
            [
                ("database", f"PostgreSQL 16, its schema up to date; {CONNECTIONS}"),
                (
                    "clock",
                    "this machine's agrees with the database's; nothing in the store is in the future",
                ),
            ],
        ),
    ],
)
def test_all_is_right(database: DatabaseStatus, lines: list[tuple[str, str]]) -> None:
    report = results(replace(WELL, database=database))

    assert {result.level for result in report} == {Level.GOOD}
    assert [(result.check, result.text) for result in report] == [
        ("configuration", "routes.yaml has 1 route, 2 destinations"),
        ("sources", "clerk: every signing secret is set"),
        *lines,
        ("worker", "gave its last sign of life 4 s ago"),
        ("destinations", "log, crm: all accept"),
        ("deliveries", "none is stuck"),
        ("accounts", "5 owed = 2 delivered + 0 dead + 0 held + 0 cancelled + 3 pending + 0 sending"),
    ]


@pytest.mark.parametrize(
    ("facts", "check", "level", "text", "advice"),
    [
        (
            with_state(paused_at=given.NOON, paused_reason="invalid_auth"),
            "destinations",
            Level.PROBLEM,
            "crm is paused: invalid_auth, since 12:00, 1 s: 3 wait",
            "resume it once it may go on: hub resume crm",
        ),
        (
            with_counts({("crm", State.DEAD): 2}),
            "deliveries",
            Level.WARNING,
            "2 messages to crm will not be tried again",
            "mend the cause, then retry them: hub retry --state dead --destination crm",
        ),
    ],
)
def test_a_finding_takes_the_place_of_the_good_line(
    facts: Facts, check: str, level: Level, text: str, advice: str
) -> None:
    (result,) = [result for result in results(facts) if result.check == check]

    assert (result.level, result.text, result.advice) == (level, text, advice)


def test_destinations_that_are_switched_off_are_not_said_to_accept() -> None:
    off = {name: replace(config, enabled=name != "crm") for name, config in WELL.config.destinations.items()}
    calm = with_counts({})
    report = results(replace(calm, files=FileFacts(config=replace(WELL.config, destinations=off))))

    assert [result.text for result in report if result.check == "destinations"] == [
        "log: all accept; switched off: crm"
    ]


def test_a_configuration_with_warnings_is_good_all_the_same() -> None:
    report = results(with_files(problems=(UNUSED,)))

    assert [(result.level, result.text) for result in report if result.check == "configuration"] == [
        (Level.WARNING, "routes.yaml:1:1: warning[unused-destination]: no route sends to crm"),
        (Level.GOOD, "routes.yaml has 1 route, 2 destinations"),
    ]


def test_where_the_store_does_not_answer_nothing_is_said_of_it() -> None:
    report = results(
        Facts(
            now=given.NOON,
            files=FileFacts(config=None),
            error=StoreError("the database refuses", reason="no"),
        )
    )

    assert [(result.check, result.level, result.text) for result in report] == [
        ("database", Level.PROBLEM, "The database refuses: no")
    ]
