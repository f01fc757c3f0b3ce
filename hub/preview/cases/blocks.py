"""The shape of routes.test.yaml: the keys of a case and of an expected message."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from hub.config.values import Texts
from hub.destinations.base import Block


class CaseBlock(Block):
    """One test: an event, and every message that must come of it."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = Field(
        description="what is tested, unlike any other"
    )
    event: str | None = Field(default=None, description="the event's type; the catalog has a sample of it")
    payload: str | None = Field(
        default=None, description="a file with the event's JSON instead, its path as seen from this file"
    )
    source: str | None = Field(default=None, description="the source it comes from; left out: the first")
    set: dict[str, Any] = Field(
        default={}, description="values to change: data.email_address: ada@example.com"
    )
    previous: str | dict[str, Any] | None = Field(
        default=None,
        description="an earlier event of the same object: a file with its JSON, or values like set has",
    )
    expect: Any = Field(description="every message that must come of it, unmatched included; []: none")


class ExpectBlock(Block):
    """A message that must be sent, and what must be true of it."""

    to: str = Field(description="the name of a destination")
    route: str | None = Field(default=None, description="the route that sends it, or unmatched")
    contains: Texts | None = Field(default=None, description="stands anywhere in the message, as it is read")
    matches: Texts | None = Field(
        default=None, description="a regular expression that fits somewhere in the message"
    )
    equals: str | None = Field(default=None, description="is the whole text, plain-text part or body")
    json_: Any = Field(
        default=None,
        alias="json",
        description="stands in the body; other keys may stand beside these. Not http: in the message",
    )
    subject: str | None = Field(default=None, description="the mail's subject")
    recipient: Texts | None = Field(default=None, description="whom the mail goes to")
    table: str | None = Field(default=None, description="the table of a database that gets a row")
    row: dict[str, Any] | None = Field(default=None, description="columns of that row, with their values")
