"""docs/problems.md has every code there is, and each of its examples has that one problem."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from hub.model.problem import Code
from hub.preview.cases.file import read_cases
from hub.rules.load import load_config, read_config

CHECKOUT = Path(__file__).parents[2]
DOCUMENT = (CHECKOUT / "docs/problems.md").read_text("utf-8")
PARTS = re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", DOCUMENT, re.DOTALL | re.MULTILINE)
EXAMPLES = [
    (code, block) for code, part in PARTS for block in re.findall(r"```yaml\n(.*?)```", part, re.DOTALL)
]

ENVIRONMENT = {
    "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "HOOK": "https://hooks.slack.com/services/a/b/c",
}
REST = {
    "version": "version: 1",
    "sources": """\
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}""",
    "destinations": """\
destinations:
  team: {type: slack, webhook_url: "${HOOK}"}
  log: {type: console}
problems: {send: [team, log]}""",
}


def whole(fragment: str) -> str:
    """The fragment with the sections that it leaves out."""
    return "\n".join(
        [fragment, *(text for name, text in REST.items() if not re.search(f"^{name}:", fragment, re.M))]
    )


def test_every_code_is_there_once_with_an_example() -> None:
    assert sorted(code for code, _ in PARTS) == sorted(Code)
    assert {code for code, _ in EXAMPLES} == set(Code)


@pytest.mark.parametrize(("code", "fragment"), EXAMPLES, ids=[code for code, _ in EXAMPLES])
def test_an_example_has_this_one_problem(tmp_path: Path, code: str, fragment: str) -> None:
    routes, tests = tmp_path / "routes.yaml", tmp_path / "routes.test.yaml"
    if fragment.startswith("- "):
        routes.write_text(whole(""))
        tests.write_text(fragment)
        _, problems = read_cases(tests, load_config(routes, CHECKOUT / "templates", ENVIRONMENT))
    else:
        routes.write_text(whole(fragment))
        _, problems = read_config(routes, CHECKOUT / "templates", ENVIRONMENT)

    assert [problem.code for problem in problems] == [code], [str(problem) for problem in problems]


def test_what_stands_around_an_example_is_right(tmp_path: Path) -> None:
    (tmp_path / "routes.yaml").write_text(whole(""))

    assert read_config(tmp_path / "routes.yaml", CHECKOUT / "templates", ENVIRONMENT)[1] == ()
    assert yaml.safe_load(whole("")).keys() == {"version", "sources", "destinations", "problems"}


@pytest.mark.parametrize(("code", "part"), PARTS, ids=[code for code, _ in PARTS])
def test_every_code_has_a_cure(code: str, part: str) -> None:
    assert len(part.rpartition("```")[2].strip()) > 10
