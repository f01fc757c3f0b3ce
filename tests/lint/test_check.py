"""Routes against the catalog, and `hub check` as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.commands.check import command
from hub.model.problem import Problem, Severity
from hub.rules.load import read_config
from hub.terminal.excerpt import excerpt

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HEAD = f"""\
version: 1
sources:
  clerk: {{type: clerk, path: /a, signing_secret: {SECRET}, extra_events: [plan.changed]}}
  other: {{type: svix, path: /b, signing_secret: {SECRET}}}
destinations: {{log: {{type: console}}}}
unmatched: {{send: log}}
"""


def found(tmp_path: Path, routes: str, head: str = HEAD) -> list[str]:
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
    problems = found(tmp_path, route("a", events, more))

    assert (
        problems == []
        if expected is None
        else problems[0].startswith(f"unknown-event no event type {expected}")
    )


def test_a_wrong_key_does_not_hide_an_unknown_event(tmp_path: Path) -> None:
    problems = found(tmp_path, route("a", "user.creatd", "source: clerk, stopp: true"))

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
    problems = found(tmp_path, route("a", *first) + route("b", *second))
    said = 'no event gets here: the route "a" in line 8 takes them all and has stop: true; move this '
    said += "route above it"

    assert ([f"unreachable-route {said}"] if is_unreachable else []) == problems


def test_a_destination_is_used_by_routes_unmatched_and_problems(tmp_path: Path) -> None:
    head = HEAD.replace(
        "{log: {type: console}}", "{a: {type: console}, b: {type: console}, c: {type: console}}"
    )
    head = head.replace("{send: log}", "{send: a}\nproblems: {send: b}")

    assert found(tmp_path, "", head) == [
        'unused-destination nothing is ever sent to the destination "c"; name it in a route, or remove it'
    ]
    assert found(tmp_path, "  - {name: a, events: user.created, send: [{to: c, text: x}]}\n", head) == []


def test_the_same_message_twice_is_found(tmp_path: Path) -> None:
    sends = "  - {name: a, events: user.created, send: [log, {to: log, text: x}, {to: log, text: x}]ALLOW}\n"

    assert found(tmp_path, sends.replace("ALLOW", "")) == [
        'duplicate-send this sends the same message to "log" a second time; remove it'
    ]
    assert found(tmp_path, sends.replace("ALLOW", ", allow: duplicate-send")) == []


# -- the command ----------------------------------------------------------------------------------


def run(tmp_path: Path, text: str, *arguments: str, colour: bool = False) -> Result:
    path = tmp_path / "routes.yaml"
    path.write_text(text)
    return CliRunner().invoke(command, [str(path), "--templates", str(tmp_path), *arguments], color=colour)


GOOD = HEAD + "routes:\n" + route("a", "user.created")
WARNED = HEAD + "routes:\n" + route("a", "user.created", "stop: true") + route("b", "user.created")
BAD = HEAD + "routes:\n  - name: a\n    events: user.created\n    send: lgo\n"


def test_a_good_configuration_is_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, GOOD)

    assert (0, f"{tmp_path}/routes.yaml: 1 route, 1 destination, no problems\n") == (
        result.exit_code,
        result.output,
    )


def test_a_problem_is_shown_with_its_line_and_a_caret(tmp_path: Path) -> None:
    result = run(tmp_path, BAD)

    expected = f"""\
{tmp_path}/routes.yaml:10:11: error[unknown-destination]: there is no destination "lgo"; did you mean "log"?
  10 |     send: lgo
     |           ^
{tmp_path}/routes.yaml: 1 error
"""
    assert (1, expected) == (result.exit_code, result.output)


def test_colours_are_for_terminals(tmp_path: Path) -> None:
    assert "\x1b[31m" in run(tmp_path, BAD, colour=True).output
    assert "\x1b" not in run(tmp_path, BAD).output


def test_warnings_fail_only_where_asked(tmp_path: Path) -> None:
    result, strict = run(tmp_path, WARNED), run(tmp_path, WARNED, "--strict")

    assert (result.exit_code, strict.exit_code) == (0, 1)
    assert result.output == strict.output
    assert result.output.endswith("routes.yaml: 2 routes, 1 destination, 1 warning\n")


def test_tools_get_json(tmp_path: Path) -> None:
    result = run(tmp_path, BAD, "--json")

    assert result.exit_code == 1
    assert [
        {
            "code": "unknown-destination",
            "severity": "error",
            "file": f"{tmp_path}/routes.yaml",
            "line": 10,
            "column": 11,
            "message": 'there is no destination "lgo"; did you mean "log"?',
        }
    ] == json.loads(result.output)
    assert json.loads(run(tmp_path, GOOD, "--json").output) == []


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / "nope.yaml")])

    assert (2, f"Error: there is no file {tmp_path}/nope.yaml; name a routes.yaml\n") == (
        result.exit_code,
        result.output,
    )


def test_the_usual_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    environment = {"HUB_CONFIG": str(tmp_path / "nope.yaml")}
    result = CliRunner().invoke(command, [], env=environment)

    assert result.exit_code == 1
    assert f"{tmp_path}/nope.yaml: 1 error" == result.output.splitlines()[-1]


def test_checking_imports_no_server_and_no_database() -> None:
    code = "import sys, hub.commands.check, hub.destinations.base as d\n"
    code += "[d.find_destination(name) for name in d.destination_types()]\n"
    code += "print(sorted({'flask', 'svix', 'sqlalchemy', 'gunicorn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


# -- the line with the caret ----------------------------------------------------------------------


def shown(text: str, line: int, column: int, *, may_be_secret: bool = True) -> list[str]:
    problem = Problem(file="f", line=line, column=column, severity=Severity.ERROR, code="x", message="x")
    return excerpt(text, problem, may_be_secret=may_be_secret)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("    webhook_url: https://hooks/s3cret", "    webhook_url: …"),
        ("    webhook_url: ${SLACK_WEBHOOK_URL} # why", "    webhook_url: ${SLACK_WEBHOOK_URL} # why"),
        ("    webhook_url: ${SLACK_WEBHOOK_URL:-s3cret}", "    webhook_url: …"),
        ('    "webhook_url": "s3cret"', '    "webhook_url": …'),
        ("    webhook_url: @s3cret", "    webhook_url: …"),
        ("      - s3cret", "      - …"),
        ("      s3cret", "      …"),
        ("    crm: {type: http, url: s3cret}", "    crm: …"),
        ("    {type: http, url: s3cret}", "    …"),
        ("    'it''s: s3cret", "    …"),
        ("    rate_limit: 50", "    rate_limit: 50"),
        ("    headers:", "    headers:"),
    ],
)
def test_what_may_be_a_secret_is_not_shown(line: str, expected: str) -> None:
    for section in ("sources:", "destinations:", "destinatoins:"):
        assert f"  3 | {expected}" == shown(f"{section}\n  x:\n{line}\n", 3, 5)[0]
    assert f"  3 | {line}" == shown(f"routes:\n  x:\n{line}\n", 3, 5)[0]


def test_a_secret_beside_the_name_of_its_section_is_not_shown() -> None:
    assert shown("destinations: {x: {url: s3cret}}\n", 1, 15)[0] == "  1 | destinations: …"
    assert shown("s3cret", 1, 1)[0] == "  1 | …"
    assert shown("{{ s3cret }", 1, 1, may_be_secret=False)[0] == "  1 | {{ s3cret }"


def test_a_long_line_is_shown_around_the_caret() -> None:
    line, caret = shown("routes: " + "x" * 500 + "!" + "y" * 500, 1, 509)

    assert line[caret.index("^")] == "!"
    assert len(line) <= 110


def test_the_caret_stands_below_its_character_whatever_is_before_it() -> None:
    assert shown("routes: \t東京x", 1, 12) == ["  1 | routes:  東京x", "    |              ^"]
    assert shown("routes: e\u0301x", 1, 11) == ["  1 | routes: e\u0301x", "    |          ^"]


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert shown("routes:\x1b[31mx", 1, 1)[0] == "  1 | routes: [31mx"


def test_there_may_be_no_such_line() -> None:
    assert [shown("a\n", 9, 1), shown("\n", 1, 1)] == [[], []]
