"""Events of types that the catalog does not have: as much as can be told of any."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hub.catalog.event_types import Wording
from hub.catalog.summaries import reading
from hub.catalog.summaries.facts import Facts, Occurrence
from hub.catalog.words import is_secret_name, is_time_name, sentence_of, spoken, words_of
from hub.humanize import moment
from hub.model.summary import Tone

_HANDLES = ("name", "title", "number", "email", "id")


def unknown(occurrence: Occurrence) -> tuple[Facts, Wording]:
    """Return the facts of an event, and a message with each of its scalars that may be told."""
    handle = next(filter(None, (reading.text(occurrence.data, key) for key in _HANDLES)), "")
    values = dict(_values(occurrence))
    texts = {f"value_{number}": text for number, text in enumerate(values.values())}
    title = sentence_of(reading.line(occurrence.type)) or "Event"
    wording = Wording(
        tone=Tone.PLAIN,
        headline="{title}[: {handle}]",
        about="{about}",
        fields={label: f"{{value_{number}}}" for number, label in enumerate(values)},
    )
    return Facts(texts={**texts, "title": title, "handle": handle, "about": handle or title}), wording


def _values(occurrence: Occurrence) -> Iterator[tuple[str, str]]:
    """Yield the scalars by their labels, without ids and what may be a secret or an address of a picture."""
    for key, scalar in occurrence.data.items():
        is_id = key in ("id", "object", "slug") or key.endswith(("_id", "Id"))
        label = words_of(reading.line(key))
        if label and not is_id and not is_secret_name(key) and (text := _text(key, scalar, occurrence)):
            yield label, text


def _text(key: str, scalar: Any, occurrence: Occurrence) -> str:
    at = reading.moment({key: scalar}, key) if is_time_name(key) else None
    if at is not None:
        return moment(at, occurrence.zone)
    if isinstance(scalar, bool):
        return "yes" if scalar else "no"
    return spoken(reading.text({key: scalar}, key))
