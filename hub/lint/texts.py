"""The input of the type checker: texts with their locations, and the event types that they see."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

ANY_TYPE = ""
"""Stands among event types for one of which nothing is known."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """A template, or a condition.

    Texts of one `location` are one text, read for several scopes. `noun` is its name in messages; `needed_by`
    ends the message about a value that may be empty (`the subject needs it`), left out where any may be.
    Problems with a code in `allow` are not reported of this use of it. `is_short_lived` is set where a
    `max_age` keeps it from being sent late. `of_deletions` is set where it sees only events that delete an
    object, or only others.
    """

    location: Hashable
    source: str
    noun: str = "this template"
    needed_by: str = ""
    allow: tuple[str, ...] = ()
    is_short_lived: bool = False
    of_deletions: bool | None = None


@dataclass(frozen=True, kw_only=True)
class WholeEvent:
    """The event itself, passed on to a recipient with all that is in it; `advice` ends a message about it."""

    location: Hashable
    recipient: str
    advice: str
    allow: tuple[str, ...] = ()
    is_short_lived: bool = False


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Texts that see the same events: those of `event_types` that meet all `conditions`, one after the other.

    The `send_conditions` come last, and see the destination, too. Problems with a code in `allow` are not
    reported.
    """

    event_types: tuple[str, ...]
    conditions: tuple[Text, ...] = ()
    send_conditions: tuple[Text, ...] = ()
    texts: tuple[Text | WholeEvent, ...] = ()
    allow: tuple[str, ...] = ()
