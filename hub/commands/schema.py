"""`hub schema`: the JSON Schema of routes.yaml, made from the models that check it."""

from __future__ import annotations

import json
from typing import Any

import click
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hub.config.destinations import DefaultsBlock, DestinationBlock
from hub.config.routes import ProblemsBlock, RouteBlock, UnmatchedBlock
from hub.config.routes_file import RoutesFile
from hub.config.sources import SourceBlock
from hub.destinations.base import Destination, destination_types, find_destination
from hub.preview.cases.blocks import CaseBlock, ExpectBlock
from hub.sources.base import source_types

Schema = dict[str, Any]

DRAFT_7 = "http://json-schema.org/draft-07/schema#"

VARIABLE: Schema = {"type": "string", "pattern": "\\$\\{[A-Za-z_]"}
"""A value that a variable is part of: any kind of value may be one."""


@click.command("schema")
@click.option("--tests", is_flag=True, help="That of routes.test.yaml instead.")
def command(tests: bool) -> None:
    """Print the JSON Schema of routes.yaml, for editors."""
    click.echo(schema_text(cases_schema() if tests else routes_schema()), nl=False)


def schema_text(schema: Schema) -> str:
    """The schema as the files beside this package have it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def cases_schema() -> Schema:
    """The JSON Schema of routes.test.yaml (draft 7)."""
    blocks = _Blocks([CaseBlock, ExpectBlock])
    name = {"type": "string", "description": "the name of a destination"}
    expected = {"type": "array", "items": {"anyOf": [name, blocks.of(ExpectBlock)]}}
    title = {"$schema": DRAFT_7, "title": "routes.test.yaml of the hub"}
    return {**title, "type": "array", "items": blocks.of(CaseBlock, expect=expected)}


def routes_schema() -> Schema:
    """The JSON Schema of routes.yaml (draft 7, which yaml-language-server reads)."""
    destinations = [kind for name in destination_types() if (kind := find_destination(name))]
    models: list[type[BaseModel]] = [RoutesFile, SourceBlock, DefaultsBlock, DestinationBlock, RouteBlock]
    models += [UnmatchedBlock, ProblemsBlock]
    models += [model for kind in destinations for model in (kind.Options, kind.Send)]
    blocks = _Blocks(models)
    top = blocks.of(RoutesFile)
    sections = top["properties"]
    sections["version"] = {"const": 1, "description": sections["version"]["description"]}
    source = blocks.of(SourceBlock, type={"enum": list(source_types())})
    _fill(sections, "sources", {"type": "object", "additionalProperties": source})
    _fill(sections, "defaults", blocks.of(DefaultsBlock))
    kinds = [blocks.of_destination(kind) for kind in destinations]
    _fill(sections, "destinations", {"type": "object", "additionalProperties": {"anyOf": kinds}})
    send = {"$ref": "#/$defs/send"}
    _fill(sections, "routes", {"type": "array", "items": blocks.of(RouteBlock, send=send)})
    _fill(sections, "unmatched", blocks.of(UnmatchedBlock, send=send))
    _fill(sections, "problems", blocks.of(ProblemsBlock, send=send))
    title = {"$schema": DRAFT_7, "title": "routes.yaml of the hub"}
    return {**title, **top, "$defs": {**blocks.shared, **_send_definitions(blocks, destinations)}}


class _Blocks:
    """The schemas of models, tidied: no titles, no defaults, no null, variables allowed everywhere."""

    def __init__(self, models: list[type[BaseModel]]) -> None:
        names, top = models_json_schema([(model, "validation") for model in models])
        definitions = top.get("$defs", {})
        self._refs = {model: ref["$ref"].rpartition("/")[2] for (model, _), ref in names.items()}
        self._schemas = {name: _tolerant(_tidy(schema)) for name, schema in definitions.items()}
        own = set(self._refs.values())
        self.shared = {name: schema for name, schema in self._schemas.items() if name not in own}

    def of(self, model: type[BaseModel], **properties: Schema) -> Schema:
        """A model's schema, some of its properties given."""
        schema: Schema = json.loads(json.dumps(self._schemas[self._refs[model]]))
        for name, given in properties.items():
            _fill(schema["properties"], name, given)
        schema["additionalProperties"] = False
        return schema

    def of_destination(self, kind: type[Destination]) -> Schema:
        """What a destination of one type takes."""
        common = self.of(DestinationBlock, type={"const": kind.type})
        own = self.of(kind.Options)
        return {
            **common,
            "properties": {**common["properties"], **own["properties"]},
            "required": ["type", *own.get("required", [])],
        }


def _send_definitions(blocks: _Blocks, destinations: list[type[Destination]]) -> Schema:
    """A name, a block, or a list of either. Which keys go with `to` is only known to `hub check`."""
    name = {"type": "string", "description": "the name of a destination"}
    kinds = []
    for kind in destinations:
        block = blocks.of(kind.Send)
        required = ["to", *block.get("required", [])]
        kinds.append({**block, "properties": {"to": name, **block["properties"]}, "required": required})
    one = {"anyOf": [name, *kinds]}
    return {
        "sendBlock": one,
        "send": {
            "anyOf": [
                {"$ref": "#/$defs/sendBlock"},
                {"type": "array", "items": {"$ref": "#/$defs/sendBlock"}},
            ]
        },
    }


def _fill(properties: Schema, name: str, given: Schema) -> None:
    """Put a schema in a property's place, its description kept."""
    description = properties[name].get("description", given.get("description", ""))
    properties[name] = {**given, **({"description": description} if description else {})}


def _tidy(node: Any) -> Any:
    """Without what only pydantic needs."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidied = {
        key: _tidy(value)
        for key, value in node.items()
        if not (key == "default" or (key == "title" and isinstance(value, str)))
    }
    members = [member for member in tidied.get("anyOf", []) if member != {"type": "null"}]
    if len(members) == 1:
        tidied = {**{key: value for key, value in tidied.items() if key != "anyOf"}, **members[0]}
    elif members:
        tidied["anyOf"] = members
    return tidied


def _tolerant(node: Any) -> Any:
    """With a variable allowed wherever not every text is."""
    if isinstance(node, list):
        return [_tolerant(item) for item in node]
    if not isinstance(node, dict):
        return node
    is_scalar = node.get("type") in ("integer", "number", "boolean") or "const" in node or "enum" in node
    if is_scalar or (node.get("type") == "string" and "pattern" in node):
        inner = {key: value for key, value in node.items() if key != "description"}
        outer = {"description": node["description"]} if "description" in node else {}
        return {**outer, "anyOf": [inner, VARIABLE]}
    return {key: _tolerant(value) for key, value in node.items()}
