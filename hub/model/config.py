"""The configuration: the user's files, parsed and right in their shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.model.destination import DestinationConfig
from hub.model.problem import Problem
from hub.model.routing import PROBLEMS, UNMATCHED, Route, Send

SHORTEST_KEY_BYTES = 16
"""A signing key with fewer bytes can be guessed, and then anybody can sign; Svix makes keys of 24."""


@dataclass(frozen=True, kw_only=True)
class SigningSecrets:
    """The signing secrets of a source that can be used, and the names of all variables that they come from.

    Where there is none it accepts nothing: `missing` names the variables that are not set or no good, and
    `fault` says so in words, without their values.
    """

    secrets: tuple[str, ...] = field(repr=False)
    variables: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class BackendAccess:
    """The way to a sender's own API, from which objects are read.

    Where `secret_key` is empty there is none: `missing` names the variables that are not set or no good, and
    `fault` says so in words, without their values.
    """

    secret_key: str = field(repr=False)
    api_url: str
    missing: tuple[str, ...] = ()
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class SourceConfig:
    """A named sender, with the event types that it sends and that are not kept.

    After `max_silence_seconds` without any genuine request somebody is told; None: never. `backend` is None
    where no `secret_key` is written.
    """

    name: str
    type: str
    path: str
    signing: SigningSecrets
    ignore: tuple[str, ...] = ()
    extra_events: tuple[str, ...] = ()
    max_silence_seconds: float | None = None
    backend: BackendAccess | None = None


@dataclass(frozen=True, kw_only=True)
class Config:
    """The user's files, parsed and right in their shape.

    `version` changes with any byte of routes.yaml or a template. `templates` maps each file's path below
    the templates folder (`slack/waitlist.j2`) to its text. `environment` is all of it, by which `${NAME}`
    in conditions and messages is filled in; `secrets` are the names of those variables that stand where a
    secret may, and that nothing shows. `certificate_files` were read with it, and are no part of its version.
    """

    version: str
    sources: Mapping[str, SourceConfig]
    destinations: Mapping[str, DestinationConfig]
    routes: tuple[Route, ...]
    unmatched: tuple[Send, ...] = ()
    problems: tuple[Send, ...] = ()
    timezone: str = "UTC"
    templates: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    secrets: tuple[str, ...] = ()
    certificate_files: tuple[Path, ...] = field(default=(), compare=False)

    @property
    def all_sends(self) -> Iterator[Send]:
        """The send blocks of all routes, of `unmatched` and of `problems`."""
        for route in self.routes:
            yield from route.sends
        yield from (*self.unmatched, *self.problems)

    @property
    def mirrors(self) -> tuple[str, ...]:
        """The names of the destinations into which a route mirrors, in the order of the file."""
        names = {send.to for send in self.all_sends if send.mirrored is not None}
        return tuple(name for name in self.destinations if name in names)

    def sends_of(self, route: str) -> tuple[Send, ...]:
        """Return today's send blocks of the route of that name; empty where it is gone."""
        blocks = {UNMATCHED: self.unmatched, PROBLEMS: self.problems}
        if route in blocks:
            return blocks[route]
        return next((candidate.sends for candidate in self.routes if candidate.name == route), ())
