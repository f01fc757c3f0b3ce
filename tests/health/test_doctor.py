"""What the doctor says of what it found: a table of ailments, each with its level and its advice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest

from hub.health.doctor import Facts, Finding, Level, examine_files, examine_store
from hub.model.delivery import State
from hub.model.destination import DestinationState
from hub.model.problem import Problem, Severity
from hub.model.stats import Accounts, DatabaseStatus, Discrepancy, DiskSpace, Stats
from hub.settings import Settings

GIB = 1024**3
NOW = given.NOON
CONFIG = given.config(given.route(), destinations=(given.destination("log"), given.destination("crm")))
SETTINGS = Settings(web_processes=2, db_connections=3)
STATS = Stats(
    events=1,
    events_last_day=1,
    last_event_at=NOW,
    deliveries={("crm", State.DELIVERED): 2, ("crm", State.PENDING): 3},
    oldest_due={},
    worker_seen_at=NOW - timedelta(seconds=4),
    now=NOW,
)
ACCOUNTS = Accounts(
    owed=5, states={**dict.fromkeys(State, 0), State.DELIVERED: 2, State.PENDING: 3}, discrepancies=()
)
SQLITE = DatabaseStatus(name="SQLite 3", disk=DiskSpace(free=50 * GIB, total=100 * GIB, used=GIB))
POSTGRES = DatabaseStatus(name="PostgreSQL 16", connections=(4, 20), clock_ahead_seconds=0.1)
WELL = Facts(
    database=SQLITE,
    stats=STATS,
    states={},
    accounts=ACCOUNTS,
    abandoned=0,
    newest_at=NOW - timedelta(seconds=4),
)


def found(facts: Facts, config: Any = CONFIG) -> list[Finding]:
    return list(examine_store(facts, config, SETTINGS))


def ailing(facts: Facts) -> list[tuple[str, Level, str]]:
    return [(each.check, each.level, each.found) for each in found(facts) if each.level is not Level.GOOD]


@pytest.mark.parametrize("database", [SQLITE, POSTGRES])
def test_all_is_right(database: DatabaseStatus) -> None:
    findings = found(replace(WELL, database=database))

    assert {each.level for each in findings} == {Level.GOOD}
    assert (
        findings[-1].found == "5 owed = 2 delivered + 0 dead + 0 held + 0 cancelled + 3 pending + 0 sending"
    )


def with_state(**values: Any) -> Facts:
    return replace(WELL, states={"crm": DestinationState(name="crm", **values)})


def with_room(free: int, total: int, used: int = 0) -> Facts:
    return replace(WELL, database=replace(SQLITE, disk=DiskSpace(free=free, total=total, used=used)))


def on_postgres(**values: Any) -> Facts:
    return replace(WELL, database=replace(POSTGRES, **values))


def with_deliveries(*counts: tuple[str, State]) -> Facts:
    return replace(WELL, stats=replace(STATS, deliveries=dict.fromkeys(counts, 2)))


BAD, MIND = Level.PROBLEM, Level.WARNING

AILMENTS: list[tuple[Facts, str, Level, str]] = [
    (on_postgres(connections=(19, 20)), "database", MIND, "19 of 20 connections in use"),
    (on_postgres(connections=(1, 17)), "database", MIND, "this hub takes up to 9"),
    (on_postgres(connections=(1, 8)), "database", BAD, "this hub takes up to 9"),
    (on_postgres(problems=("it only reads",)), "database", BAD, "PostgreSQL 16: it only reads"),
    (with_room(GIB // 4, 100 * GIB), "disk", BAD, "256 MiB free of 100 GiB"),
    (with_room(GIB // 20, GIB), "disk", BAD, "51 MiB free of 1.0 GiB"),
    (with_room(3 * GIB, 100 * GIB, used=2 * GIB), "disk", MIND, "the database takes 2.0 GiB"),
    (on_postgres(clock_ahead_seconds=45.0), "clock", MIND, "this machine is 45 s behind the database"),
    (on_postgres(clock_ahead_seconds=-250.0), "clock", BAD, "this machine is 4 min ahead of"),
    (replace(WELL, newest_at=NOW + timedelta(seconds=90)), "clock", MIND, "1 min in the future"),
    (replace(WELL, newest_at=NOW + timedelta(hours=1)), "clock", BAD, "1 h in the future"),
    (replace(WELL, stats=replace(STATS, worker_seen_at=None)), "worker", BAD, "none is running"),
    (
        replace(WELL, stats=replace(STATS, worker_seen_at=NOW - timedelta(seconds=61))),
        "worker",
        BAD,
        "no sign of life for 1 min",
    ),
    (with_state(paused_at=NOW, paused_reason="invalid_auth"), "destinations", BAD, "crm is paused: invalid"),
    (with_state(probe_at=NOW, failures=7), "destinations", BAD, "crm is failing, 7 times in a row; 3 del"),
    (with_deliveries(("old", State.PENDING)), "destinations", BAD, "old is no longer in the configuration"),
    (replace(WELL, abandoned=2), "deliveries", BAD, "2 are still marked as being sent"),
    (with_deliveries(("crm", State.DEAD)), "deliveries", MIND, "2 are dead"),
    (with_deliveries(("crm", State.HELD)), "deliveries", MIND, "2 are held"),
    (replace(WELL, accounts=replace(ACCOUNTS, owed=6)), "accounts", BAD, "6 owed, but 5 = 2 delivered"),
    (
        replace(
            WELL,
            accounts=replace(
                ACCOUNTS, discrepancies=(Discrepancy(description="rows are odd", count=1, example="dlv_1"),)
            ),
        ),
        "accounts",
        BAD,
        "1 rows are odd, such as dlv_1",
    ),
]


@pytest.mark.parametrize(("facts", "check", "level", "said"), AILMENTS, ids=[each[3] for each in AILMENTS])
def test_an_ailment_is_said_once_with_what_to_do(facts: Facts, check: str, level: Level, said: str) -> None:
    findings = [each for each in found(facts) if each.level is not Level.GOOD]

    assert [(each.check, each.level) for each in findings] == [(check, level)]
    assert said in findings[0].found
    assert findings[0].advice or check == "clock"


def test_what_was_removed_but_is_owed_nothing_more_is_all_right() -> None:
    assert ailing(with_deliveries(("old", State.DELIVERED), ("old", State.CANCELLED))) == []


def test_what_is_not_configured_waits_and_is_no_problem() -> None:
    lacking = given.destination("crm", options=None, missing=("CRM_URL", "CRM_KEY"))
    (finding,) = [
        each for each in found(WELL, given.config(destinations=(lacking,))) if each.level is not Level.GOOD
    ]

    assert (finding.level, finding.found) == (Level.WARNING, "crm is not configured; 3 deliveries wait")
    assert finding.advice == "set CRM_URL and CRM_KEY where the hub runs"


def test_a_variable_that_a_destination_lacks_is_told_once() -> None:
    lacking = given.destination("crm", options=None, missing=("CRM_URL",))
    config = given.config(destinations=(lacking,), sources=(given.source(secrets=(), missing=("KEY",)),))
    problems = [unset("CRM_URL is not set: it waits"), unset("COLOUR is not set: that part stays empty")]
    said = [(each.level, each.found) for each in examine_files(config, problems, "routes.yaml")]

    assert said == [
        (Level.WARNING, "routes.yaml:1:1: warning[unset-variable]: COLOUR is not set: that part stays empty"),
        (Level.GOOD, "routes.yaml has 0 routes, 1 destination"),
        (Level.WARNING, "clerk has no signing secret, so /api/webhooks answers 503"),
    ]


def test_every_problem_of_a_bad_configuration_is_told() -> None:
    problems = [replace(unset("this"), severity=Severity.ERROR, code="bad-value", line=n) for n in (3, 9)]
    findings = list(examine_files(None, problems, "routes.yaml"))

    assert [(each.level, each.found) for each in findings] == [
        (Level.PROBLEM, "routes.yaml:3:1: error[bad-value]: this"),
        (Level.PROBLEM, "routes.yaml:9:1: error[bad-value]: this"),
    ]


def unset(message: str) -> Problem:
    return Problem(
        file="routes.yaml",
        line=1,
        column=1,
        severity=Severity.WARNING,
        code="unset-variable",
        message=message,
    )
