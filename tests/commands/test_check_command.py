"""`hub check`, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hub.commands.check import command

KEYS = "signing_secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, allow: secret-in-file"
HEAD = f"""\
version: 1
sources:
  clerk: {{type: clerk, path: /a, {KEYS}, extra_events: [plan.changed]}}
  other: {{type: svix, path: /b, {KEYS}}}
destinations: {{log: {{type: console}}}}
unmatched: {{send: log}}
"""


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def route(name: str, events: str, more: str = "") -> str:
    return f"  - {{name: {name}, events: {events}, send: log{', ' if more else ''}{more}}}\n"


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


def test_checking_imports_no_server_and_no_database_where_there_is_no_mirror() -> None:
    code = "import sys, hub.commands.check, hub.destinations.base as d\n"
    code += "[d.find_destination(name) for name in d.destination_types() if name != 'database']\n"
    code += "print(sorted({'flask', 'svix', 'sqlalchemy', 'gunicorn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_a_proxy_in_the_environment_is_a_note_that_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:sesame@proxy.test:3128")
    monkeypatch.setenv("all_proxy", "")
    result = run(tmp_path, GOOD, "--strict")

    assert result.exit_code == 0
    assert result.output.endswith(
        "no problems\nnote: HTTPS_PROXY in the environment: the hub does not read that; "
        "the key proxy in routes.yaml names one\n"
    )
