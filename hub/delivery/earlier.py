"""Earlier events of the objects that a message is about: what changed, and the name of what was deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from hub import catalog
from hub.errors import StoreError
from hub.model.event import Event, object_key
from hub.store.store import Store

LOOKUPS_LIMIT = 2
"""The most that are looked up for one message."""

log = structlog.get_logger()


@dataclass(kw_only=True)
class EarlierEvents:
    """The stored events before one, for one message: an `Earlier`.

    Each object is looked up once, when it is first asked for. Where the store is away nothing is found, nor
    looked up any more: the message is made without.
    """

    store: Store
    event: Event
    _data: dict[str, Mapping[str, Any] | None] = field(default_factory=dict)
    _is_away: bool = False

    def of(self, kind: str, object_id: str) -> Mapping[str, Any] | None:
        key = object_key(kind, object_id)
        if key not in self._data and len(self._data) < LOOKUPS_LIMIT and not self._is_away:
            self._data[key] = self._look_up(key)
        return self._data.get(key)

    def _look_up(self, key: str) -> Mapping[str, Any] | None:
        try:
            with self.store.read() as snapshot:
                earlier = snapshot.events.before(self.event, key)
        except StoreError as error:
            self._is_away = True
            log.warning("delivery.made_without_earlier", event_id=self.event.id, error=str(error))
            return None
        return None if earlier is None else data_of(earlier)


def data_of(event: Event) -> Mapping[str, Any] | None:
    """Return the data of an event, its one-time secrets masked; None where it has none."""
    data = catalog.mask_body(event.type, event.body).get("data")
    return data if isinstance(data, dict) else None
