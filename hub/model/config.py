"""The configuration: the user's files, parsed and right in their shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.model.destination import DestinationConfig
from hub.model.problem import Problem
from hub.model.routing import UNMATCHED, Route, Send


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """A named sender. `secrets` is empty while `missing` names the variables that are not set."""

    name: str
    type: str
    path: str
    secrets: tuple[str, ...] = field(repr=False)
    missing: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extra_events: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Config:
    """The user's files, parsed and right in their shape.

    `version` changes with any byte of routes.yaml or a template. `templates` maps each file's path below
    the templates folder (`slack/waitlist.j2`) to its text.
    """

    version: str
    sources: Mapping[str, SourceConfig]
    destinations: Mapping[str, DestinationConfig]
    routes: tuple[Route, ...]
    unmatched: tuple[Send, ...] = ()
    problems: tuple[Send, ...] = ()
    quiet_after_seconds: float | None = None
    templates: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()

    def sends_of(self, route: str) -> tuple[Send, ...]:
        """Return today's send blocks of the route of that name; empty where it is gone."""
        if route == UNMATCHED:
            return self.unmatched
        return next((candidate.sends for candidate in self.routes if candidate.name == route), ())
