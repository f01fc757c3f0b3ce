"""The documents name commands, variables, files and places in them that exist."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest

from hub import settings
from hub.__main__ import main
from hub.templating import filters

CHECKOUT = Path(__file__).parents[2]
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
DOCUMENTS += sorted(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md"))

assert isinstance(main, click.Group)
COMMANDS = set(main.list_commands(click.Context(main)))
PLATFORMS_OWN = {*settings.PLATFORM_VARIABLES, "PORT", "DATABASE_URL"}


def text_of(document: str) -> str:
    return (CHECKOUT / document).read_text()


def code_of(document: str) -> str:
    """Code of a document, inline and in blocks."""
    text = text_of(document)
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return "\n".join([*blocks, *inline])


def variables_of_settings() -> set[str]:
    return set(re.findall(r'"([A-Z][A-Z_]{3,})"', inspect.getsource(settings)))


def variables_of_routes(*, comments: bool = False) -> set[str]:
    """The variables of the shipped routes; with `comments` those of what can be switched on there, too."""
    text = text_of("config/routes.yaml")
    return set(re.findall(r"\$\{(\w+)", text if comments else re.sub(r"#.*", "", text)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_exists(document: str) -> None:
    named = set(re.findall(r"(?:^|[\s/(])hub ([a-z][a-z-]+)", code_of(document), re.MULTILINE))

    assert named - COMMANDS == set()


def test_the_readme_lists_every_command() -> None:
    table = text_of("README.md").partition("## Operating it")[2].partition("\n## ")[0]

    assert set(re.findall(r"`hub ([a-z-]+)", table)) == COMMANDS


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_variable_exists(document: str) -> None:
    code = code_of(document)
    # A pipeline's own, as the examples of docs/ci.md set some, is named there with its value.
    own = set(re.findall(r"^ +(\w+): \$\{\{ vars\.\1 \}\}$", code, re.MULTILINE))
    named = set(re.findall(r"\b(?:HUB|SLACK|EMAIL|CLERK|SMTP)_[A-Z_]+\b", code)) - own

    assert named - variables_of_settings() - variables_of_routes(comments=True) == set()


def test_every_setting_is_described() -> None:
    described = set(re.findall(r"`([A-Z][A-Z_]+)`", text_of("docs/configuration.md")))

    assert (variables_of_settings() | variables_of_routes()) - described == set()


def test_every_filter_is_described() -> None:
    described = set(re.findall(r"\\\| (\w+)", text_of("docs/templates.md")))

    assert filters.FILTERS.keys() - described == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    missing = []
    for target in re.findall(r"\]\(([^)]+)\)", text_of(document)):
        path, _, heading = target.partition("#")
        if "://" in target or "{{" in target:
            continue
        file = (CHECKOUT / document).parent / path if path else CHECKOUT / document
        if not file.exists() or (heading and heading not in headings_of(file)):
            missing.append(target)

    assert missing == []


def headings_of(file: Path) -> set[str]:
    """The anchors of a document's headings."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_target_of_make_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))

    assert set(re.findall(r"make ([a-z]+)", code_of(document))) - targets == set()
