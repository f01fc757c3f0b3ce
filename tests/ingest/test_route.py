"""The routes that take an event, and the verdicts of those that do not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import given
import pytest

from hub.ingest.route import Rules, match
from hub.model.event import Event
from hub.model.routing import UNMATCHED, Routing, Send, Verdict, event_matches


def taken(rules: Rules, event: Event) -> list[str]:
    return list(match(rules, event).routes)


@pytest.mark.parametrize(
    ("pattern", "event_type", "fits"),
    [
        ("user.created", "user.created", True),
        ("user.created", "user.createdx", False),
        ("user.created", "xuser.created", False),
        ("user.created", "userxcreated", False),
        ("user.*", "user.created", True),
        ("user.*", "user.", True),
        ("user.*", "users.created", False),
        ("*.created", "user.created", True),
        ("*", "anything at all", True),
        ("*", "two\nlines", True),
        ("waitlist*", "waitlistEntry.created", True),
        ("*Member*", "organizationMembership.deleted", True),
        ("organization*.*ted", "organizationInvitation.accepted", True),
        ("organization*.*ted", "organizationInvitation.revoked", False),
        ("user.[a-z]+", "user.created", False),
        ("user.?", "user.x", False),
        ("user.*", "USER.created", False),
    ],
)
def test_patterns(pattern: str, event_type: str, fits: bool) -> None:
    assert event_matches(pattern, event_type) is fits


def test_all_matching_routes_fire_in_order() -> None:
    rules = given.rules(
        given.route("first", ("user.*",)),
        given.route("other", ("session.*",)),
        given.route("second", ("session.*", "user.created")),
    )

    assert taken(rules, given.event("user.created")) == ["first", "second"]


def test_stop_ends_the_walk_only_where_it_matches() -> None:
    rules = given.rules(
        given.route("no", ("*",), when=("data.x",), stop=True),
        given.route("yes", ("*",), stop=True),
        given.route("later", ("*",)),
    )

    assert taken(rules, given.event()) == ["yes"]
    assert [verdict.route for verdict in match(rules, given.event()).verdicts] == ["no", "yes"]


def test_sources_are_told_apart() -> None:
    rules = given.rules(
        given.route("any", ("*",)),
        given.route("clerk", ("*",), sources=("clerk",)),
        given.route("both", ("*",), sources=("svix", "clerk")),
        given.route("svix", ("*",), sources=("svix",)),
    )

    assert taken(rules, given.event()) == ["any", "clerk", "both"]
    assert taken(rules, given.event(source="svix")) == ["any", "both", "svix"]


def test_a_route_that_is_switched_off_takes_nothing_and_says_nothing() -> None:
    routing = match(given.rules(given.route("off", ("*",), enabled=False)), given.event())

    assert routing == Routing(version="1")


def test_nothing_is_owed_to_a_destination_that_is_switched_off() -> None:
    destinations = (given.destination("log"), given.destination("off", enabled=False))
    rules = given.rules(
        given.route("a", ("*",), "off", "log"), given.route("b", ("*",), "off"), destinations=destinations
    )
    routing = match(rules, given.event())

    assert [(routed.route, routed.send.to) for routed in routing.sends] == [("a", "log")]
    assert routing.routes == ("a", "b")
    assert [(verdict.matched, verdict.owed, verdict.unowed) for verdict in routing.verdicts] == [
        (True, 1, "off is switched off"),
        (True, 0, "off is switched off"),
    ]


def test_destinations_that_are_switched_off_are_named_once() -> None:
    destinations = tuple(given.destination(name, enabled=name == "log") for name in ("log", "crm", "mail"))
    rules = given.rules(
        given.route("a", ("*",), "crm", "mail", "crm"),
        given.route("b", ("*",), "log"),
        destinations=destinations,
    )
    verdicts = match(rules, given.event()).verdicts

    assert [(verdict.owed, verdict.unowed) for verdict in verdicts] == [
        (0, "crm and mail are switched off"),
        (1, None),
    ]


def test_a_mirror_is_owed_the_types_alone_that_it_keeps_and_the_verdict_says_so() -> None:
    destinations = tuple(given.destination(name, enabled=name != "off") for name in ("log", "db", "off"))
    route = given.route("all", ("*",), "db", "log", "off")
    mirroring = replace(
        route, sends=(replace(route.sends[0], mirrored=frozenset(("user.created",))), *route.sends[1:])
    )
    rules = given.rules(mirroring, destinations=destinations)
    kept, other = (match(rules, given.event(name)) for name in ("user.created", "email.created"))

    assert [routed.send.to for routed in kept.sends] == ["db", "log"]
    assert [routed.send.to for routed in other.sends] == ["log"]
    assert [(verdict.owed, verdict.unowed) for verdict in (*kept.verdicts, *other.verdicts)] == [
        (2, "off is switched off"),
        (1, "off is switched off; db is no mirror of email.created"),
    ]


def test_the_unmatched_block_takes_what_no_route_takes() -> None:
    rules = given.rules(given.route("users", ("user.*",)), unmatched=(Send(to="log"),))
    routing = match(rules, given.event("session.created"))

    assert [routed.route for routed in routing.sends] == [UNMATCHED]
    assert routing.routes == ()
    assert taken(rules, given.event("user.created")) == ["users"]


def test_an_event_that_matches_nothing_is_owed_to_nobody() -> None:
    destinations = (given.destination("log", enabled=False),)

    assert taken(given.rules(), given.event()) == []
    assert taken(given.rules(unmatched=(Send(to="log"),), destinations=destinations), given.event()) == []


def test_rules_remember_types_but_not_conditions() -> None:
    rules = given.rules(given.route("big", ("*",), when=("data.n > 1",)))

    assert taken(rules, given.event(data={"n": 2})) == ["big"]
    assert taken(rules, given.event(data={"n": 1})) == []


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("data.status == 'active'", 'data.status is "past_due"'),
        ("data.status in ['a', 'b']", 'data.status is "past_due"'),
        ("data.amount > 500", "data.amount is 400"),
        ("data.amount not in [400]", "data.amount is 400"),
        ("data.missing == 'x'", "data.missing is missing"),
        ("data.missing", "it is missing"),
        ("data.status | upper == 'ACTIVE'", 'data.status | upper is "PAST_DUE"'),
        ("(data.missing | default('')).endswith('@x.test')", "(data.missing | default('')) is \"\""),
        ("not data.status.startswith('past')", 'data.status is "past_due"'),
        ("data.status == 'x' or data.amount > 500", 'data.status is "past_due"'),
        ("data.amount and data.status == 'x'", "it is False"),
        ("data.status | default('a in b') == 'x'", "it is False"),
        # A method that is not called is no value: not of a mapping, nor of a text or a list.
        ("data.metadata.items", "it is missing"),
        ("data.status.title", "it is missing"),
        ("data.flags.count", "it is missing"),
        ("data.none", "it is missing"),
        ("data.empty", "it is []"),
        ("data.status is none", "it is False"),
        ("data.quoted == 1", "data.quoted is \"a 'b'\""),
        ("data.lines == 1", 'data.lines is "a b"'),
        ("data.flags[type == 'x'] == 2", "it is False"),
    ],
)
def test_the_condition_that_failed_is_kept_with_the_value_it_saw(condition: str, value: str) -> None:
    data = {
        "status": "past_due",
        "amount": 400,
        "none": None,
        "empty": [],
        "quoted": 'a "b"',
        "lines": "a\n\x00\u202eb",
        "flags": [1],
        "metadata": {},
    }
    rules = given.rules(given.route("r", ("*",), when=("data.status", condition, "data.never_asked")))
    (verdict,) = match(rules, given.event(data=data)).verdicts

    assert verdict == Verdict(route="r", matched=False, condition=condition, value=value)


@pytest.mark.parametrize(
    "condition", ["data.x + 1", "1 // 0", "data.x | int + data.x", "range(999999999) | list", "data.("]
)
def test_a_condition_that_fails_while_it_runs_does_not_match_and_says_why(condition: str) -> None:
    rules = given.rules(given.route("broken", ("*",), when=(condition,)), given.route("fine", ("*",)))
    routing = match(rules, given.event(data={"x": "text"}))
    broken = routing.verdicts[0]

    assert routing.routes == ("fine",)
    assert (broken.matched, broken.condition) == (False, condition)
    assert (broken.value or "").startswith("failed: ")


def test_what_a_verdict_keeps_is_bounded() -> None:
    rules = given.rules(given.route("r", ("*",), when=("data.x == 1",)))
    for huge in ("x" * 100_000, list(range(100_000)), {"k" * 9999: 1}):
        (verdict,) = match(rules, given.event(data={"x": huge})).verdicts

        assert len(verdict.value or "") <= 161


def test_a_verdict_holds_no_one_time_secret() -> None:
    link = "https://example.com/?ticket=" + "t" * 200
    rules = given.rules(given.route("r", ("*",), when=("data.url == 1",)))
    (verdict,) = match(rules, given.event("invitation.created", data={"url": link})).verdicts

    assert "tt" not in (verdict.value or "")


@pytest.mark.parametrize("data", [None, [], "text", 7, True, {"data": None}])
def test_data_of_any_shape_is_routed(data: Any) -> None:
    event = given.event(payload=b'{"type": "x", "data": %s}' % json.dumps(data).encode())
    rules = given.rules(given.route("r", ("*",), when=("data.a.b == 1",)), given.route("all", ("*",)))

    assert taken(rules, event) == ["all"]


# -- variables in conditions ----------------------------------------------------------------------


def of_condition(condition: str, *unset: str, **environment: str) -> Rules:
    route = given.route("all", ("*",), when=(condition,), unset={condition: unset} if unset else {})
    return given.rules(route, environment=environment)


def test_a_route_that_lacks_a_variable_is_not_decided() -> None:
    (verdict,) = match(of_condition("data.id == ${ADMIN}", "ADMIN"), given.event()).verdicts

    assert (verdict.matched, verdict.unset) == (False, ("ADMIN",))
    assert (verdict.condition, verdict.value) == ("data.id == ${ADMIN}", "not configured: ADMIN is not set")


def test_a_condition_before_it_decides_all_the_same() -> None:
    route = given.route("all", ("*",), when=("false", "${A}"), unset={"${A}": ("A",)})
    (verdict,) = match(given.rules(route), given.event()).verdicts

    assert (verdict.condition, verdict.unset) == ("false", ())


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ("${SECRET} == data.id", "it is False"),
        ("data.id == ${SECRET}", 'data.id is "user_1"'),
        ("(data.id ~ ${SECRET}).endswith(data.id)", "it is False"),
        (
            "data.id + ${SECRET} + 1",
            'failed: "+" puts no number behind a text; write "~" to put texts together',
        ),
        ("data.text == 'x'", 'data.text is "say ${SECRET}!"'),
        ("data.nothing[${SECRET}]", "it is missing"),
        ("(1).__class__[${SECRET}]", "it is missing"),
    ],
)
def test_no_verdict_holds_the_value_of_a_variable(condition: str, value: str) -> None:
    route = given.route("all", ("*",), when=(condition,))
    rules = given.rules(route, environment={"SECRET": "swordfish"}, secrets=("SECRET",))
    event = given.event(data={"id": "user_1", "text": "say swordfish!"})
    (verdict,) = match(rules, event).verdicts

    assert verdict.matched is False
    assert verdict.condition == condition
    assert "swordfish" not in str(verdict)
    assert verdict.value == value


def test_an_error_that_quotes_a_variable_names_it() -> None:
    condition = "data.id in ${LIST} | batch(${LIST})"
    rules = of_condition(condition, LIST="seven words")
    (verdict,) = match(rules, given.event()).verdicts

    assert "seven" not in str(verdict)
