"""`hub test` says which cases pass, and of the others what was expected and what would have been sent."""

from __future__ import annotations

import json
import time
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner
from servers.program import ROOT
from shell import Run, bare_environment

from hub.__main__ import main
from hub.terminal.junit import JUnitCase, junit

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${SECRET}", ignore: [session.*]}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}"}
  team: {type: slack, webhook_url: "${SLACK_WEBHOOK_URL}"}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: "${EMAIL_FROM}", to: team@example.com}
  log: {type: console}
routes:
"""
USER = """\
  - name: new
    events: user.created
    send:
      - {to: team, text: "*{{ data.first_name }}* signed up"}
      - to: mail
        subject: "Hi {{ data.first_name }}"
        recipient: "{{ data | primary_email }}"
        text: "a\\nb"
        html: "<p>Dear <b>{{ data.first_name }}</b></p>"
      - {to: crm, json: {id: "{{ data.id }}", tags: [a, {n: 1}]}}
"""
CASE = "- name: one\n  event: user.created\n  set: {data.first_name: Ada & Bob}\n  expect:\n"
REST = "    - team\n    - mail\n    - crm\n"


@pytest.fixture
def written(tmp_path: Path, run: Run):
    """`written(cases, routes, "--json")`: the result of `hub test` on these files."""

    def test(cases: str, *arguments: str, routes: str = USER, **env: str):
        (tmp_path / "routes.yaml").write_text(ROUTES + routes)
        (tmp_path / "routes.test.yaml").write_text(cases)
        return run("test", *arguments, env=bare_environment(HUB_CONFIG="routes.yaml", **env))

    return test


def test_the_shipped_cases_pass_without_a_secret_or_a_database(run: Run, tmp_path: Path) -> None:
    result = run("test")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line[0] for line in lines[:-1]] == ["✓"] * 16
    assert lines[-1] == f"{ROOT}/config/routes.test.yaml: 16 cases, all passed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "expected",
    [
        "{to: team, contains: Ada & Bob}",
        "{to: team, contains: [Ada, signed up], route: new}",
        "{to: team, equals: '*Ada & Bob* signed up'}",
        "{to: team, matches: '^.Ada & \\w+. signed'}",
        "{to: team, json: {text: '*Ada &amp; Bob* signed up'}}",
    ],
)
def test_an_expectation_holds(written, expected: str) -> None:
    result = written(f"{CASE}    - mail\n    - {expected}\n    - crm\n")

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
def test_an_expectation_of_a_mail_holds(written, expected: str) -> None:
    result = written(f"{CASE}    - team\n    - {expected}\n    - crm\n")

    assert (result.exit_code, result.stdout) == (0, "✓ one\nroutes.test.yaml: 1 case, all passed\n")


def test_json_may_have_more_keys_than_are_expected(written) -> None:
    result = written(f"{CASE}    - team\n    - mail\n    - {{to: crm, json: {{tags: [a, {{}}]}}}}\n")

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
            "{to: team, matches: '^Ada'}",
            (
                "team (slack) by new: does not match what is expected\n"
                "    expected  ^Ada\n    actual    *Ada & Bob* signed up\n"
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
def test_a_failure_shows_expected_beside_actual(written, expected: str, message: str) -> None:
    rest = REST.replace(f"    - {expected[5:].partition(',')[0]}\n", "")

    result = written(f"{CASE}    - {expected}\n{rest}")

    assert result.exit_code == 1
    expected = f"✗ one\n  routes.test.yaml:5:7: {message}routes.test.yaml: 1 case, 1 failed\n"
    assert result.stdout == expected


def test_colours_are_for_terminals(written) -> None:
    plain = written(f"{CASE}    - {{to: team, equals: x}}\n    - mail\n    - crm\n")
    coloured = CliRunner().invoke(main, ["test"], color=True, env={"HUB_CONFIG": "routes.yaml"})

    assert "\x1b" not in plain.stdout
    assert "\x1b[32mx\x1b[0m" in coloured.stdout
    assert click.unstyle(coloured.stdout) == plain.stdout


def test_a_message_that_is_missing_says_why_no_route_sends_it(written) -> None:
    routes = USER + "  - {name: paid, events: user.created, when: data.locked, send: log}\n"

    result = written(
        f"{CASE}    - team\n    - mail\n    - log\n    - {{to: crm, route: paid}}\n", routes=routes
    )

    assert result.exit_code == 1
    assert (
        "  routes.test.yaml:7:7: log: nothing is sent there; the route paid does not take it: "
        "data.locked: it is False\n"
        "  routes.test.yaml:8:7: crm by paid: nothing is sent there\n"
    ) in result.stdout


def test_a_message_that_is_not_expected_fails_the_case(written) -> None:
    result = written(
        "- name: one\n  event: organization.created\n  expect: []\n", routes=USER + "unmatched: {send: log}\n"
    )

    assert result.exit_code == 1
    assert (
        "✗ one\n  routes.test.yaml:1:3: log (console) by unmatched: this message is not expected\n"
        "    actual    New organization"
    ) in result.stdout


def test_a_second_message_to_the_same_place_is_not_expected_either(written) -> None:
    routes = USER + "  - {name: again, events: user.*, send: {to: team, text: x}}\n"

    result = written(CASE + REST, routes=routes)

    assert result.exit_code == 1
    assert "routes.test.yaml:1:3: team (slack) by again: this message is not expected\n" in result.stdout


def test_the_order_of_what_is_expected_does_not_matter(written) -> None:
    routes = USER + "  - {name: again, events: user.*, send: {to: team, text: x}}\n"

    result = written(
        f"{CASE}    - team\n    - {{to: team, equals: x}}\n    - crm\n    - mail\n", routes=routes
    )
    other = written(
        f"{CASE}    - {{to: team, equals: x}}\n    - team\n    - crm\n    - mail\n", routes=routes
    )

    assert (result.exit_code, other.exit_code) == (0, 0)


def test_an_event_that_the_source_ignores_makes_no_message(written) -> None:
    routes = USER + "unmatched: {send: log}\n"

    result = written("- {name: one, event: session.created, expect: []}\n", routes=routes)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("to", "follows"),
    [
        ("team", "the built-in message would go out instead"),
        ("crm", "the delivery would be dead"),
    ],
)
def test_a_template_that_fails_fails_the_case(written, to: str, follows: str) -> None:
    field = "text" if to == "team" else "body"
    routes = f'  - {{name: new, events: user.created, send: {{to: {to}, {field}: "{{{{ 1 / 0 }}}}"}}}}\n'

    result = written(f"- name: one\n  event: user.created\n  expect:\n    - {to}\n", routes=routes)

    assert result.exit_code == 1
    assert f"by new: template failed: {field}:1: division by zero; {follows}\n" in result.stdout


def test_a_regular_expression_without_end_is_given_up(written) -> None:
    routes = '  - {name: new, events: user.created, send: {to: log, text: "' + "a" * 60 + '!"}}\n'
    began = time.monotonic()

    result = written(
        "- name: one\n  event: user.created\n  expect:\n    - {to: log, matches: '(a+)+$'}\n", routes=routes
    )

    assert result.exit_code == 1
    assert "log (console) by new: the regular expression took more than 1 s; make it simpler" in result.stdout
    assert time.monotonic() - began < 60


def test_control_characters_and_secrets_reach_neither_terminal_nor_report(written, tmp_path: Path) -> None:
    case = """\
- name: "one \\a\\u202e"
  event: invitation.created
  set: {data.url: "https://example.com/?t=hush-hush", data.email_address: "\\e[2J\\a\\u202e"}
  expect: [{to: team, json: {"\\a": 1}, contains: never}]
"""
    text = "{{ data.email_address }} {{ data.url }}"
    routes = f'  - {{name: all, events: invitation.created, send: {{to: team, text: "{text}"}}}}\n'

    result = written(case, "--junit", "junit.xml", routes=routes)

    assert result.exit_code == 1
    assert not [char for char in result.stdout if not char.isprintable() and char != "\n"]
    report = (tmp_path / "junit.xml").read_bytes()
    assert "hush" not in result.stdout + report.decode()
    assert "••••••" in ElementTree.fromstring(report).findtext(".//failure", "")


def test_a_report_for_ci_is_junit_xml(written, tmp_path: Path) -> None:
    cases = (
        CASE + REST + CASE.replace("one", "<two> & \\ud800") + "    - {to: team, equals: '<&>'}\n    - log\n"
    )

    result = written(cases, "--junit", "junit.xml")

    assert result.exit_code == 1
    suite = ElementTree.fromstring((tmp_path / "junit.xml").read_bytes()).find("testsuite")
    assert suite is not None
    counts = {name: suite.get(name) for name in ("name", "tests", "failures", "errors", "skipped")}
    assert counts == {
        "name": "routes.test.yaml",
        "tests": "2",
        "failures": "1",
        "errors": "0",
        "skipped": "0",
    }
    passed, failed = suite.findall("testcase")
    assert (passed.get("name"), passed.get("line"), list(passed)) == ("one", "1", [])
    assert (failed.get("file"), failed.get("line")) == ("routes.test.yaml", "8")
    (failure,) = failed
    assert failure.get("message") == "routes.test.yaml:12:7: team (slack) by new: is not what is expected"
    assert "\n  expected  <&>\n  actual    *Ada & Bob* signed up\n" in (failure.text or "")


def test_a_report_holds_whatever_a_text_holds() -> None:
    odd = "\x00\x1b\ufffe\ud800 <&> \U0001f600"

    (case,) = ElementTree.fromstring(junit(odd, [JUnitCase(name=odd, line=1, error=odd)])).iter("testcase")

    shown = "\N{REPLACEMENT CHARACTER}" * 4 + " <&> \U0001f600"
    assert {case.get("name"), case.get("file"), case.findtext("error")} == {shown}


def test_a_broken_test_file_is_an_error_in_the_report(written, tmp_path: Path) -> None:
    result = written("- nmae: one\n", "--junit", "junit.xml")

    assert result.exit_code == 1
    assert result.stdout.endswith("\n3 errors, no case was run\n")
    errors = ElementTree.fromstring((tmp_path / "junit.xml").read_bytes()).findall(".//error")
    assert len(errors) == 3
    assert str(errors[0].get("message")).startswith("routes.test.yaml:1:3: error[")


def test_json_is_for_tools(written) -> None:
    result = written(f"{CASE}    - {{to: team, equals: x}}\n    - mail\n    - crm\n", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {
            "name": "one",
            "file": "routes.test.yaml",
            "line": 1,
            "passed": False,
            "differences": [
                {
                    "line": 5,
                    "column": 7,
                    "said": "team (slack) by new: is not what is expected",
                    "expected": "x",
                    "actual": "*Ada & Bob* signed up",
                }
            ],
        }
    ]


def test_only_cases_with_a_word_in_their_name_are_run(written) -> None:
    cases = CASE + REST + CASE.replace("one", "Two") + "    - log\n"

    assert written(cases, "-k", "one").stdout == "✓ one\nroutes.test.yaml: 1 case, all passed\n"
    assert written(cases, "-k", "two").exit_code == 1
    nothing = written(cases, "-k", "three")
    assert (nothing.exit_code, nothing.stdout) == (1, 'routes.test.yaml: no case has "three" in its name\n')


@pytest.mark.parametrize("cases", ["", "[]\n", "# - name: later\n"])
def test_no_case_is_no_success(written, cases: str) -> None:
    result = written(cases)

    assert (result.exit_code, result.stdout) == (1, "routes.test.yaml: no case; add one\n")


def test_problems_of_the_test_file_are_shown_with_their_lines(written) -> None:
    result = written(f"{CASE}    - taem\n")

    assert result.exit_code == 1
    assert result.stdout == (
        "routes.test.yaml:5:7: error[unknown-destination]: "
        'there is no destination "taem"; did you mean "team"?\n'
        "  5 |     - taem\n"
        "    |       ^\n"
        "1 error, no case was run\n"
    )


def test_a_broken_configuration_is_shown_instead_of_running(written) -> None:
    result = written(CASE + REST, routes="  - {name: new, events: user.created, send: taem}\n")

    assert result.exit_code == 1
    assert 'error[unknown-destination]: there is no destination "taem"; did you mean "team"?' in result.stdout
    assert result.stdout.endswith("^\n1 error, no case was run\n")


def test_a_file_that_is_not_there(written, run: Run) -> None:
    folder = ROOT / "tests/config/configs/good"
    named = written(CASE + REST, "nope.yaml")
    implied = run(
        "test",
        env=bare_environment(
            HUB_CONFIG=str(folder / "example.yaml"), HUB_TEMPLATES=str(folder / "templates")
        ),
    )

    assert (
        named.exit_code,
        named.stderr,
    ) == (2, "Error: there is no file nope.yaml; name a routes.test.yaml\n")
    assert implied.exit_code == 1
    assert "example.test.yaml:1:1: error[unreadable-file]: the tests cannot be read" in implied.stdout


def test_a_report_that_cannot_be_written_is_one_line(written) -> None:
    result = written(CASE + REST, "--junit", "no/such/folder.xml")

    assert (
        result.exit_code,
        result.stderr,
    ) == (1, "hub: cannot write no/such/folder.xml: No such file or directory\n")


def test_wrong_usage_exits_2(run: Run) -> None:
    assert run("test", "--nope").exit_code == 2
