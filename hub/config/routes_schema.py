"""The JSON Schema of routes.yaml, for editors: printed by `hub schema`, kept in routes.schema.json."""

from __future__ import annotations

from pydantic import BaseModel

from hub.config.block_schemas import DRAFT_7, BlockSchemas, Schema, fill
from hub.config.destinations import DefaultsBlock, DestinationBlock
from hub.config.names import OWN_PREFIX
from hub.config.routes import ProblemsBlock, RouteBlock, UnmatchedBlock
from hub.config.routes_file import RoutesFile
from hub.config.sends import SendBlock
from hub.config.sources import SourceBlock
from hub.destinations.base import Destination, destination_types, find_destination
from hub.sources.base import source_types


def routes_schema() -> Schema:
    """Return the JSON Schema of routes.yaml, draft 7."""
    destinations = [kind for name in destination_types() if (kind := find_destination(name))]
    models: list[type[BaseModel]] = [RoutesFile, SourceBlock, DefaultsBlock, DestinationBlock, RouteBlock]
    models += [UnmatchedBlock, ProblemsBlock, SendBlock]
    models += [model for kind in destinations for model in (kind.Options, kind.Send)]
    blocks = BlockSchemas(models)
    top = blocks.of(RoutesFile)
    sections = top["properties"]
    sections["version"] = {"const": 1, "description": sections["version"]["description"]}
    source = blocks.of(SourceBlock, type={"enum": list(source_types())})
    fill(sections, "sources", {"type": "object", "additionalProperties": source})
    fill(sections, "defaults", blocks.of(DefaultsBlock))
    kinds = [_destination_schema(blocks, kind) for kind in destinations]
    fill(sections, "destinations", {"type": "object", "additionalProperties": {"anyOf": kinds}})
    send = {"$ref": "#/$defs/send"}
    fill(sections, "routes", {"type": "array", "items": blocks.of(RouteBlock, send=send)})
    fill(sections, "unmatched", blocks.of(UnmatchedBlock, send=send))
    fill(sections, "problems", blocks.of(ProblemsBlock, send=send))
    title = {"$schema": DRAFT_7, "title": "routes.yaml of the hub"}
    top["patternProperties"] = {f"^{OWN_PREFIX}": {}}
    return {**title, **top, "$defs": {**blocks.shared, **_send_definitions(blocks, destinations)}}


def _destination_schema(blocks: BlockSchemas, kind: type[Destination]) -> Schema:
    """Return the schema of a destination of one type: the keys of all types and its own."""
    common = blocks.of(DestinationBlock, type={"const": kind.type})
    own = blocks.of(kind.Options)
    return {
        **common,
        "properties": {**common["properties"], **own["properties"]},
        "required": ["type", *own.get("required", [])],
    }


def _send_definitions(blocks: BlockSchemas, destinations: list[type[Destination]]) -> Schema:
    """Return the definitions of `send`: a name, a block, or a list of either.

    Which keys go with `to` is only known to `hub check`.
    """
    name = {"type": "string", "description": "the name of a destination"}
    common = blocks.of(SendBlock)["properties"]
    kinds = []
    for kind in destinations:
        block = blocks.of(kind.Send)
        required = ["to", *block.get("required", [])]
        properties = {**common, **block["properties"]}
        kinds.append({**block, "properties": properties, "required": required})
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
