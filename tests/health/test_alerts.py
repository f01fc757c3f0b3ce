"""Notifications to `problems:`: a table of alerts as they are remembered, and the facts of now."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import given
import pytest

from hub.delivery import retry
from hub.errors import Reject
from hub.health.alerts import Decision, dead_letters, decide
from hub.health.facts import Facts, FileFacts, StoreFacts
from hub.health.problem_event import headline
from hub.model.alert import Alert, AlertKind
from hub.model.config import Config
from hub.model.delivery import Claim, State
from hub.model.destination import DestinationState
from hub.model.routing import Send
from hub.model.source import Refusals, SourceState
from hub.model.stats import DatabaseStatus, Degradation, DiskSpace

NOW = given.NOON
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
GIB = 1024**3

CONFIG = given.config(
    given.route(),
    destinations=tuple(given.destination(name) for name in ("crm", "mail", "team")),
    problems=(Send(to="mail"),),
    sources=(given.source(max_silence_seconds=3600.0),),
)
BOTH = replace(CONFIG, problems=(Send(to="mail"), Send(to="team")))


def seen(
    *states: DestinationState, dead: int = 0, refused: str = "", disk: DiskSpace | None = None, **more: Any
) -> Facts:
    """The facts of a hub with these destinations, and so many dead letters of each that there is."""
    return Facts(
        now=NOW,
        files=FileFacts(config=CONFIG, refused=tuple(refused.splitlines())),
        store=StoreFacts(
            states={state.name: state for state in states},
            counts={(name, State.DEAD): dead for name in CONFIG.destinations},
            worker_seen_at=NOW,
            **more,
        ),
        database=DatabaseStatus(disk=disk),
    )


def accepted(ago: timedelta, refused: int = 0) -> dict[str, SourceState]:
    """A source whose last request was accepted so long ago; since a minute some are refused."""
    refusals = Refusals(since=NOW - MINUTE, last_at=NOW, counts={"invalid_signature": refused})
    state = SourceState(name="clerk", accepted_at=NOW - ago, refused=refusals if refused else None)
    return {"clerk": state}


def paused(name: str = "crm", since: datetime = NOW - MINUTE) -> DestinationState:
    return DestinationState(name=name, paused_at=since, paused_reason="invalid_auth")


def failing(name: str = "crm") -> DestinationState:
    return DestinationState(name=name, probe_at=NOW, failures=6)


def alert(kind: AlertKind = AlertKind.PAUSED, subject: str = "crm", **values: Any) -> Alert:
    return Alert(**{"kind": kind, "subject": subject, "since": NOW - MINUTE, **values})


def notified(kind: AlertKind, ago: timedelta, **values: Any) -> Alert:
    given_ = {"since": NOW - ago - MINUTE, "notified_at": NOW - ago, "is_notified": True}
    return alert(kind, **{**given_, **values})


DIED, REFUSED, PAUSED, FAILING = (
    AlertKind.DIED,
    AlertKind.REFUSED,
    AlertKind.PAUSED,
    AlertKind.FAILING,
)
RELOAD, DISK, SILENT = AlertKind.RELOAD, AlertKind.DISK, AlertKind.SILENT
TURNED_AWAY = AlertKind.TURNED_AWAY
BROKEN = DestinationState(name="crm", failures=2)
WELL = DestinationState(name="crm")
WENT_OUT = Degradation(destination="crm", count=2, since=NOW - MINUTE, reason="no")
FULL = DiskSpace(free=GIB // 4, total=100 * GIB, used=GIB)

TABLE: dict[str, tuple[list[Alert], Facts, list[str]]] = {
    "all is right": ([], seen(WELL), []),
    "a pause is told": ([], seen(paused()), ["crm is paused: invalid_auth"]),
    "a pause of a moment is not told yet": ([], seen(paused(since=NOW - SECOND)), []),
    "a pause is told once": ([notified(PAUSED, 2 * HOUR)], seen(paused()), []),
    "a pause that lasts is told again a day later": (
        [notified(PAUSED, 25 * HOUR)],
        seen(paused()),
        ["crm is paused: invalid_auth"],
    ),
    "a resume is told": ([notified(PAUSED, MINUTE)], seen(WELL), ["crm goes on"]),
    "a resume of what was never told is not": ([alert(PAUSED)], seen(WELL), []),
    "a breaker that just opened is not told": ([], seen(failing()), []),
    "messages in another form are told": (
        [alert(AlertKind.DEGRADED)],
        replace(seen(WELL), store=replace(seen(WELL).store, degraded=(WENT_OUT,))),
        ["2 messages went out in another form"],
    ),
    "once none does it is told": (
        [notified(AlertKind.DEGRADED, MINUTE)],
        seen(WELL),
        ["No more messages to crm go out in another form"],
    ),
    "a breaker that stays open is told": ([alert(FAILING)], seen(failing()), ["crm takes no messages"]),
    "a breaker that closes is told": ([notified(FAILING, MINUTE)], seen(WELL), ["crm works again"]),
    "what begins anew within the hour waits": (
        [notified(FAILING, 30 * MINUTE, since=NOW - 2 * MINUTE, is_notified=False)],
        seen(failing()),
        [],
    ),
    "what begins anew is told after the hour": (
        [notified(FAILING, HOUR, since=NOW - 2 * MINUTE, is_notified=False)],
        seen(failing()),
        ["crm takes no messages"],
    ),
    "deaths are told": (
        [alert(DIED, count=2)],
        seen(BROKEN, dead=2),
        ["2 messages to crm will not be tried again"],
    ),
    "deaths are told once": (
        [notified(DIED, 2 * HOUR, count=2, notified_count=2)],
        seen(BROKEN, dead=2),
        [],
    ),
    "more deaths wait for the hour": (
        [notified(DIED, 59 * MINUTE, count=3, notified_count=2)],
        seen(BROKEN, dead=3),
        [],
    ),
    "more deaths are told after an hour": (
        [notified(DIED, HOUR, count=3, notified_count=2)],
        seen(BROKEN, dead=3),
        ["3 messages to crm will not be tried again"],
    ),
    "a destination that delivers again has recovered": (
        [notified(DIED, MINUTE, count=2)],
        seen(WELL, dead=2),
        ["crm works again"],
    ),
    "a refused message stays dead though others arrive": (
        [notified(REFUSED, MINUTE, count=1, notified_count=1)],
        seen(WELL, dead=1),
        [],
    ),
    "a refused message that is dead no more is told": (
        [notified(REFUSED, MINUTE, count=1, notified_count=1)],
        seen(WELL, dead=0),
        ["No delivery to crm is dead any more"],
    ),
    "a refused edit is told": (
        [alert(RELOAD, "")],
        seen(refused="routes.yaml:3:1: error"),
        ["Your last edit is not in use: 1 mistake"],
    ),
    "a mended edit is told": (
        [notified(RELOAD, MINUTE, subject="")],
        seen(),
        ["The configuration is as its files have it again"],
    ),
    "a disk that fills is told at once": (
        [],
        seen(disk=FULL),
        ["256 MiB are left on the disk of the database"],
    ),
    "a source that is silent for too long is told": (
        [],
        seen(sources=accepted(2 * HOUR)),
        ["clerk sent nothing for 2 h (`max_silence`)"],
    ),
    "a source that was heard of is not": ([], seen(sources=accepted(MINUTE)), []),
    "a source that sends again is told": (
        [notified(SILENT, MINUTE, subject="clerk")],
        seen(sources=accepted(0 * MINUTE)),
        ["clerk sends again"],
    ),
    "requests that are refused are told": (
        [],
        seen(sources=accepted(2 * HOUR, refused=30)),
        ["clerk: 30 requests refused since 11:59, none accepted"],
    ),
    "signed requests at a path that is none's are told": (
        [alert(AlertKind.UNKNOWN_PATH, "")],
        seen(astray=7),
        ["7 signed requests came to a path that no source has"],
    ),
    "a few of them are not": ([], seen(sources=accepted(MINUTE, refused=4)), []),
    "that they are accepted again is told": (
        [notified(TURNED_AWAY, MINUTE, subject="clerk")],
        seen(sources=accepted(0 * MINUTE)),
        ["clerk is accepted again"],
    ),
    "several are told together": (
        [alert(DIED, "team", count=1)],
        seen(paused(), DestinationState(name="team", failures=1), disk=FULL, dead=1),
        [
            "1 message to team will not be tried again",
            "256 MiB are left on the disk of the database",
            "crm is paused: invalid_auth",
        ],
    ),
    "nothing is told through what is in trouble": ([], seen(paused("mail")), []),
    "nor anything else meanwhile": ([], seen(paused("mail"), paused()), []),
    "nor through a breaker that just opened": ([], seen(failing("mail"), paused()), []),
    "what mail refused is not mailed": ([alert(REFUSED, "mail", count=1)], seen(dead=1), []),
    "a pause of what is gone from the configuration is not told": ([], seen(paused("gone")), []),
}


def headlines(known: list[Alert], facts: Facts, config: Config = CONFIG) -> list[str]:
    notifications = decision(known, facts, config).notifications
    assert len(notifications) <= 1
    return [headline(notice) for notification in notifications for notice in notification.notices]


def decision(known: list[Alert] | tuple[Alert, ...], facts: Facts, config: Config = CONFIG) -> Decision:
    """Decide where these alerts are remembered."""
    assert facts.store is not None
    files = replace(facts.files, config=config)
    return decide(replace(facts, store=replace(facts.store, alerts=tuple(known)), files=files), config)


@pytest.mark.parametrize("case", TABLE)
def test_a_notification_is_due(case: str) -> None:
    known, facts, expected = TABLE[case]

    assert headlines(known, facts) == expected


@pytest.mark.parametrize("case", TABLE)
def test_a_notification_is_not_sent_again(case: str) -> None:
    known, facts, _ = TABLE[case]
    after = decision(known, facts).alerts

    assert decision(after, facts).notifications == ()


def test_others_are_told_when_one_of_those_named_is_in_trouble() -> None:
    (notification,) = decision([], seen(paused("mail")), BOTH).notifications

    assert [send.to for send in notification.sends] == ["team"]


def test_an_alert_that_nobody_could_be_told_of_is_told_once_somebody_can() -> None:
    first = decision([], seen(paused("mail"), paused()))

    assert [headline(notice) for notice in first.undeliverable] == [
        "crm is paused: invalid_auth",
        "mail is paused: invalid_auth",
    ]
    assert headlines(list(first.alerts), seen(paused())) == ["crm is paused: invalid_auth"]


def test_an_alert_that_is_over_is_forgotten_after_an_hour() -> None:
    over = notified(PAUSED, HOUR, since=None, is_notified=False)
    recent = notified(PAUSED, 59 * MINUTE, since=None, is_notified=False)

    assert decision([over], seen()).forgotten == (over,)
    assert decision([recent], seen()).forgotten == ()


def test_without_max_silence_no_silence_is_told() -> None:
    config = replace(CONFIG, sources={"clerk": given.source()})

    assert headlines([], seen(sources=accepted(99 * HOUR)), config) == []


def test_a_reason_that_changes_changes_no_memory() -> None:
    known = [notified(FAILING, MINUTE, reason="5 failures in a row")]

    assert decision(known, seen(failing())).alerts == tuple(known)


def claim(type_: str = "user.created", name: str = "crm") -> Claim:
    return Claim(
        id="dlv_1",
        token="t",
        event=given.event(type_),
        route="all",
        destination=name,
        send=Send(to=name),
        attempts=1,
        tries=1,
        message=None,
        degraded=None,
        accepted=(),
    )


def test_dead_letters_are_counted_by_destination_and_those_of_problems_are_not() -> None:
    settlements = [
        retry.after_error(
            claim(type_, name), Reject(reason), given.destination(name), now=NOW, chance=0.5, seconds=1.0
        )
        for type_, name, reason in [
            ("user.created", "crm", "first"),
            ("user.created", "crm", "410 Gone"),
            ("hub.problem", "mail", "550"),
        ]
    ]
    died = dead_letters(settlements, {"team": 3, "log": 0})

    assert [(letters.destination, letters.count, letters.reason) for letters in died] == [
        ("crm", 2, "410 Gone"),
        ("team", 3, "they waited longer than give_up_after"),
    ]
