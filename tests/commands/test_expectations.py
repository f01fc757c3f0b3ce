"""A case passes where every message is expected and as expected, and fails with the reason otherwise."""

from __future__ import annotations

import time

import pytest
from case_files import CASE, REST, USER


@pytest.mark.parametrize(
    "expected",
    [
        "{to: team, contains: Ada & Bob}",
        "{to: team, contains: [Ada, signed up], route: new}",
        "{to: team, equals: '*Ada & Bob* signed up'}",
        "{to: team, equals: 'Ada & Bob signed up'}",
        "{to: team, matches: '^.Ada & \\w+. signed'}",
        "{to: team, json: {text: '*Ada &amp; Bob* signed up'}}",
    ],
)
def test_an_expectation_holds(run_cases, expected: str) -> None:
    result = run_cases(f"{CASE}    - mail\n    - {expected}\n    - crm\n")

    assert (result.exit_code, result.stdout) == (0, "✓ one\nroutes.test.yaml: 1 case, all passed\n")


@pytest.mark.parametrize(
    "expected",
    [
        "{to: mail, subject: Hi Ada & Bob, recipient: mara.lindqvist@example.com}",
        "{to: mail, contains: Dear Ada & Bob}",
        "{to: mail, contains: a b}",
        '{to: mail, equals: "a\\nb\\n"}',
        "{to: mail, matches: '^b$'}",
    ],
)
def test_an_expectation_of_a_mail_holds(run_cases, expected: str) -> None:
    result = run_cases(f"{CASE}    - team\n    - {expected}\n    - crm\n")

    assert (result.exit_code, result.stdout) == (0, "✓ one\nroutes.test.yaml: 1 case, all passed\n")


def test_json_may_have_more_keys_than_are_expected(run_cases) -> None:
    result = run_cases(f"{CASE}    - team\n    - mail\n    - {{to: crm, json: {{tags: [a, {{}}]}}}}\n")

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (
            "{to: team, contains: Eve}",
            (
                "team (slack) by new: does not contain what is expected\n"
                "    expected  Eve\n    actual    *Ada & Bob* signed up\n"
            ),
        ),
        (
            "{to: team, matches: '^Bob'}",
            (
                "team (slack) by new: does not match what is expected\n"
                "    expected  ^Bob\n    actual    *Ada & Bob* signed up\n"
            ),
        ),
        (
            '{to: team, equals: "x\\ny"}',
            (
                "team (slack) by new: is not what is expected\n"
                "    expected  x\n              y\n    actual    *Ada & Bob* signed up\n"
            ),
        ),
        (
            "{to: mail, subject: Hi}",
            "mail (email) by new: has another subject\n    expected  Hi\n    actual    Hi Ada & Bob\n",
        ),
        (
            "{to: mail, recipient: eve@example.com}",
            (
                "mail (email) by new: goes to another recipient\n"
                "    expected  eve@example.com\n    actual    mara.lindqvist@example.com\n"
            ),
        ),
        (
            "{to: crm, json: {tags: [a, {n: 2}]}}",
            "crm (http) by new: has other JSON at tags[1].n\n    expected  2\n    actual    1\n",
        ),
        (
            "{to: crm, json: {tags: [a]}}",
            'crm (http) by new: has other JSON at tags\n    expected  ["a"]\n    actual    ["a", {"n": 1}]\n',
        ),
        (
            "{to: crm, json: {name: x}}",
            'crm (http) by new: has other JSON at name\n    expected  "x"\n    actual    (missing)\n',
        ),
    ],
)
def test_a_failure_shows_expected_beside_actual(run_cases, expected: str, message: str) -> None:
    rest = REST.replace(f"    - {expected[5:].partition(',')[0]}\n", "")

    result = run_cases(f"{CASE}    - {expected}\n{rest}")

    assert result.exit_code == 1
    expected = f"✗ one\n  routes.test.yaml:5:7: {message}routes.test.yaml: 1 case, 1 failed\n"
    assert result.stdout == expected


def test_a_message_that_is_missing_says_why_no_route_sends_it(run_cases) -> None:
    routes = USER + "  - {name: paid, events: user.created, when: data.locked, send: log}\n"

    result = run_cases(
        f"{CASE}    - team\n    - mail\n    - log\n    - {{to: crm, route: paid}}\n", routes=routes
    )

    assert result.exit_code == 1
    assert (
        "  routes.test.yaml:7:7: log: nothing is sent there; the route paid does not take it: "
        "data.locked: it is False\n"
        "  routes.test.yaml:8:7: crm by paid: nothing is sent there\n"
    ) in result.stdout


def test_a_message_that_is_not_expected_fails_the_case(run_cases) -> None:
    result = run_cases(
        "- name: one\n  event: organization.created\n  expect: []\n", routes=USER + "unmatched: {send: log}\n"
    )

    assert result.exit_code == 1
    assert (
        "✗ one\n  routes.test.yaml:1:3: log (console) by unmatched: this message is not expected\n"
        "    actual    Harbor & Pine was created"
    ) in result.stdout


def test_a_second_message_to_the_same_place_is_not_expected_either(run_cases) -> None:
    routes = USER + "  - {name: again, events: user.*, send: {to: team, text: x}}\n"

    result = run_cases(CASE + REST, routes=routes)

    assert result.exit_code == 1
    assert "routes.test.yaml:1:3: team (slack) by again: this message is not expected\n" in result.stdout


def test_the_order_of_what_is_expected_does_not_matter(run_cases) -> None:
    routes = USER + "  - {name: again, events: user.*, send: {to: team, text: x}}\n"

    result = run_cases(
        f"{CASE}    - team\n    - {{to: team, equals: x}}\n    - crm\n    - mail\n", routes=routes
    )
    other = run_cases(
        f"{CASE}    - {{to: team, equals: x}}\n    - team\n    - crm\n    - mail\n", routes=routes
    )

    assert (result.exit_code, other.exit_code) == (0, 0)


def test_an_event_that_the_source_ignores_makes_no_message(run_cases) -> None:
    routes = USER + "unmatched: {send: log}\n"

    result = run_cases("- {name: one, event: session.created, expect: []}\n", routes=routes)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("to", "follows"),
    [
        ("team", "the built-in message would go out instead"),
        ("crm", "the delivery would be dead"),
    ],
)
def test_a_template_that_fails_fails_the_case(run_cases, to: str, follows: str) -> None:
    field = "text" if to == "team" else "body"
    routes = f'  - {{name: new, events: user.created, send: {{to: {to}, {field}: "{{{{ 1 / 0 }}}}"}}}}\n'

    result = run_cases(f"- name: one\n  event: user.created\n  expect:\n    - {to}\n", routes=routes)

    assert result.exit_code == 1
    assert f"by new: template failed: {field}:1: division by zero; {follows}\n" in result.stdout


def test_a_regular_expression_without_end_is_given_up(run_cases) -> None:
    routes = '  - {name: new, events: user.created, send: {to: log, text: "' + "a" * 60 + '!"}}\n'
    began = time.monotonic()

    result = run_cases(
        "- name: one\n  event: user.created\n  expect:\n    - {to: log, matches: '(a+)+$'}\n", routes=routes
    )

    assert result.exit_code == 1
    assert "log (console) by new: the regular expression took more than 1 s; make it simpler" in result.stdout
    assert time.monotonic() - began < 90


def test_a_form_is_looked_at_field_by_field(run_cases) -> None:
    form = "{to: crm, form: {To: [a, b], Body: '{{ data.first_name }}'}}"
    routes = f"  - name: new\n    events: user.created\n    send:\n      - {form}\n"
    result = run_cases(f"{CASE}    - {{to: crm, json: {{Body: Ada & Bob, To: [a, b]}}}}\n", routes=routes)

    assert (result.exit_code, result.stdout) == (0, "✓ one\nroutes.test.yaml: 1 case, all passed\n")
