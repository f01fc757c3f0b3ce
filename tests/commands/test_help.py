"""`hub` and its commands explain themselves."""

from __future__ import annotations

import importlib

import click
import pytest
from shell import Run

from hub.__main__ import SHORT_HELP, main
from hub.commands import Section

COMMANDS = main.list_commands(click.Context(main))  # type: ignore[attr-defined]
EXPLAINED_BY_THEIR_NAME = {"demo", "doctor", "migrate", "prune", "schema", "serve", "web", "worker"}
"""Commands that take next to nothing."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_where_it_belongs_and_does_so_in_one_line(name: str) -> None:
    module = importlib.import_module(f"hub.commands.{name.replace('-', '_')}")

    assert module.SECTION in Section
    assert 0 < len(module.command.short_help) <= SHORT_HELP


def test_the_commands_are_listed_by_sections_with_whole_lines(run: Run) -> None:
    output = run("--help").stdout
    lines = output.splitlines()
    headings = [line.removesuffix(":") for line in lines if line.removesuffix(":") in tuple(Section)]
    listed = [line.split()[0] for line in lines[lines.index("Run:") :] if line.startswith("  ")]

    assert headings == list(Section)
    assert sorted(listed) == COMMANDS
    assert not any(line.endswith("...") for line in lines[1:])
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - EXPLAINED_BY_THEIR_NAME))
def test_a_command_shows_examples(run: Run, name: str) -> None:
    output = run(name, "--help").stdout

    assert f"\n    hub {name}" in output.partition("Example")[2]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cancle", 'there is no command "cancle"; did you mean "cancel"?'),
        ("xyzzy", 'there is no command "xyzzy"'),
    ],
)
def test_a_command_that_is_not_there_is_told_with_a_close_one(run: Run, name: str, message: str) -> None:
    result = run(name)

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: {message}")
