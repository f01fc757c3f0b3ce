"""The JSON Schema of routes.test.yaml, for editors."""

from __future__ import annotations

from hub.config.block_schemas import DRAFT_7, BlockSchemas, Schema
from hub.preview.cases.blocks import CaseBlock, ExpectBlock


def cases_schema() -> Schema:
    """Return the JSON Schema of routes.test.yaml, draft 7."""
    blocks = BlockSchemas([CaseBlock, ExpectBlock])
    name = {"type": "string", "description": "the name of a destination"}
    expected = {"type": "array", "items": {"anyOf": [name, blocks.of(ExpectBlock)]}}
    title = {"$schema": DRAFT_7, "title": "routes.test.yaml of the hub"}
    return {**title, "type": "array", "items": blocks.of(CaseBlock, expect=expected)}
