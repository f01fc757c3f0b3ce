"""The diagnostics of texts, and the observations of single event types that they are made of."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from hub.model.problem import Code, Severity

Site = tuple[int, str]
"""An offset in a text, and the name that is read there."""


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """A problem in a text: `location` is the text's, `offset` counts its characters as they were written.

    `offset` is None where the problem is about all of it.
    """

    location: Hashable
    offset: int | None
    code: Code
    severity: Severity
    message: str


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A mistake at one place of a text for one type of event.

    `offset` counts in the text as Jinja reads it, `site` tells it from others there. `subject` is the path or
    value that it is about, `detail` completes its message, `known` are the names that may have been meant.
    A `weak` one counts only if its site is right for no type of event.
    """

    offset: int
    site: Site
    code: Code
    subject: str
    detail: str = ""
    known: frozenset[str] = frozenset()
    weak: bool = False

    @property
    def is_of_emptiness(self) -> bool:
        return self.code is Code.EMPTY_VALUE


class Observations:
    """A collection of observations, and of the sites that are right."""

    def __init__(self) -> None:
        self.all: dict[Observation, None] = {}
        self.right_sites: set[Site] = set()

    def add(self, observation: Observation) -> None:
        """Add an observation, once."""
        self.all[observation] = None

    def add_right(self, site: Site) -> None:
        """Add a site that is right, if only for this type of event."""
        self.right_sites.add(site)
