"""The summary of an event: its built-in message, which every channel draws in its own way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from hub.catalog.event_types import Wording, find_event_type
from hub.catalog.masking import mask_body
from hub.catalog.summaries import FAMILIES
from hub.catalog.summaries.facts import Facts, Occurrence
from hub.catalog.summaries.hub import MESSAGES
from hub.catalog.summaries.patterns import filled, is_whole, used_texts
from hub.catalog.summaries.unknown import unknown
from hub.humanize import moment
from hub.model.event import Event
from hub.model.summary import Earlier, Summary
from hub.strings import shortened

HEADLINE_LIMIT, SUBJECT_LIMIT, ABOUT_LIMIT = 120, 60, 80
FIELDS_LIMIT, LABEL_LIMIT, VALUE_LIMIT, DETAILS_LIMIT = 4, 20, 120, 240
"""Characters, but for `FIELDS_LIMIT`: the most that a summary has of each."""


def summarise(
    event: Event, zone: tzinfo = UTC, earlier: Earlier | None = None, *, is_relayed: bool = False
) -> Summary:
    """Return the built-in words for any event; never fails, and never tells a one-time secret.

    Times are in `zone`. `earlier` is asked for an object as it was before, once, by those types alone that
    can tell more with it: what changed, who it was, and the name of something deleted. `is_relayed` says that
    a route sends on what Clerk leaves to the application to send.
    """
    data, at = _data(event)
    occurrence = Occurrence(
        type=event.type, at=at, data=data, zone=zone, earlier=earlier, is_relayed=is_relayed
    )
    facts, wording = _told(occurrence)
    return Summary(
        headline=filled(wording.headline, facts.texts, HEADLINE_LIMIT, name_limit=SUBJECT_LIMIT),
        tone=wording.tone,
        about=filled(wording.about, facts.texts, ABOUT_LIMIT),
        fields=tuple(_fields(wording, facts))[:FIELDS_LIMIT],
        details=_details(facts),
        at=at,
        time=moment(at, zone),
    )


def _told(occurrence: Occurrence) -> tuple[Facts, Wording]:
    if occurrence.type in MESSAGES:
        return MESSAGES[occurrence.type](occurrence)
    event_type = find_event_type(occurrence.type)
    if event_type is None:
        return unknown(occurrence)
    facts = FAMILIES[event_type.group](occurrence)
    return facts, event_type.wordings.get(facts.case) or event_type.wordings[""]


def _fields(wording: Wording, facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the fields that have a value which the headline does not tell."""
    telling = used_texts(wording.headline, facts.texts)
    headline = filled(wording.headline, facts.texts, HEADLINE_LIMIT, name_limit=SUBJECT_LIMIT)
    for label, pattern in wording.fields.items():
        value = filled(pattern, facts.texts, VALUE_LIMIT)
        if value and is_whole(pattern, facts.texts) and not _is_part(value, [headline, *telling]):
            yield shortened(label, LABEL_LIMIT), value


def _is_part(value: str, texts: list[str]) -> bool:
    words = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)", re.IGNORECASE)
    is_cut = value.endswith("…")
    return any(words.search(text) or (is_cut and text.startswith(value[:-1])) for text in texts)


def _details(facts: Facts) -> str:
    handles = [handle for name, handle in facts.ids.items() if not facts.texts.get(name)]
    parts = dict.fromkeys(filter(None, [*facts.details, *handles]))
    return shortened(" · ".join(parts), DETAILS_LIMIT)


def _data(event: Event) -> tuple[dict[str, Any], datetime]:
    """Return the event's data with its secrets masked, and its moment; empty data where there is none."""
    try:
        data, at = mask_body(event.type, event.body).get("data"), event.timestamp
    except (ValueError, RecursionError):
        return {}, event.received_at
    return (data if isinstance(data, dict) else {}), at
