"""The JSON Schema that editors use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hub import document
from hub.commands.schema import command, routes_schema, schema_text

ROOT = Path(__file__).parent.parent
SCHEMA = routes_schema()
TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def fits(value: Any, schema: Any) -> bool:
    """As much of JSON Schema as the hub's uses, by https://json-schema.org/draft-07."""
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        return fits(value, SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")])
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "anyOf" in schema and not any(fits(value, member) for member in schema["anyOf"]):
        return False
    if isinstance(value, str):
        return bool(re.search(schema.get("pattern", ""), value)) and len(value) >= schema.get("minLength", 0)
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(
            fits(item, schema.get("items", {})) for item in value
        )
    return not isinstance(value, dict) or has_fitting_keys(value, schema)


def has_fitting_keys(value: dict[str, Any], schema: Any) -> bool:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    return set(schema.get("required", [])) <= set(value) and all(
        fits(item, known.get(key, others)) for key, item in value.items()
    )


def read(path: Path) -> Any:
    tree, problems = document.parse(path.read_bytes(), path.name)
    assert tree is not None
    assert not problems
    return tree.value


def test_the_committed_schema_is_what_the_models_say() -> None:
    assert (ROOT / "hub" / "routes.schema.json").read_text("utf-8") == schema_text()
    assert schema_text() == CliRunner().invoke(command, []).output


@pytest.mark.parametrize("path", ["config/routes.yaml", "tests/configs/good/example.yaml"])
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
    whole = read(ROOT / "tests/configs/good/example.yaml")
    block = whole
    for step in where[:-1]:
        block = block[step]
    block[where[-1]] = value

    assert not fits(whole, SCHEMA)


@pytest.mark.parametrize(
    "where", [("timeout",), ("concurrency",), ("rate_limit",), ("enabled",), ("on_unknown",)]
)
def test_any_value_may_be_a_variable(where: tuple[str, ...]) -> None:
    whole = read(ROOT / "tests/configs/good/example.yaml")
    whole["destinations"]["crm"][where[0]] = "${VARIABLE}"

    assert fits(whole, SCHEMA)


def test_every_reference_leads_somewhere() -> None:
    names = set(re.findall(r'"#/\$defs/([^"]+)"', schema_text()))

    assert names
    assert names <= set(SCHEMA["$defs"])
