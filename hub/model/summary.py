"""The summary of an event: its built-in words, from which every channel draws its message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Tone(StrEnum):
    """The tone of a message, seen without reading: its colour, beside a word that says the same."""

    GOOD = "good"
    BAD = "bad"
    WATCH = "watch"
    PLAIN = "plain"


COLOURS: Mapping[Tone, str] = {
    Tone.GOOD: "#2e8b57",
    Tone.BAD: "#c0392b",
    Tone.WATCH: "#c98a00",
    Tone.PLAIN: "#8a93a1",
}
"""The colour of each tone, for places that show one."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The built-in words for an event: all of them untrusted text, unescaped, one line each.

    `headline` is one sentence of at most 120 characters, `about` its subject alone, at most 80. `fields` are
    at most 4 pairs of label (20) and value (120), which the headline has not said. `details` is small print
    without the time: a place, an id that is the only handle, or nothing. `time` is `at`, the moment it
    happened, in words and in the reader's time zone; a place with dates of its own writes `at` itself.
    """

    headline: str
    tone: Tone = Tone.PLAIN
    about: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    details: str = ""
    at: datetime | None = None
    time: str = ""

    @property
    def note(self) -> str:
        """The small print: details and time, one line."""
        return " · ".join(part for part in (self.details, self.time) if part)

    @property
    def signed_headline(self) -> str:
        """The headline with a sign before what is bad or to be watched, for places without colours."""
        return f"⚠ {self.headline}" if self.tone in (Tone.BAD, Tone.WATCH) else self.headline

    @property
    def lines(self) -> tuple[str, ...]:
        """All that stands below the headline, as lines of text: fields, then the small print."""
        fields = (f"{label}: {value}" for label, value in self.fields)
        return (*fields, self.note) if self.note else tuple(fields)


class Earlier(Protocol):
    """The stored events before one."""

    def of(self, kind: str, object_id: str) -> Mapping[str, Any] | None:
        """Return the data of the newest of them about an object; None where there is none.

        `kind` is the beginning of its event types: `user` of `user.updated`.
        """
