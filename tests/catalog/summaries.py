"""Summaries of samples, changed and read as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hub import catalog
from hub.model.event import Event
from hub.model.summary import Summary

BERLIN = ZoneInfo("Europe/Berlin")
AT = datetime(2026, 6, 12, 17, 12, tzinfo=UTC)
WHEN = "12 Jun 2026, 19:12 CEST"


def event(name: str, body: Any) -> Event:
    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Event(id="evt_1", source="clerk", message_id="msg_1", type=name, payload=payload, received_at=AT)


def of_data(name: str, data: Any, *, earlier: Stored | None = None, is_relayed: bool = False) -> Summary:
    """Return the summary of an event of that moment with that data."""
    body = {"type": name, "timestamp": int(AT.timestamp() * 1000), "data": data}
    return catalog.summarise(event(name, body), BERLIN, earlier, is_relayed=is_relayed)


def data_of(name: str, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the data of a sample with some of it changed, by paths below data."""
    assignments = {f"data.{path}": value for path, value in (changes or {}).items()}
    data: dict[str, Any] = json.loads(catalog.sample_payload(name, assignments))["data"]
    return data


def of_sample(name: str, changes: Mapping[str, Any] | None = None, earlier: Stored | None = None) -> Summary:
    return of_data(name, data_of(name, changes), earlier=earlier)


class Stored:
    """Earlier events by kind and object id; keeps what was asked for."""

    def __init__(self, data: Mapping[tuple[str, str], Mapping[str, Any]] | None = None) -> None:
        self._data = data or {}
        self.asked: list[tuple[str, str]] = []

    def of(self, kind: str, object_id: str) -> Mapping[str, Any] | None:
        self.asked.append((kind, object_id))
        return self._data.get((kind, object_id))


def row(summary: Summary) -> tuple[str, str, str, str]:
    """Return a summary as a row of a table: tone, headline, fields, and the small print without its time."""
    fields = " · ".join(f"{label} {value}" for label, value in summary.fields)
    return summary.tone.value, summary.headline, fields, summary.details
