"""Lists of the API that go over several pages."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hub.client.api import Api
from hub.model.event import HUB_SOURCE, Event

DELIVERIES_PER_PAGE = 500
"""The most that the API returns at once."""

EVENTS_PER_PAGE = 100


def list_deliveries(api: Api, limit: int, **filters: str | None) -> dict[str, Any]:
    """Return at most `limit` deliveries, newest first, in the API's form of a page."""
    items: list[Any] = []
    cursor = None
    while True:
        size = min(limit - len(items), DELIVERIES_PER_PAGE)
        page = api.call("GET", "/api/deliveries", limit=size, before=cursor, **filters)
        items += page["items"]
        cursor = page["next"]
        if cursor is None or len(items) >= limit:
            return {**page, "items": items}


def stored_events(api: Api, since: str, counts: Counter[str]) -> Iterator[Event]:
    """Yield the stored events, newest first, without those of the hub itself and those that are pruned.

    `counts` is added to: `events` that were yielded and `pruned` ones.
    """
    cursor = None
    while True:
        page = api.call(
            "GET", "/api/events", since=since, payload="true", limit=EVENTS_PER_PAGE, before=cursor
        )
        for item in page["items"]:
            if item["source"] == HUB_SOURCE:
                continue
            counts["pruned" if item["payload"] is None else "events"] += 1
            if item["payload"] is not None:
                yield _event(item)
        cursor = page["next"]
        if cursor is None:
            return


def _event(item: dict[str, Any]) -> Event:
    return Event(
        id=item["id"],
        source=item["source"],
        message_id=item["message_id"],
        type=item["type"],
        payload=json.dumps(item["payload"]).encode(),
        received_at=datetime.fromisoformat(item["received_at"]),
    )
