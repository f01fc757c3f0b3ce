"""The words of findings: a row for each situation of the page's table, word by word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import given
import pytest
from given_health import NOW, WELL, refusals, with_counts, with_disk, with_source, with_state, with_store

from hub.destinations.email.options import EmailOptions
from hub.health.assess import assess
from hub.health.facts import Facts, FileFacts
from hub.health.words import first_line, second_line, short, since_moment
from hub.model.delivery import State
from hub.model.destination import DestinationState
from hub.model.stats import Degradation, Stuck, StuckCause

X = "\u00d7"
SECOND, MINUTE, HOUR, DAY = (
    timedelta(seconds=1),
    timedelta(minutes=1),
    timedelta(hours=1),
    timedelta(days=1),
)


def at(hour: int, minute: int) -> Any:
    return given.NOON.replace(hour=hour, minute=minute)


def failing(name: str, type_: str, error: str, answer: str, waiting: int, *, ago: Any, **more: Any) -> Facts:
    """A destination that fails since a moment ago; the next try goes in 44 s."""
    state = DestinationState(
        name=name,
        failures=6,
        failing_since=NOW - ago,
        last_error=error,
        last_answer=answer,
        probe_at=NOW + 44 * SECOND,
    )
    facts = with_store(states={name: state}, counts={(name, State.PENDING): waiting})
    return with_destination(facts, name, type_, **more)


def paused(name: str, reason: str, waiting: int, *, ago: Any, **written: str) -> Facts:
    state = DestinationState(name=name, paused_at=NOW - ago, paused_reason=reason)
    facts = with_store(states={name: state}, counts={(name, State.PENDING): waiting})
    return with_destination(facts, name, "slack", written=written)


def with_destination(facts: Facts, name: str, type_: str, **more: Any) -> Facts:
    config = given.config(destinations=(given.destination(name, type=type_, **more),))
    return replace(facts, files=replace(facts.files, config=config))


def stuck(name: str, state: State, count: int, *causes: StuckCause, ago: Any) -> Facts:
    known = Stuck(since=NOW - ago, causes=causes)
    facts = with_store(counts={(name, state): count}, stuck={(name, state): known})
    return with_destination(facts, name, "http", give_up_after_seconds=259200.0)


def lacking(name: str, waiting: int, missing: str, fault: str = "") -> Facts:
    facts = with_store(counts={(name, State.PENDING): waiting})
    return with_destination(facts, name, "http", options=None, missing=(missing,), fault=fault)


MAIL = {
    "options": EmailOptions(
        smtp_url="smtp://smtp.example.com", **{"from": "a@example.com"}, to="b@example.com"
    )
}
GREYLISTED = "refused for now: team@example.com (451 4.7.1 Greylisted, try again later)"
INVALID = "Slack answered invalid_auth: the token is not valid; put a new token into bot_token"
ARCHIVED = (
    "Slack answered is_archived: its channel was archived; "
    "unarchive the channel, or choose another channel in routes.yaml"
)
REJECTED = "answered 422 Unprocessable Entity (attempt 8 of 8, the last)"
NO_SUCH = (
    "config/routes.yaml:42:13: error[unknown-destination]: "
    'there is no destination "growht"; did you mean "growth"?'
)
TEMPLATE = "template failed: slack/waitlist.j2:4: 'str' has no attribute 'nope'"

PAGE: dict[str, tuple[Facts, str, str]] = {
    "endpoint answers 500": (
        failing(
            "crm",
            "http",
            "answered 500 Internal Server Error",
            "boom: database is on fire",
            82,
            ago=34 * MINUTE,
        ),
        "crm answers 500 Internal Server Error · since 11:26, 34 min",
        (
            '"boom: database is on fire" · 82 wait, nothing is lost · next try in 44 s · '
            "Look at crm; the rest is sent by itself."
        ),
    ),
    "mail server defers": (
        failing("mail", "email", GREYLISTED, "", 39, ago=33 * MINUTE, **MAIL),
        "mail: smtp.example.com does not take mail now (451) · since 11:27, 33 min",
        (
            '"4.7.1 Greylisted, try again later" · 39 wait, nothing is lost · next try in 44 s · '
            "Usually over in an hour."
        ),
    ),
    "bot token revoked": (
        paused("alerts", INVALID, 25, ago=19 * MINUTE, bot_token="${SLACK_BOT_TOKEN}", channel="alerts"),
        "alerts is paused: Slack says invalid_auth, the token is not valid · since 11:41, 19 min",
        "25 wait · Put a new token into SLACK_BOT_TOKEN, restart, then resume.",
    ),
    "channel archived": (
        paused("sales", ARCHIVED, 6, ago=2 * DAY, bot_token="${SLACK_BOT_TOKEN}", channel="sales"),
        "sales is paused: Slack says is_archived, its channel was archived · since Sat 12:00",
        "6 wait · Unarchive #sales, or choose another channel in routes.yaml.",
    ),
    "time-outs are held": (
        stuck(
            "warehouse",
            State.HELD,
            8,
            StuckCause(count=8, reason="did not answer within 3 s"),
            ago=12 * MINUTE,
        ),
        "8 messages to warehouse may have arrived · since 11:48, 12 min",
        (
            "The request went out, no answer came within 3 s · "
            "Look there for webhook-id; then mark each as arrived or send it again."
        ),
    ),
    "one time-out is held": (
        stuck(
            "warehouse",
            State.HELD,
            1,
            StuckCause(count=1, reason="did not answer within 3 s"),
            ago=12 * MINUTE,
        ),
        "1 message to warehouse may have arrived · since 11:48, 12 min",
        (
            "The request went out, no answer came within 3 s · "
            "Look there for webhook-id; then mark it as arrived or send it again."
        ),
    ),
    "variable unset": (
        lacking("partner", 5, "PARTNER_URL"),
        "partner is not configured · PARTNER_URL is not set",
        "5 wait, nothing is lost · Set it and restart.",
    ),
    "variable no good": (
        lacking("crm", 12, "CRM_WEBHOOK_URL", "CRM_WEBHOOK_URL cannot be used: must begin with https://"),
        "crm is not configured · CRM_WEBHOOK_URL cannot be used: must begin with https://",
        "12 wait · Mend it and restart; the value is not shown.",
    ),
    "wrong signing secret": (
        with_source(accepted_at=NOW - 2 * MINUTE, refused=refusals(invalid_signature=30)),
        "clerk: 30 requests refused since 11:59, none accepted",
        (
            "No signature fits CLERK_WEBHOOK_SIGNING_SECRET; the last genuine one came 11:58. "
            "Clerk tries again for 27 h: put the endpoint's secret in."
        ),
    ),
    "template broken": (
        with_store(degraded=(Degradation(destination="team", count=5, since=NOW - HOUR, reason=TEMPLATE),)),
        "5 messages went out without your template · last 24 h",
        "`slack/waitlist.j2`, line 4: 'str' has no attribute 'nope' · Readers got the built-in message.",
    ),
    "deaths": (
        stuck(
            "crm",
            State.DEAD,
            12,
            StuckCause(count=9, reason=REJECTED, answer="email is not valid"),
            StuckCause(
                count=3, reason="given up after 3 days; the last answer was 500 Internal Server Error"
            ),
            ago=2 * HOUR,
        ),
        "12 messages to crm will not be tried again · last 2 h",
        f'9 {X} 422 "email is not valid", 3 {X} gave up after 3 days · Mend the cause, then retry them.',
    ),
    "no worker": (
        with_store(counts={("crm", State.PENDING): 131}, worker_seen_at=NOW - 4 * MINUTE),
        "Nothing is being sent: no worker for 4 min",
        "131 wait · `hub serve` starts one by itself; else start `hub worker`.",
    ),
    "refused edit": (
        replace(WELL, files=replace(WELL.files, refused=(NO_SUCH, "another"), refused_at=at(10, 40))),
        "Your edit of 10:40 is not in use: 2 mistakes",
        (
            'routes.yaml:42 there is no destination "growht"; did you mean "growth"? · '
            "Version 1 goes on; `hub check` prints every mistake."
        ),
    ),
    "disk": (
        with_disk(480 * 1024**2, 100 * 1024**3, file="hub.db", daily=53 * 1024**2),
        "480 MiB are left on the disk of hub.db",
        "At today's pace full in 9 days · Lower HUB_RETENTION, or give it a larger disk.",
    ),
    "silent source": (
        with_source(accepted_at=NOW - 7 * DAY),
        "clerk sent nothing for 7 days (`max_silence`)",
        "Look in Clerk under Webhooks whether the endpoint is disabled.",
    ),
}


@pytest.mark.parametrize("situation", PAGE)
def test_a_finding_is_told_in_the_words_of_the_page(situation: str) -> None:
    facts, first, second = PAGE[situation]
    (finding,) = assess(facts)

    assert first_line(finding, NOW) == first
    assert second_line(finding, NOW) == second


@pytest.mark.parametrize(
    ("error", "answer", "first", "second"),
    [
        ("did not answer within 10 s", "", "crm does not answer within 10 s", "1 waits, nothing"),
        ("could not connect: connection refused", "", "crm cannot be reached: connection refused", "1 waits"),
        ("could not connect within 10 s", "", "crm cannot be reached within 10 s", "1 waits"),
        ("TLS failed: certificate has expired", "", "crm: TLS failed: certificate has expired", "1 waits"),
        ("Slack answered 503", "x" * 100, "crm: Slack answers 503", f'"{"x" * 79}…" · 1 waits'),
        ("", "", "crm takes no messages", "1 waits"),
        (
            "could not connect to mail.example.com:587 within 10 s; try port 2525 in smtp_url",
            "",
            "crm cannot reach mail.example.com:587 within 10 s",
            "1 waits, nothing is lost · next try in 44 s · Try port 2525 in smtp_url.",
        ),
    ],
)
def test_a_failure_is_the_title(error: str, answer: str, first: str, second: str) -> None:
    (finding,) = assess(failing("crm", "http", error, answer, 1, ago=MINUTE))

    assert finding.headline.startswith(first)
    assert second_line(finding, NOW).startswith(second)


@pytest.mark.parametrize(
    ("error", "written", "cure"),
    [
        (
            "answered 401 Unauthorized",
            {"headers": {"Authorization": "Bearer ${CRM_TOKEN}"}, "sign_with": "${CRM_SECRET:-x}"},
            (
                "CRM_SECRET and CRM_TOKEN may be wrong by now: "
                "put in what it takes, restart, and the rest is sent by itself."
            ),
        ),
        ("answered 403 Forbidden", {"url": "${CRM_URL}"}, "Look at crm; the rest is sent by itself."),
        (
            "answered 500 Internal Server Error",
            {"headers": {"Authorization": "${CRM_TOKEN}"}},
            "Look at crm; the rest is sent by itself.",
        ),
    ],
)
def test_an_endpoint_that_refuses_the_key_names_its_variables(
    error: str, written: dict[str, Any], cure: str
) -> None:
    (finding,) = assess(failing("crm", "http", error, "", 0, ago=MINUTE, written=written))

    assert second_line(finding, NOW) == cure


def test_what_waits_for_nothing_has_no_next_try() -> None:
    (finding,) = assess(failing("crm", "http", "answered 500 Internal Server Error", "", 0, ago=MINUTE))

    assert second_line(finding, NOW) == "Look at crm; the rest is sent by itself."


def test_an_operators_pause_says_whose_it_is() -> None:
    (finding,) = assess(with_state(paused_at=NOW - MINUTE, paused_reason="paused by an operator"))

    assert first_line(finding, NOW) == "crm is paused by an operator · since 11:59, 60 s"
    assert second_line(finding, NOW) == "3 wait · Resume it once it may go on."


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("answered 500 Internal Server Error", "500"),
        (REJECTED, "422"),
        ("did not answer within 3 s", "no answer in 3 s"),
        (INVALID, "invalid_auth"),
        ("Slack answered 403 invalid_token: the webhook URL is not valid; make one", "invalid_token"),
        ("the mail server answered 535 5.7.8 no: it refuses the sender; check from", "535"),
        (GREYLISTED, "451"),
        ("could not connect: connection refused", "connection refused"),
        ("paused by an operator", "paused by an operator"),
        (None, ""),
    ],
)
def test_a_reason_is_short_in_a_row(reason: str | None, words: str) -> None:
    assert short(reason) == words


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (34 * MINUTE, "since 12:26 UTC-1, 34 min"),
        (2 * DAY, "since Sat 13:00"),
        (60 * DAY, "since 5 Mar 13:00"),
    ],
)
def test_since_when_is_told_in_the_users_time_zone(ago: timedelta, words: str) -> None:
    expected = words.replace(" UTC-1", "")

    assert since_moment(NOW - ago, NOW, ZoneInfo("Etc/GMT-1")) == expected


def test_dead_letters_of_one_destination_have_three_causes_at_most() -> None:
    causes = [StuckCause(count=9 - number, reason=f"answered 4{number:02} No") for number in range(5)]
    (finding,) = assess(stuck("crm", State.DEAD, 35, *causes, ago=HOUR))

    assert finding.reason == f"9 {X} 400, 8 {X} 401, 7 {X} 402, and 2 other causes"


def test_files_that_cannot_be_used_have_no_version_that_goes_on() -> None:
    (finding,) = assess(Facts(now=NOW, files=FileFacts(config=None, refused=("routes.yaml: no",))))

    assert finding.headline == "Your last edit is not in use: 1 mistake"


def test_deaths_of_no_known_cause_are_told_all_the_same() -> None:
    (finding,) = assess(with_counts({("crm", State.DEAD): 1}))

    assert first_line(finding, NOW) == "1 message to crm will not be tried again"
    assert second_line(finding, NOW) == "Mend the cause, then retry it."
