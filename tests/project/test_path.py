"""One Slack message takes a short path through the hub, and CONTRIBUTING shows it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from bench.path import event_path, report

CHECKOUT = Path(__file__).parents[2]


def test_a_slack_message_enters_few_functions_none_of_them_deep(store_url: str) -> None:
    path = event_path(store_url)

    assert len(path.modules) <= 34, report(path)
    assert len(path.packages) <= 12, report(path)
    assert len(path.functions) <= 140, report(path)
    assert len(path.deepest) <= 16, report(path)
    # What earlier events said, and the built-in words, are for those messages that ask.
    assert not {"hub.delivery.earlier", "hub.catalog.summary"} & set(path.modules), report(path)


def test_the_functions_of_the_path_in_contributing_exist() -> None:
    text = (CHECKOUT / "CONTRIBUTING.md").read_text()
    section = text.partition("## The path of an event")[2].partition("\n## ")[0]
    listed = [
        (module, name)
        for module, names in re.findall(r"^- `(hub[\w.]*)`: (.*)$", section, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", names)
    ]

    assert len(listed) > 50
    assert [f"{module}:{name}" for module, name in listed if name not in functions_of(module)] == []


def functions_of(module: str) -> set[str]:
    """Functions and methods by their qualified names, without those within functions."""
    path = CHECKOUT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return set(_qualified(ast.parse(path.read_text()), ""))


def _qualified(tree: ast.AST, prefix: str) -> list[str]:
    names = []
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            names.append(prefix + node.name)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names += _qualified(node, f"{prefix}{node.name}.")
    return names
