"""`hub test` says which cases pass, and of the others what was expected and what would have been sent."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from case_files import CASE, REST, USER
from click.testing import CliRunner
from servers.program import ROOT
from shell import Run, bare_environment

from hub.__main__ import main


def test_the_shipped_cases_pass_without_a_secret_or_a_database(run: Run, tmp_path: Path) -> None:
    result = run("test")

    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line[0] for line in lines[:-1]] == ["✓"] * 15
    assert lines[-1] == f"{ROOT}/config/routes.test.yaml: 15 cases, all passed"
    assert list(tmp_path.iterdir()) == []


def test_colours_are_for_terminals(run_cases) -> None:
    plain = run_cases(f"{CASE}    - {{to: team, equals: x}}\n    - mail\n    - crm\n")
    coloured = CliRunner().invoke(main, ["test"], color=True, env={"HUB_CONFIG": "routes.yaml"})

    assert "\x1b" not in plain.stdout
    assert "\x1b[32mx\x1b[0m" in coloured.stdout
    assert click.unstyle(coloured.stdout) == plain.stdout


def test_control_characters_and_secrets_reach_neither_terminal_nor_report(run_cases, tmp_path: Path) -> None:
    case = """\
- name: "one \\a\\u202e"
  event: invitation.created
  set: {data.url: "https://example.com/?t=hush-hush", data.email_address: "\\e[2J\\a\\u202e"}
  expect: [{to: team, json: {"\\a": 1}, contains: never}]
"""
    text = "{{ data.email_address }} {{ data.url }}"
    routes = f'  - {{name: all, events: invitation.created, send: {{to: team, text: "{text}"}}}}\n'

    result = run_cases(case, "--junit", "junit.xml", routes=routes)

    assert result.exit_code == 1
    assert not [char for char in result.stdout if not char.isprintable() and char != "\n"]
    report = (tmp_path / "junit.xml").read_bytes()
    assert "hush" not in result.stdout + report.decode()
    assert "••••••" in ElementTree.fromstring(report).findtext(".//failure", "")


def test_a_report_for_ci_is_junit_xml(run_cases, tmp_path: Path) -> None:
    cases = (
        CASE + REST + CASE.replace("one", "<two> & \\ud800") + "    - {to: team, equals: '<&>'}\n    - log\n"
    )

    result = run_cases(cases, "--junit", "junit.xml")

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


def test_a_broken_test_file_is_an_error_in_the_report(run_cases, tmp_path: Path) -> None:
    result = run_cases("- nmae: one\n", "--junit", "junit.xml")

    assert result.exit_code == 1
    assert result.stdout.endswith("\n2 errors, no case was run\n")
    errors = ElementTree.fromstring((tmp_path / "junit.xml").read_bytes()).findall(".//error")
    assert len(errors) == 2
    assert str(errors[0].get("message")).startswith("routes.test.yaml:1:3: error[")


def test_json_is_for_tools(run_cases) -> None:
    result = run_cases(f"{CASE}    - {{to: team, equals: x}}\n    - mail\n    - crm\n", "--json")

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


def test_only_cases_with_a_word_in_their_name_are_run(run_cases) -> None:
    cases = CASE + REST + CASE.replace("one", "Two") + "    - log\n"

    assert run_cases(cases, "-k", "one").stdout == "✓ one\nroutes.test.yaml: 1 case, all passed\n"
    assert run_cases(cases, "-k", "two").exit_code == 1
    nothing = run_cases(cases, "-k", "three")
    assert (nothing.exit_code, nothing.stdout) == (1, 'routes.test.yaml: no case has "three" in its name\n')


@pytest.mark.parametrize("cases", ["", "[]\n", "# - name: later\n"])
def test_no_case_is_no_success(run_cases, cases: str) -> None:
    result = run_cases(cases)

    assert (result.exit_code, result.stdout) == (1, "routes.test.yaml: no case; add one\n")


def test_problems_of_the_test_file_are_shown_with_their_lines(run_cases) -> None:
    result = run_cases(f"{CASE}    - taem\n")

    assert result.exit_code == 1
    assert result.stdout == (
        "routes.test.yaml:5:7: error[unknown-destination]: "
        'there is no destination "taem"; did you mean "team"?\n'
        "  5 |     - taem\n"
        "    |       ^\n"
        "1 error, no case was run\n"
    )


def test_a_broken_configuration_is_shown_instead_of_running(run_cases) -> None:
    result = run_cases(CASE + REST, routes="  - {name: new, events: user.created, send: taem}\n")

    assert result.exit_code == 1
    assert 'error[unknown-destination]: there is no destination "taem"; did you mean "team"?' in result.stdout
    assert result.stdout.endswith("^\n1 error, no case was run\n")


def test_a_file_that_is_not_there(run_cases, run: Run) -> None:
    folder = ROOT / "tests/config/configs/good"
    named = run_cases(CASE + REST, "nope.yaml")
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


def test_a_report_that_cannot_be_run_cases_is_one_line(run_cases) -> None:
    result = run_cases(CASE + REST, "--junit", "no/such/folder.xml")

    assert (
        result.exit_code,
        result.stderr,
    ) == (1, "hub: cannot write no/such/folder.xml: No such file or directory\n")


def test_a_name_that_is_no_link_is_expected_as_it_reads(run_cases) -> None:
    case = CASE.replace("Ada & Bob", "St. Ives")
    expected = (
        "    - {to: team, equals: St. Ives signed up}\n    - {to: mail, subject: Hi St. Ives}\n    - crm\n"
    )
    result = run_cases(
        case + expected,
        routes=USER.replace("*{{ data.first_name }}*", "{{ data.first_name | plain }}").replace(
            "Hi {{ data.first_name }}", "Hi {{ data.first_name | plain(40) }}"
        ),
    )

    assert result.exit_code == 0, result.output


def test_wrong_usage_exits_2(run: Run) -> None:
    assert run("test", "--nope").exit_code == 2
