"""A test case as the user wrote it: an event, and every message that the routes must make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.model.event import Event


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A message that a case expects, and its properties; one that is None or empty is not asked for.

    `contains` and `matches` (regular expressions) hold anywhere in the message, `equals` is the whole of its
    text or body, `json` a part of its JSON, `row` columns of a row of `table`. `line` and `column` are those
    of routes.test.yaml.
    """

    to: str
    route: str | None = None
    contains: tuple[str, ...] = ()
    matches: tuple[str, ...] = ()
    equals: str | None = None
    json: Any = None
    subject: str | None = None
    recipient: tuple[str, ...] = ()
    table: str | None = None
    row: Mapping[str, Any] | None = None
    line: int
    column: int


@dataclass(frozen=True, kw_only=True)
class Case:
    """An event, an earlier one of the same object, and every message that the routes must make of it."""

    name: str
    event: Event = field(repr=False)
    previous: Event | None = field(default=None, repr=False)
    expect: tuple[Expectation, ...]
    line: int
    column: int
