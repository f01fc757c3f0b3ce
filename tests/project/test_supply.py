"""The versions that are installed: declared, locked with their hashes, and above those known to be bad."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DECLARED = [Requirement(line) for line in PROJECT["dependencies"]]
OPTIONAL = [Requirement(line) for line in PROJECT["optional-dependencies"]["postgres"]]
MIRRORS = [Requirement(line) for line in PROJECT["optional-dependencies"]["mysql"]]
"""Of few: not in the lock, which is what every platform installs."""

LOCK = (ROOT / "requirements.lock").read_text("utf-8")


def pins(text: str) -> list[str]:
    return re.findall(r"^[a-z][\w.-]*==[\w.]+", text, re.MULTILINE)


def test_the_lock_and_the_requirements_name_the_same_versions() -> None:
    assert pins((ROOT / "requirements.txt").read_text("utf-8")) == pins(LOCK)


def test_every_locked_version_has_hashes_and_no_address() -> None:
    blocks = re.split(r"\n(?=[a-z])", LOCK)[1:]

    assert len(blocks) == len(pins(LOCK)) > 40
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK


def test_the_lock_has_what_is_declared() -> None:
    locked = dict(pin.split("==") for pin in pins(LOCK))
    missing = [
        str(requirement)
        for requirement in (*DECLARED, *OPTIONAL)
        if not requirement.specifier.contains(locked.get(canonicalize_name(requirement.name), "0"))
    ]

    assert missing == []


@pytest.mark.parametrize(
    ("name", "bad"),
    [("urllib3", "2.6.3"), ("requests", "2.32.3"), ("jinja2", "3.1.5"), ("flask", "3.1.0")],
)
def test_a_version_that_is_known_to_be_bad_is_refused(name: str, bad: str) -> None:
    (requirement,) = (one for one in DECLARED if one.name == name)

    assert not requirement.specifier.contains(bad)


def test_what_is_imported_is_declared() -> None:
    names = {canonicalize_name(requirement.name) for requirement in (*DECLARED, *OPTIONAL, *MIRRORS)}
    packages = packages_distributions()
    foreign = {
        module
        for path in (ROOT / "hub").rglob("*.py")
        for module in imported(path)
        if module not in sys.stdlib_module_names and module != "hub"
    }
    undeclared = {
        module for module in foreign if not names & set(map(canonicalize_name, packages.get(module, [])))
    }

    assert len(foreign) > 15
    assert undeclared == set()


def imported(path: Path) -> set[str]:
    """The top-level modules that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    froms = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    plain = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return {module.partition(".")[0] for module in froms | plain}
