"""JSON Schemas of the blocks that users write, made from the models that check them."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Schema = dict[str, Any]

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
"""The version that yaml-language-server reads."""

VARIABLE: Schema = {"type": "string", "pattern": "\\$\\{[A-Za-z_]"}
"""A value that a variable is part of: any kind of value may be one."""


def schema_text(schema: Schema) -> str:
    """Return the schema as its file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


class BlockSchemas:
    """The schemas of models, tidied: no titles, no defaults, no null, variables allowed everywhere.

    `shared` has the definitions that they refer to.
    """

    def __init__(self, models: list[type[BaseModel]]) -> None:
        names, top = models_json_schema([(model, "validation") for model in models])
        definitions = top.get("$defs", {})
        self._refs = {model: ref["$ref"].rpartition("/")[2] for (model, _), ref in names.items()}
        self._schemas = {name: _tolerant(_tidy(schema)) for name, schema in definitions.items()}
        own = set(self._refs.values())
        self.shared = {name: schema for name, schema in self._schemas.items() if name not in own}

    def of(self, model: type[BaseModel], **properties: Schema) -> Schema:
        """Return a model's schema, with these in place of some of its properties."""
        schema: Schema = json.loads(json.dumps(self._schemas[self._refs[model]]))
        for name, replacement in properties.items():
            fill(schema["properties"], name, replacement)
        schema["additionalProperties"] = False
        return schema


def fill(properties: Schema, name: str, schema: Schema) -> None:
    """Put a schema in a property's place, its description kept."""
    description = properties[name].get("description", schema.get("description", ""))
    properties[name] = {**schema, **({"description": description} if description else {})}


def _tidy(node: Any) -> Any:
    """Return a schema without the keys that only pydantic needs."""
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
    """Return a schema that allows a variable wherever not every text is allowed."""
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
