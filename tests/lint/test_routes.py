"""Routes as wholes against the catalog."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.rules.load import read_config

KEYS = "signing_secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, allow: secret-in-file"
HEAD = f"""\
version: 1
sources:
  clerk: {{type: clerk, path: /a, {KEYS}, extra_events: [plan.changed]}}
  other: {{type: svix, path: /b, {KEYS}}}
destinations: {{log: {{type: console}}}}
unmatched: {{send: log}}
"""


def problems_of(tmp_path: Path, routes: str, head: str = HEAD) -> list[str]:
    path = tmp_path / "routes.yaml"
    path.write_text(head + "routes:\n" + routes)
    _, problems = read_config(path, tmp_path / "templates", {})
    return [f"{problem.code} {problem.message}" for problem in problems]


def route(name: str, events: str, more: str = "") -> str:
    return f"  - {{name: {name}, events: {events}, send: log{', ' if more else ''}{more}}}\n"


# -- event types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "more", "expected"),
    [
        ("user.created", "source: clerk", None),
        ("plan.changed", "source: clerk", None),
        ('"plan.*"', "source: clerk", None),
        ('"*"', "source: clerk", None),
        ('"*.created"', "source: clerk", None),
        ("waitlist*", "source: clerk", None),
        ("user.creatd", "source: other", None),
        ("user.creatd", "source: [clerk, other]", None),
        ("user.creatd", "", None),
        ("user.creatd", "source: clerk, allow: [unknown-event]", None),
        (
            "user.creatd",
            "source: clerk, enabled: false",
            'is called "user.creatd"; did you mean "user.created"?',
        ),
        ("[user.created, users.*]", "source: clerk", 'matches "users.*"; did you mean "user.*"?'),
        (
            "nonsense",
            "source: clerk",
            'is called "nonsense"; "hub events" lists them, and extra_events of a source',
        ),
    ],
)
def test_an_event_type_that_no_source_sends_is_found(
    tmp_path: Path, events: str, more: str, expected: str | None
) -> None:
    problems = problems_of(tmp_path, route("a", events, more))

    assert (
        problems == []
        if expected is None
        else problems[0].startswith(f"unknown-event no event type {expected}")
    )


def test_a_wrong_key_does_not_hide_an_unknown_event(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, route("a", "user.creatd", "source: clerk, stopp: true"))

    assert [problem.partition(" ")[0] for problem in problems] == ["unknown-event", "unknown-key"]


# -- routes together ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "is_unreachable"),
    [
        (("user.created", "stop: true"), ("user.created", ""), True),
        (("user.*", "stop: true"), ("user.created", ""), True),
        (('"*"', "stop: true"), ("[user.*, session.created]", ""), True),
        (("[user.*, session.*]", "stop: true"), ("[user.created, session.created]", ""), True),
        (("user.*", "stop: true"), ("user.*", "source: clerk"), True),
        (("user.*", "stop: true, source: [clerk, other]"), ("user.*", ""), True),
        (("user.created", ""), ("user.created", ""), False),
        (("user.created", "stop: true"), ("user.*", ""), False),
        (("user.created", "stop: true"), ("[user.created, user.deleted]", ""), False),
        (("user.*", "stop: true, when: data.id"), ("user.created", ""), False),
        (("user.*", "stop: true, enabled: false"), ("user.created", ""), False),
        (("user.*", "stop: true, source: clerk"), ("user.*", ""), False),
        (("user.*", "stop: true"), ("user.created", "allow: [unreachable-route]"), False),
    ],
)
def test_a_route_that_an_earlier_stop_covers_is_found(
    tmp_path: Path, first: tuple[str, str], second: tuple[str, str], is_unreachable: bool
) -> None:
    problems = problems_of(tmp_path, route("a", *first) + route("b", *second))
    message = 'no event gets here: the route "a" in line 8 takes them all and has stop: true; move this '
    message += "route above it"

    assert ([f"unreachable-route {message}"] if is_unreachable else []) == problems


def test_a_destination_is_used_by_routes_unmatched_and_problems(tmp_path: Path) -> None:
    head = HEAD.replace(
        "{log: {type: console}}", "{a: {type: console}, b: {type: console}, c: {type: console}}"
    )
    head = head.replace("{send: log}", "{send: a}\nproblems: {send: b}")

    assert problems_of(tmp_path, "  []\n", head) == [
        'unused-destination nothing is ever sent to the destination "c"; name it in a route, or remove it'
    ]
    assert (
        problems_of(tmp_path, "  - {name: a, events: user.created, send: [{to: c, text: x}]}\n", head) == []
    )


def test_the_same_message_twice_is_found(tmp_path: Path) -> None:
    sends = "  - {name: a, events: user.created, send: [log, {to: log, text: x}, {to: log, text: x}]ALLOW}\n"

    assert problems_of(tmp_path, sends.replace("ALLOW", "")) == [
        'duplicate-send this sends the same message to "log" a second time; remove it'
    ]
    assert problems_of(tmp_path, sends.replace("ALLOW", ", allow: duplicate-send")) == []


def test_stops_that_cover_a_route_together_are_named_together(tmp_path: Path) -> None:
    first = route("a", "user.created", "source: clerk, stop: true")
    second = route("b", "[user.updated, user.deleted]", "source: clerk, stop: true")
    covered = route("c", "user.*", "source: clerk")

    assert problems_of(tmp_path, first + second + covered) == [
        (
            'unreachable-route no event gets here: "a" in line 8 and "b" in line 9 take them all and have '
            "stop: true; move this route above them"
        )
    ]
    assert problems_of(tmp_path, first + covered) == []
    assert problems_of(tmp_path, first + second + route("c", "user.*")) == []
    assert problems_of(tmp_path, first + second + route("c", "user.*", "source: clerk, enabled: false")) == []


def test_what_a_destination_or_a_source_allows_is_not_told(tmp_path: Path) -> None:
    allowing = HEAD.replace("type: console", "type: console, allow: [unused-destination, one-time-secret]")
    secret = "  - {name: a, events: invitation.created, send: {to: log, text: '{{ data.url }}'}}\n"
    ignoring = HEAD.replace("type: clerk,", "type: clerk, ignore: [usr.created],")
    allowed = ignoring.replace("allow: secret-in-file", "allow: [secret-in-file, unknown-event]")

    assert [problem.partition(" ")[0] for problem in problems_of(tmp_path, secret)] == ["one-time-secret"]
    assert problems_of(tmp_path, secret, allowing) == []
    assert problems_of(tmp_path, "  []\n", allowing.replace("unmatched: {send: log}", "")) == []
    assert [problem.partition(" ")[0] for problem in problems_of(tmp_path, "  []\n", ignoring)] == [
        "unknown-event"
    ]
    assert problems_of(tmp_path, "  []\n", allowed) == []
