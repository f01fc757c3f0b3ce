"""The one judge: a table of ailments, each with its code, its severity and its words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import given
import pytest
from given_health import (
    ACCOUNTS,
    CONFIG,
    GIB,
    NOW,
    POSTGRES,
    SQLITE,
    WELL,
    on_postgres,
    refusals,
    with_counts,
    with_disk,
    with_files,
    with_rows,
    with_source,
    with_state,
    with_store,
)

from hub.errors import StoreUnavailable, WritesRefused
from hub.health import words
from hub.health.access import AccessFacts
from hub.health.assess import Area, assess, assess_by_area
from hub.health.facts import Facts, FileFacts
from hub.model.alert import Alert, AlertKind
from hub.model.config import Config
from hub.model.delivery import State
from hub.model.destination import DestinationState
from hub.model.finding import Finding, FindingCode, FindingSeverity
from hub.model.mirror import CompareFailure, GapsSummary, MirrorFacts, MirrorTable, PartWait
from hub.model.problem import Problem, Severity
from hub.model.routing import Send
from hub.model.stats import DatabaseStatus, Degradation, Discrepancy

BAD, WATCH, NOTE = FindingSeverity.BAD, FindingSeverity.WATCH, FindingSeverity.NOTE
CODE = FindingCode
MINUTE = timedelta(minutes=1)
FIVE_REFUSED = "clerk: 5 requests refused since 11:59, none accepted"
LACKING = given.config(destinations=(given.destination("crm", options=None, missing=("CRM_URL", "CRM_KEY")),))
SWITCHED_OFF = given.config(destinations=(given.destination("log"), given.destination("crm", enabled=False)))
DIED = Alert(kind=AlertKind.DIED, subject="crm", since=NOW - MINUTE, reason="HTTP 503", count=1)


@pytest.mark.parametrize("database", [SQLITE, POSTGRES])
def test_a_hub_that_is_well_has_no_findings(database: DatabaseStatus) -> None:
    assert assess(replace(WELL, database=database)) == ()


def test_nothing_is_found_where_nothing_was_looked_up() -> None:
    assert assess(Facts(now=NOW, files=FileFacts(config=CONFIG))) == ()


def failing(error: str | None) -> Facts:
    return with_state(probe_at=NOW, failures=7, last_error=error)


AWAY = StoreUnavailable("the database cannot be reached", reason="connection refused", cure="start it")


WENT_OUT = Degradation(destination="crm", count=2, since=NOW - MINUTE, reason="template failed: x.j2:1: no")


PRINTED = "run what `hub sync schema --sql` prints"
LACKS_ROLES = PartWait(parts=("roles",), reason=f"roles is missing; {PRINTED}", since=NOW, count=2)
LACKS_COLUMN = PartWait(
    parts=("users",), reason=f"users.banned is date; {PRINTED}", since=NOW - MINUTE, count=3
)
MIRRORED = given.config(
    given.route("mirror", ("user.*",), Send(to="crm", mirrored=frozenset({"user.created"}))),
    destinations=(given.destination("crm"),),
)
DRIFTED = {"crm": (MirrorTable(name="users", verified_at=NOW, missing=1, stale=2),)}


def with_mirrors(config: Config = MIRRORED, **known: Any) -> Facts:
    return replace(with_store(mirrors=MirrorFacts(**known)), files=FileFacts(config=config))


def test_nothing_is_said_of_a_mirror_that_is_none_any_more() -> None:
    failures = {"crm": CompareFailure(at=NOW, reason="Clerk answered 401 at /users")}

    assert assess(with_mirrors(CONFIG, tables=DRIFTED, failures=failures)) == ()


AILMENTS: list[tuple[Facts, FindingCode, FindingSeverity, str, str]] = [
    (
        with_files(ignored=("HTTPS_PROXY", "http_proxy")),
        CODE.PROXY,
        NOTE,
        "hub",
        "HTTPS_PROXY and http_proxy in the environment: the hub does not read that",
    ),
    (on_postgres(connections=(19, 20)), CODE.DATABASE, WATCH, "hub", "PostgreSQL 16: 19 of 20 connections"),
    (on_postgres(connections=(1, 17)), CODE.DATABASE, WATCH, "hub", "PostgreSQL 16: 1 of 17 connections"),
    (on_postgres(connections=(1, 8)), CODE.DATABASE, BAD, "hub", "PostgreSQL 16: 1 of 8 connections"),
    (on_postgres(problems=("it only reads",)), CODE.DATABASE, BAD, "hub", "PostgreSQL 16: it only reads"),
    (with_store(is_migrated=True), CODE.DATABASE, BAD, "hub", "This database has moved to another"),
    (
        replace(WELL, store=None, database=None, rows=None, error=AWAY),
        CODE.DATABASE,
        BAD,
        "hub",
        "The database cannot be reached: connection refused",
    ),
    (
        replace(
            with_store(worker_seen_at=None),
            error=WritesRefused("the database only reads", reason="a standby"),
        ),
        CODE.DATABASE,
        BAD,
        "hub",
        "The database only reads: a standby",
    ),
    (
        on_postgres(newer_revision="v1_0002"),
        CODE.DATABASE,
        WATCH,
        "hub",
        "The database is at v1_0002, newer than this hub: a later release has migrated it",
    ),
    (
        on_postgres(is_pooled=True),
        CODE.DATABASE,
        NOTE,
        "hub",
        "PostgreSQL 16 is reached through a pooler: it passes no wake-up on",
    ),
    (with_disk(GIB // 4, 100 * GIB), CODE.DISK, BAD, "hub", "256 MiB are left on the disk of the database"),
    (with_disk(GIB // 20, GIB), CODE.DISK, BAD, "hub", "51 MiB are left on the disk of the database"),
    (
        with_disk(3 * GIB, 100 * GIB, used=2 * GIB),
        CODE.DISK,
        NOTE,
        "hub",
        "The disk has no room for a VACUUM",
    ),
    (
        on_postgres(clock_ahead_seconds=45.0),
        CODE.CLOCK,
        WATCH,
        "hub",
        "This machine is 45 s behind the database",
    ),
    (
        on_postgres(clock_ahead_seconds=-250.0),
        CODE.CLOCK,
        BAD,
        "hub",
        "This machine is 4 min ahead of the database",
    ),
    (
        with_rows(newest_at=NOW + timedelta(seconds=90)),
        CODE.CLOCK,
        WATCH,
        "hub",
        "The store holds a moment 90 s in",
    ),
    (
        with_rows(newest_at=NOW + timedelta(hours=1)),
        CODE.CLOCK,
        BAD,
        "hub",
        "The store holds a moment 60 min in",
    ),
    (
        with_store(worker_seen_at=None),
        CODE.NO_WORKER,
        BAD,
        "hub",
        "Nothing is being sent: no worker has run yet: 3 wait",
    ),
    (
        with_store(worker_seen_at=NOW - timedelta(seconds=61)),
        CODE.NO_WORKER,
        BAD,
        "hub",
        "Nothing is being sent: no worker for 61 s: 3 wait",
    ),
    (
        with_state(paused_at=NOW, paused_reason="invalid_auth"),
        CODE.PAUSED,
        BAD,
        "crm",
        "crm is paused: invalid_auth, since 12:00, 1 s: 3 wait",
    ),
    (failing(None), CODE.FAILING, BAD, "crm", "crm takes no messages: 3 wait, nothing is lost"),
    (
        failing("answered 503 Service Unavailable"),
        CODE.FAILING,
        BAD,
        "crm",
        "crm answers 503 Service Unavailable: 3 wait, nothing is lost; next try now",
    ),
    (
        with_files(config=LACKING),
        CODE.NOT_CONFIGURED,
        NOTE,
        "crm",
        "crm is not configured: CRM_URL and CRM_KEY are not set; 3 wait, nothing is lost",
    ),
    (
        with_counts({("old", State.PENDING): 1}),
        CODE.REMOVED,
        BAD,
        "old",
        "old is no longer in the configuration: 1 waits",
    ),
    (
        with_files(config=SWITCHED_OFF),
        CODE.SWITCHED_OFF,
        WATCH,
        "crm",
        "crm is switched off: routes.yaml says enabled: false; 3 wait",
    ),
    (
        replace(WELL, access=AccessFacts(has_short_password=True)),
        CODE.PASSWORD,
        WATCH,
        "hub",
        "HUB_PASSWORD has under 12 characters",
    ),
    (
        replace(WELL, access=AccessFacts(has_untrusted_proxy=True)),
        CODE.UNTRUSTED_PROXY,
        NOTE,
        "hub",
        "Requests come through a proxy, and HUB_TRUSTED_PROXIES is 0",
    ),
    (with_rows(abandoned=2), CODE.ABANDONED, BAD, "hub", "2 deliveries are still marked as being sent"),
    (
        with_counts({("crm", State.DEAD): 2}),
        CODE.DEAD,
        WATCH,
        "crm",
        "2 messages to crm will not be tried again",
    ),
    (
        with_counts({("crm", State.HELD): 1}),
        CODE.HELD,
        WATCH,
        "crm",
        "1 message to crm may have arrived",
    ),
    (
        with_rows(accounts=replace(ACCOUNTS, owed=6)),
        CODE.ACCOUNTS,
        BAD,
        "hub",
        "6 owed, but 5 = 2 delivered + 0 dead + 0 held + 0 cancelled + 3 pending + 0 sending",
    ),
    (
        with_rows(
            accounts=replace(
                ACCOUNTS,
                discrepancies=(Discrepancy(description="rows are odd", count=1, example="dlv_1"),),
            )
        ),
        CODE.ACCOUNTS,
        BAD,
        "hub",
        "1 rows are odd, such as dlv_1",
    ),
    (
        with_files(refused=("routes.yaml:4:1: error[x]: no", "b", "c")),
        CODE.RELOAD_REFUSED,
        BAD,
        "hub",
        "Your last edit is not in use: 3 mistakes: routes.yaml:4 no",
    ),
    (
        with_files(looked_at=NOW - timedelta(hours=2)),
        CODE.WATCH_STUCK,
        WATCH,
        "hub",
        "The files were last looked at 2 h ago: no edit is taken up: the disk or the network folder",
    ),
    (
        with_store(astray=5),
        CODE.UNKNOWN_PATH,
        WATCH,
        "hub",
        "5 signed requests came to a path that no source has",
    ),
    (
        with_source(accepted_at=NOW - timedelta(hours=2)),
        CODE.SILENT,
        WATCH,
        "clerk",
        "clerk sent nothing for 2 h (`max_silence`)",
    ),
    (
        with_source(accepted_at=NOW - 2 * MINUTE, refused=refusals(invalid_signature=30)),
        CODE.REFUSED,
        BAD,
        "clerk",
        (
            "clerk: 30 requests refused since 11:59, none accepted: "
            "no signature fits CLERK_WEBHOOK_SIGNING_SECRET; the last genuine one came 11:58"
        ),
    ),
    (
        with_source(accepted_at=NOW - timedelta(days=2), refused=refusals(invalid_signature=1234)),
        CODE.REFUSED,
        BAD,
        "clerk",
        (
            "clerk: 1,234 requests refused since 11:59, none accepted: "
            "no signature fits CLERK_WEBHOOK_SIGNING_SECRET; the last genuine one came 2 May 12:00"
        ),
    ),
    (
        with_source(refused=refusals(invalid_payload=4, invalid_signature=1)),
        CODE.REFUSED,
        BAD,
        "clerk",
        f"{FIVE_REFUSED}: their bodies are no events; none was ever genuine",
    ),
    (
        with_source(refused=refusals(invalid_timestamp=5)),
        CODE.REFUSED,
        BAD,
        "clerk",
        f"{FIVE_REFUSED}: their time stamps are more than five minutes from this machine's",
    ),
    (
        with_source(accepted_at=NOW - 2 * MINUTE, refused=refusals(not_configured=5)),
        CODE.REFUSED,
        BAD,
        "clerk",
        f"{FIVE_REFUSED}: CLERK_WEBHOOK_SIGNING_SECRET was not set where the hub runs",
    ),
    (
        with_source(accepted_at=NOW - 2 * MINUTE, refused=refusals(payload_too_large=5)),
        CODE.REFUSED,
        BAD,
        "clerk",
        f"{FIVE_REFUSED}: they are too large",
    ),
    (
        with_store(degraded=(WENT_OUT,)),
        CODE.DEGRADED,
        WATCH,
        "crm",
        "2 messages went out without your template, last 24 h: `x.j2`, line 1: no",
    ),
    (
        with_store(degraded=(replace(WENT_OUT, count=1),)),
        CODE.DEGRADED,
        WATCH,
        "crm",
        "1 message went out without your template",
    ),
    (
        with_source(accepted_at=NOW - 2 * MINUTE, refused=refusals(method_not_allowed=5)),
        CODE.REFUSED,
        BAD,
        "clerk",
        f"{FIVE_REFUSED}: they do not come by POST",
    ),
    (
        with_source(accepted_at=NOW - 2 * MINUTE, refused=refusals(internal_error=5)),
        CODE.REFUSED,
        BAD,
        "clerk",
        f"{FIVE_REFUSED}: the hub made a mistake",
    ),
    (
        with_mirrors(waits={"crm": (LACKS_ROLES, LACKS_COLUMN)}),
        CODE.MIGRATION,
        BAD,
        "crm",
        (
            "roles, users cannot be written to crm, since 11:59, 60 s: "
            "roles is missing; users.banned is date; 5 wait, nothing is lost"
        ),
    ),
    (
        with_mirrors(waits={"crm": (replace(LACKS_ROLES, count=None),)}),
        CODE.MIGRATION,
        BAD,
        "crm",
        (
            "roles cannot be written to crm, since 12:00, 1 s: roles is missing; "
            "more than 10,000 wait, nothing is lost"
        ),
    ),
    (
        with_mirrors(tables=DRIFTED),
        CODE.DRIFT,
        WATCH,
        "crm",
        "3 rows of crm differ from Clerk: users: 1 missing and 2 stale",
    ),
    (
        with_mirrors(failures={"crm": CompareFailure(at=NOW, reason="Clerk answered 401 at /users")}),
        CODE.DRIFT,
        WATCH,
        "crm",
        "crm could not be compared with Clerk: Clerk answered 401 at /users",
    ),
    (
        with_mirrors(
            gaps=GapsSummary(
                at=NOW - MINUTE, window_seconds=7 * 86400, never_heard_of=1, missed=1, may_still_come=3
            )
        ),
        CODE.GAPS,
        WATCH,
        "hub",
        "2 objects were changed in Clerk and no event came: in the 7 d before 60 s ago",
    ),
]


@pytest.mark.parametrize(
    ("facts", "code", "severity", "subject", "statement"), AILMENTS, ids=[ailment[4] for ailment in AILMENTS]
)
def test_an_ailment_is_one_finding_with_a_cure(
    facts: Facts, code: FindingCode, severity: FindingSeverity, subject: str, statement: str
) -> None:
    (finding,) = assess(facts)

    assert (finding.code, finding.severity, finding.subject) == (code, severity, subject)
    assert words.statement(finding, NOW).startswith(statement)
    assert finding.cure or facts.error


def test_every_code_has_an_ailment() -> None:
    by_problems = {FindingCode.CONFIGURATION}

    assert {code for _, code, *_ in AILMENTS} | by_problems == set(FindingCode)


def test_a_pause_is_told_since_when() -> None:
    (finding,) = assess(with_state(paused_at=NOW - MINUTE, paused_reason="no"))

    assert (finding.since, finding.count) == (NOW - MINUTE, 3)


def test_dead_letters_are_told_as_they_were_to_others_where_nobody_looked_at_them() -> None:
    (finding,) = assess(with_store(counts={("crm", State.DEAD): 2}, alerts=(DIED,)))

    assert (finding.since, finding.reason, finding.count) == (NOW - MINUTE, "HTTP 503", 2)


def test_a_removed_destination_that_is_owed_nothing_more_is_all_right() -> None:
    assert assess(with_counts({("old", State.DELIVERED): 2, ("old", State.CANCELLED): 2})) == ()


def test_a_destination_that_is_switched_off_is_all_right_though_it_is_paused() -> None:
    config = given.config(destinations=(given.destination("crm", enabled=False),))
    facts = with_store(counts={}, states={"crm": DestinationState(name="crm", paused_at=NOW)})

    assert assess(replace(facts, files=FileFacts(config=config))) == ()


def test_the_cure_of_a_missing_variable_names_all_of_them() -> None:
    (finding,) = assess(with_files(config=LACKING))

    assert (finding.reason, finding.cure) == ("CRM_URL and CRM_KEY are not set", "set them and restart")


def test_a_variable_that_the_worker_has_is_not_missing() -> None:
    facts = with_store(states={"crm": DestinationState(name="crm")})

    assert assess(replace(facts, files=FileFacts(config=LACKING))) == ()


@pytest.mark.parametrize(
    "facts",
    [
        with_source(accepted_at=NOW - MINUTE),
        with_source(),
        with_source(accepted_at=NOW - 2 * MINUTE, refused=refusals(invalid_signature=4)),
        with_source(refused=refusals(not_configured=500)),
    ],
    ids=["heard of lately", "never heard of", "a few refused", "being set up"],
)
def test_of_a_source_that_is_well_nothing_is_found(facts: Facts) -> None:
    assert assess(facts) == ()


def test_a_source_that_is_refused_is_not_silent_as_well() -> None:
    facts = with_source(accepted_at=NOW - timedelta(hours=2), refused=refusals(invalid_signature=5))

    assert [finding.code for finding in assess(facts)] == [CODE.REFUSED]


@pytest.mark.parametrize(
    ("ahead", "clock", "lateness"),
    [
        (480.0, "This machine's clock is 8 min ahead of that of clerk", "8 min behind this machine's clock"),
        (-7200.0, "This machine's clock is 2 h behind that of clerk", "2 h ahead of this machine's clock"),
    ],
)
def test_a_clock_that_is_off_is_found_by_what_was_refused(ahead: float, clock: str, lateness: str) -> None:
    refused = refusals(ahead, invalid_timestamp=6)
    findings = assess_by_area(with_source(accepted_at=NOW - 2 * MINUTE, refused=refused))

    assert headlines(findings[Area.CLOCK]) == [clock]
    (finding,) = findings[Area.SOURCES]
    assert f"their time stamps are {lateness}" in (finding.reason or "")
    assert "clock" in finding.cure


def test_a_source_without_a_secret_that_can_be_used_says_why_and_how_many_it_refused() -> None:
    lacking = given.source(secrets=(), missing=("KEY",), fault="KEY is too short for a signing secret")
    facts = with_source(refused=refusals(not_configured=12))
    config = given.config(destinations=tuple(CONFIG.destinations.values()), sources=(lacking,))
    (finding,) = assess(replace(facts, files=FileFacts(config=config)))

    assert words.statement(finding, NOW) == (
        "clerk has no signing secret, so /api/webhooks answers 503: "
        "KEY is too short for a signing secret; 12 refused since 11:59"
    )
    assert (finding.code, finding.severity) == (CODE.NOT_CONFIGURED, NOTE)


def test_a_variable_that_a_destination_lacks_is_told_once() -> None:
    lacking = given.destination("crm", options=None, missing=("CRM_URL",))
    config = given.config(destinations=(lacking,), sources=(given.source(secrets=(), missing=("KEY",)),))
    problems = (unset("CRM_URL is not set: it waits"), unset("COLOUR is not set: that part stays empty"))
    findings = assess_by_area(with_files(config=config, problems=problems))

    assert headlines(findings[Area.CONFIGURATION]) == [
        "routes.yaml:1:1: warning[unset-variable]: COLOUR is not set: that part stays empty"
    ]
    assert headlines(findings[Area.SOURCES]) == ["clerk has no signing secret, so /api/webhooks answers 503"]
    assert headlines(findings[Area.DESTINATIONS]) == ["crm is not configured"]


def test_every_problem_of_a_bad_configuration_is_told() -> None:
    problems = tuple(
        replace(unset("this"), severity=Severity.ERROR, code="bad-value", line=line) for line in (3, 9)
    )
    findings = assess(with_files(config=None, problems=problems))

    assert [(finding.severity, finding.headline) for finding in findings] == [
        (BAD, "routes.yaml:3:1: error[bad-value]: this"),
        (BAD, "routes.yaml:9:1: error[bad-value]: this"),
    ]


def headlines(findings: list[Finding]) -> list[str]:
    return [finding.headline for finding in findings]


def unset(message: str) -> Problem:
    return Problem(
        file="routes.yaml",
        line=1,
        column=1,
        severity=Severity.WARNING,
        code="unset-variable",
        message=message,
    )
