"""The JSON Schema that editors use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

from hub import yamldoc
from hub.commands.schema import command
from hub.config.block_schemas import schema_text
from hub.config.routes_schema import routes_schema
from hub.preview.cases.schema import cases_schema

ROOT = Path(__file__).parents[2]
SCHEMA = routes_schema()
CASES_SCHEMA = cases_schema()


def fits(value: Any, schema: Any) -> bool:
    return Draft7Validator(schema).is_valid(value)


def read(path: Path) -> Any:
    tree, problems = yamldoc.parse(path.read_bytes(), path.name)
    assert tree is not None
    assert not problems
    return tree.value


@pytest.mark.parametrize(
    ("name", "schema", "arguments"),
    [("routes.schema.json", SCHEMA, []), ("routes.test.schema.json", CASES_SCHEMA, ["--tests"])],
)
def test_the_committed_schema_is_what_the_models_say(name: str, schema: Any, arguments: list[str]) -> None:
    Draft7Validator.check_schema(schema)
    assert (ROOT / "hub" / name).read_text("utf-8") == schema_text(schema)
    assert schema_text(schema) == CliRunner().invoke(command, arguments).output


@pytest.mark.parametrize("path", ["config/routes.yaml", "tests/config/configs/good/example.yaml"])
def test_the_schema_fits_what_runs(path: str) -> None:
    assert fits(read(ROOT / path), SCHEMA)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("version",), 2),
        (("sources", "clerk", "type"), "stripe"),
        (("sources", "clerk", "path"), "no-slash"),
        (("defaults", "timeout"), "5"),
        (("destinations", "log", "type"), "slak"),
        (("destinations", "crm", "rate_limit"), "50"),
        (("destinations", "crm", "concurrency"), "four"),
        (("destinations", "crm", "webhook_url"), "x"),
        (("routes", 0, "evnts"), "x"),
        (("routes", 0, "events"), 5),
        (("routes", 0, "send"), {"text": "no to"}),
        (("routes", 0, "send"), [{"to": "growth", "tekst": "x"}]),
        (("unmatched",), "log"),
    ],
)
def test_the_schema_refuses_what_is_wrong(where: tuple[str | int, ...], value: Any) -> None:
    whole = read(ROOT / "tests/config/configs/good/example.yaml")
    block = whole
    for step in where[:-1]:
        block = block[step]
    block[where[-1]] = value

    assert not fits(whole, SCHEMA)


@pytest.mark.parametrize(
    "where", [("timeout",), ("concurrency",), ("rate_limit",), ("enabled",), ("on_unknown",)]
)
def test_any_value_may_be_a_variable(where: tuple[str, ...]) -> None:
    whole = read(ROOT / "tests/config/configs/good/example.yaml")
    whole["destinations"]["crm"][where[0]] = "${VARIABLE}"

    assert fits(whole, SCHEMA)


def test_every_reference_leads_somewhere() -> None:
    names = set(re.findall(r'"#/\$defs/([^"]+)"', schema_text(SCHEMA)))

    assert names
    assert names <= set(SCHEMA["$defs"])


# -- that of the tests ----------------------------------------------------------------------------


def test_the_schema_of_the_tests_fits_the_shipped_ones() -> None:
    assert fits(read(ROOT / "config/routes.test.yaml"), CASES_SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"nmae": "x"},
        {"event": 5},
        {"set": ["data.id"]},
        {"expect": None},
        {"expect": {"to": "log"}},
        {"expect": [{"contains": "x"}]},
        {"expect": [{"to": "log", "contain": "x"}]},
        {"expect": [{"to": "log", "contains": []}]},
    ],
)
def test_the_schema_of_the_tests_refuses_what_is_wrong(change: dict[str, Any]) -> None:
    case = {"name": "one", "event": "user.created", "expect": ["log", {"to": "log", "contains": ["x"]}]}

    assert fits([case], CASES_SCHEMA)
    assert not fits([{**case, **change}], CASES_SCHEMA)
