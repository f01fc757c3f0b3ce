"""Examples of the documents are right: configurations that `hub check` takes, options that commands have."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import click
import pytest

from hub.__main__ import main
from hub.rules.load import read_config

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = [
    path for path in [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md")] if path.stem != "problems"
]
"""All but the one whose examples are wrong on purpose; they have a test of their own."""

CONFIGURATIONS = [
    pytest.param(textwrap.dedent(block), id=f"{path.name}:{number}")
    for path in sorted(DOCUMENTS)
    for number, block in enumerate(
        re.findall(r"^ *```yaml\n(.*?)^ *```", path.read_text("utf-8"), re.S | re.M)
    )
    if re.search(r"^ *destinations:", block, re.MULTILINE)
]
REST = {
    "version": "version: 1",
    "sources": """\
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}""",
}
ELSEWHERE = {"unset-variable", "unused-destination", "unreadable-file", "missing-template"}
"""What an example lacks that is no file of this checkout, or stands in the rest of a configuration."""

COMMANDS = sorted(
    {
        line
        for path in [*DOCUMENTS, CHECKOUT / "docs/problems.md"]
        for line in re.findall(
            r"(?:^|[\s(/`])hub ([a-z][a-z-]+ [^`\n|]*--[^`\n|]*)", path.read_text("utf-8"), re.M
        )
    }
)


@pytest.mark.parametrize("example", CONFIGURATIONS)
def test_an_example_of_a_configuration_has_no_error(tmp_path: Path, example: str) -> None:
    rest = (text for name, text in REST.items() if not re.search(f"^{name}:", example, re.MULTILINE))
    (tmp_path / "routes.yaml").write_text("\n".join([example, *rest]))
    _, problems = read_config(tmp_path / "routes.yaml", CHECKOUT / "templates", {})

    wrong = [str(problem) for problem in problems if problem.severity == "error"]
    assert [line for line in wrong if not any(f"[{code}]" in line for code in ELSEWHERE)] == []


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_has_the_options_that_it_is_shown_with(line: str) -> None:
    assert isinstance(main, click.Group)
    command: click.Command | None = main
    for word in line.split():
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), word) or command
    assert command is not None
    assert command is not main
    options = {option for parameter in command.params for option in parameter.opts}

    assert set(re.findall(r"(?<=\s)--[a-z-]+", line.partition(" #")[0])) - options - {"--help"} == set()
