"""Alarms about the shape of the code: it grows little by little, and nobody sees it."""

from __future__ import annotations

import ast
import configparser
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

CHECKOUT = Path(__file__).parents[2]
HUB = CHECKOUT / "hub"
MODULES = sorted(HUB.rglob("*.py"))
TREES = {path: ast.parse(path.read_text()) for path in MODULES}

FOLDERS = ("hub", "tests", "bench", "pictures")
WRITTEN = [path for folder in FOLDERS for path in sorted((CHECKOUT / folder).rglob("*.py"))]
"""Everything that is written in Python."""

NO_PACKAGES_TWIN = {"journeys", "faults", "browser", "servers", "project"}
"""Folders of `tests/` that go through all of the hub, or are there for other tests."""

IMPORTED_LATE = {
    "hub/store/engine/postgres.py: hub.store.engine.driver",
    "hub/mirror/engine/open.py: hub.mirror.engine.postgres.PostgresEngine",
    "hub/mirror/engine/open.py: hub.mirror.engine.mysql.MysqlEngine",
}
"""Modules that are imported within a function: these need a driver, which is an extra."""

SENTENCE_OPENINGS = ["what", "whether", "how", "who", "whom", "where", "when", "why", "which"]
NAMES_OF_NOTHING = {"each", "found", "said", "what", "left", "told"}
"""Save where `left` is beside `right`, a side."""


def name_of(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


# -- modules and packages -------------------------------------------------------------------------


def test_few_modules_stand_beside_the_packages() -> None:
    beside = [path.name for path in HUB.glob("*.py") if path.name != "__init__.py"]

    assert len(beside) <= 8, beside


def test_no_module_hides_behind_an_underscore() -> None:
    names = [
        name_of(path) for path in MODULES for part in path.relative_to(HUB).parts if re.match("_[^_]", part)
    ]

    assert names == []


def test_few_modules_are_long_and_none_is_very_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    long = {name: length for name, length in lengths.items() if length > 300}

    assert len(long) <= 4, long
    assert max(lengths.values()) <= 400, long


def test_tests_mirror_the_packages() -> None:
    packages = {path.name for path in HUB.iterdir() if (path / "__init__.py").exists()}
    folders = {path.name for path in (CHECKOUT / "tests").iterdir() if any(path.glob("**/*.py"))}
    modules = {path.stem for path in HUB.glob("*.py")} | {"bench", "pictures"}
    files = {path.stem.removeprefix("test_") for path in (CHECKOUT / "tests").glob("test_*.py")}

    assert folders - packages - NO_PACKAGES_TWIN == set()
    assert files - modules == set()


# -- imports ------------------------------------------------------------------------------------------


def test_no_module_imports_what_imports_it_nor_for_its_types() -> None:
    graph = grimp.build_graph("hub", exclude_type_checking_imports=False, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}

    assert circle(imports) == []


def test_no_package_imports_what_imports_it() -> None:
    graph = grimp.build_graph("hub", exclude_type_checking_imports=False, cache_dir=None)
    for package in graph.find_children("hub"):
        graph.squash_module(package)
    imports = {
        package: graph.find_modules_directly_imported_by(package) - {package} for package in graph.modules
    }

    assert circle(imports) == []


def circle(imports: dict[str, set[str]]) -> list[str]:
    """One circle among the imports, each importing the next; empty where there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_function_imports() -> None:
    late = {
        f"{name_of(path)}: {imported}"
        for path, tree in TREES.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for imported in imported_by(function)
        if imported.partition(".")[0] == "hub"
    }

    assert late == IMPORTED_LATE


def imported_by(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_contracts_of_imports_are_few_and_name_packages() -> None:
    text = (CHECKOUT / ".importlinter").read_text()
    contracts = configparser.ConfigParser()
    contracts.read_string(text)
    named = {
        module.removesuffix(".**")
        for section in contracts.sections()
        for key in ("containers", "source_modules", "forbidden_modules", "ignore_imports")
        for module in re.findall(r"hub[\w.*]*", contracts.get(section, key, fallback=""))
    }

    assert len(text.splitlines()) <= 100
    assert named
    assert [name for name in named if not (CHECKOUT / name.replace(".", "/")).is_dir()] == []


# -- words --------------------------------------------------------------------------------------------


def test_docstrings_begin_with_a_verb_or_a_noun() -> None:
    docstrings = [
        (f"{name_of(path)}:{node.body[0].lineno}", text)
        for path, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node))
    ]
    wrong = [at for at, text in docstrings if re.match(r"\w*", text)[0].lower() in SENTENCE_OPENINGS]

    assert len(wrong) <= len(docstrings) * 0.02, wrong


def test_names_say_what_they_name() -> None:
    wrong = []
    for path in WRITTEN:
        names = dict(names_in(ast.parse(path.read_text())))
        meaningless = NAMES_OF_NOTHING & names.keys() - ({"left"} if "right" in names else set())
        wrong += [f"{name_of(path)}:{names[name]}: {name}" for name in meaningless]

    assert wrong == []


def names_in(tree: ast.AST) -> Iterable[tuple[str, int]]:
    """Variables, arguments and attributes that are given a value, with the line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.ExceptHandler(name=str(name)) | ast.alias(asname=str(name)):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, node.lineno


def test_no_two_test_modules_have_one_name() -> None:
    """They are imported by their names alone: a second of one name is not collected beside the first."""
    names = Counter(path.name for path in (CHECKOUT / "tests").rglob("test_*.py"))

    assert [name for name, count in names.items() if count > 1] == []
