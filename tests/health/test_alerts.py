"""What is told when: a table of troubles, what was told of them, and the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import given
import pytest

from hub.delivery import retry
from hub.errors import Reject
from hub.health import alerts
from hub.health.alerts import Look, decide, message
from hub.model.alert import Alert, AlertKind
from hub.model.config import Config
from hub.model.delivery import Claim
from hub.model.destination import DestinationState
from hub.model.routing import Send
from hub.model.stats import DiskSpace

NOW = given.NOON
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
GIB = 1024**3

CONFIG = given.config(
    given.route(),
    destinations=tuple(given.destination(name) for name in ("crm", "mail", "team")),
    problems=(Send(to="mail"),),
    quiet_after_seconds=3600.0,
)
BOTH = replace(CONFIG, problems=(Send(to="mail"), Send(to="team")))


def look(*states: DestinationState, **values: Any) -> Look:
    return Look(now=NOW, states={state.name: state for state in states}, **values)


def paused(name: str = "crm", since: datetime = NOW - MINUTE) -> DestinationState:
    return DestinationState(name=name, paused_at=since, paused_reason="invalid_auth")


def failing(name: str = "crm") -> DestinationState:
    return DestinationState(name=name, probe_at=NOW, failures=6)


def trouble(kind: AlertKind = AlertKind.PAUSED, subject: str = "crm", **values: Any) -> Alert:
    return Alert(**{"kind": kind, "subject": subject, "since": NOW - MINUTE, **values})


def told(kind: AlertKind, ago: timedelta, **values: Any) -> Alert:
    given_ = {"since": NOW - ago - MINUTE, "notified_at": NOW - ago, "is_notified": True}
    return trouble(kind, **{**given_, **values})


DIED, REFUSED, PAUSED, FAILING = (
    AlertKind.DIED,
    AlertKind.REFUSED,
    AlertKind.PAUSED,
    AlertKind.FAILING,
)
RELOAD, DISK, QUIET = AlertKind.RELOAD, AlertKind.DISK, AlertKind.QUIET
BROKEN = DestinationState(name="crm", failures=2)
WELL = DestinationState(name="crm")
SCARCE = DiskSpace(free=GIB // 4, total=100 * GIB, used=GIB)

TABLE: dict[str, tuple[list[Alert], Look, list[str]]] = {
    "all is right": ([], look(WELL), []),
    "a pause is told": ([], look(paused()), ["crm is paused"]),
    "a pause of a moment is not told yet": ([], look(paused(since=NOW - SECOND)), []),
    "a pause is told once": ([told(PAUSED, 2 * HOUR)], look(paused()), []),
    "a pause that lasts is told again a day later": (
        [told(PAUSED, 25 * HOUR)],
        look(paused()),
        ["crm is paused"],
    ),
    "a resume is told": ([told(PAUSED, MINUTE)], look(WELL), ["crm goes on"]),
    "a resume of what was never told is not": ([trouble(PAUSED)], look(WELL), []),
    "a breaker that just opened is not told": ([], look(failing()), []),
    "a breaker that stays open is told": ([trouble(FAILING)], look(failing()), ["crm is failing"]),
    "a breaker that closes is told": ([told(FAILING, MINUTE)], look(WELL), ["crm accepts again"]),
    "what begins anew within the hour waits": (
        [told(FAILING, 30 * MINUTE, since=NOW - 2 * MINUTE, is_notified=False)],
        look(failing()),
        [],
    ),
    "what begins anew is told after the hour": (
        [told(FAILING, HOUR, since=NOW - 2 * MINUTE, is_notified=False)],
        look(failing()),
        ["crm is failing"],
    ),
    "deaths are told": (
        [trouble(DIED, count=2)],
        look(BROKEN, dead={"crm": 2}),
        ["2 deliveries to crm died"],
    ),
    "deaths are told once": (
        [told(DIED, 2 * HOUR, count=2, notified_count=2)],
        look(BROKEN, dead={"crm": 2}),
        [],
    ),
    "more deaths wait for the hour": (
        [told(DIED, 59 * MINUTE, count=3, notified_count=2)],
        look(BROKEN, dead={"crm": 3}),
        [],
    ),
    "more deaths are told after an hour": (
        [told(DIED, HOUR, count=3, notified_count=2)],
        look(BROKEN, dead={"crm": 3}),
        ["3 deliveries to crm died"],
    ),
    "a destination that delivers again has recovered": (
        [told(DIED, MINUTE, count=2)],
        look(WELL, dead={"crm": 2}),
        ["crm accepts again"],
    ),
    "a refused message stays dead though others arrive": (
        [told(REFUSED, MINUTE, count=1, notified_count=1)],
        look(WELL, dead={"crm": 1}),
        [],
    ),
    "a refused message that is dead no more is told": (
        [told(REFUSED, MINUTE, count=1, notified_count=1)],
        look(WELL, dead={"crm": 0}),
        ["No delivery to crm is dead any more"],
    ),
    "a refused edit is told": (
        [trouble(RELOAD, "")],
        look(refusal="routes.yaml:3:1: error"),
        ["An edit of the configuration was refused"],
    ),
    "a mended edit is told": (
        [told(RELOAD, MINUTE, subject="")],
        look(),
        ["The configuration is as its files have it again"],
    ),
    "a disk that fills is told at once": ([], look(room=SCARCE), ["The disk fills"]),
    "a source that is quiet for too long is told": (
        [],
        look(last_received={"clerk": NOW - 2 * HOUR}),
        ["clerk has sent nothing for 2 h"],
    ),
    "a source that was heard of is not": ([], look(last_received={"clerk": NOW - MINUTE}), []),
    "a source that sends again is told": (
        [told(QUIET, MINUTE, subject="clerk")],
        look(last_received={"clerk": NOW}),
        ["clerk sends again"],
    ),
    "several are told together": (
        [trouble(DIED, "team", count=1)],
        look(paused(), DestinationState(name="team", failures=1), room=SCARCE, dead={"team": 1}),
        ["1 delivery to team died", "The disk fills", "crm is paused"],
    ),
    "nothing is told through what is in trouble": ([], look(paused("mail")), []),
    "nor anything else meanwhile": ([], look(paused("mail"), paused()), []),
    "nor through a breaker that just opened": ([], look(failing("mail"), paused()), []),
    "what mail refused is not mailed": ([trouble(REFUSED, "mail", count=1)], look(dead={"mail": 1}), []),
    "a pause of what is gone from the configuration is not told": ([], look(paused("gone")), []),
}


def headlines(kept: list[Alert], seen: Look, config: Config = CONFIG) -> list[str]:
    tellings = decide(kept, seen, config).tellings
    assert len(tellings) <= 1
    return [alerts.headline(each, NOW) for telling in tellings for each in telling.troubles]


@pytest.mark.parametrize("case", TABLE)
def test_what_is_told(case: str) -> None:
    kept, seen, expected = TABLE[case]

    assert headlines(kept, seen) == expected


@pytest.mark.parametrize("case", TABLE)
def test_what_was_told_is_not_told_again(case: str) -> None:
    kept, seen, _ = TABLE[case]
    after = decide(kept, seen, CONFIG).kept

    assert decide(after, seen, CONFIG).tellings == ()


def test_others_are_told_when_one_of_those_named_is_in_trouble() -> None:
    (telling,) = decide([], look(paused("mail")), BOTH).tellings

    assert [send.to for send in telling.sends] == ["team"]


def test_a_trouble_that_nobody_could_be_told_of_is_told_once_somebody_can() -> None:
    decision = decide([], look(paused("mail"), paused()), CONFIG)

    assert [alerts.headline(each, NOW) for each in decision.unsaid] == ["crm is paused", "mail is paused"]
    assert headlines(list(decision.kept), look(paused())) == ["crm is paused"]


def test_what_is_over_is_forgotten_after_an_hour() -> None:
    over = told(PAUSED, HOUR, since=None, is_notified=False)
    recent = told(PAUSED, 59 * MINUTE, since=None, is_notified=False)

    assert decide([over], look(), CONFIG).forgotten == (over,)
    assert decide([recent], look(), CONFIG).forgotten == ()


def test_without_quiet_after_no_silence_is_told() -> None:
    config = replace(CONFIG, quiet_after_seconds=None)

    assert headlines([], look(last_received={"clerk": NOW - 99 * HOUR}), config) == []


# -- deaths and words -----------------------------------------------------------------------------


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


def test_deaths_are_counted_by_destination_and_those_of_problems_are_not() -> None:
    dead = [
        retry.after_error(
            claim(type_, name), Reject(why), given.destination(name), now=NOW, chance=0.5, seconds=1.0
        )
        for type_, name, why in [
            ("user.created", "crm", "first"),
            ("user.created", "crm", "410 Gone"),
            ("hub.problem", "mail", "550"),
        ]
    ]
    found = alerts.dead_letters(dead, {"team": 3, "log": 0})

    assert [(each.destination, each.count, each.reason) for each in found] == [
        ("crm", 2, "410 Gone"),
        ("team", 3, "they waited longer than give_up_after"),
    ]


def test_a_message_says_what_since_when_why_and_what_to_do() -> None:
    said = message(
        [trouble(PAUSED, reason="invalid_auth"), trouble(DIED, "team", since=None)],
        now=NOW,
        waiting={"crm": 3},
        dead={"team": 2},
        page="https://hub.example.com",
    )

    assert said["headline"] == "crm is paused; team accepts again"
    assert [(line["label"], line["text"]) for line in said["lines"]] == [
        ("Problem", "crm is paused, since 2026-05-04 11:59 UTC; 3 deliveries wait"),
        ("Reason", "invalid_auth"),
        ("To do", "Put that right, then: hub resume crm"),
        ("Over", "team accepts again"),
        ("To do", "2 dead letters are left: hub retry --state dead --destination team"),
        ("Page", "https://hub.example.com"),
    ]


def test_a_message_stays_short_whatever_happens() -> None:
    many = [trouble(PAUSED, f"crm{number}", reason="x" * 5000) for number in range(50)]
    said = message(many, now=NOW, waiting={}, dead={}, page="https://hub.example.com")

    assert len(said["lines"]) <= 20
    assert said["lines"][-2:] == [
        {"label": "And", "text": "44 more, on the status page"},
        {"label": "Page", "text": "https://hub.example.com"},
    ]
    assert all(len(line["text"]) < 200 for line in said["lines"])
