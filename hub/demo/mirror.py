"""A mirror in a SQLite file of the demo's own: routes that have none get one, and its rows are shown."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hub.destinations.database.destination import DatabaseDestination
from hub.destinations.database.options import DatabaseOptions
from hub.errors import SendError
from hub.mirror.mirror import Mirror, open_mirror
from hub.mirror.tables import table_of
from hub.model.config import Config
from hub.model.destination import DestinationConfig
from hub.model.routing import Route, Send, event_matches

VARIABLE = "APP_DATABASE_URL"
INSTANCE = "ins_2x0demo"
"""Not that of the catalog's samples, which no mirror takes."""

NAME = "app-db"

_SHOWN = (
    *("primary_email", "email_address", "first_name", "last_name", "name", "role", "status"),
    *("user_id", "organization_id"),
)
_READ_SECONDS = 5.0


def mirror_url(folder: Path) -> str:
    """Return the URL of the demo's mirror."""
    return f"sqlite:///{folder / 'app.db'}"


def with_mirror(config: Config) -> Config:
    """Return the configuration with a mirror of what its unconditional routes take, where it has none.

    Each type of event is mirrored by the first of them alone, and none by a route of its own: what goes to
    `unmatched` stays as it is.
    """
    types = {destination.type for destination in config.destinations.values()}
    if DatabaseDestination.type in types or NAME in config.destinations:
        return config
    destination = DestinationConfig(
        name=NAME,
        type=DatabaseDestination.type,
        options=DatabaseOptions.model_validate({"url": config.environment[VARIABLE]}),
        retry_seconds=(1.0, 1.0, 1.0),
        timeout_seconds=10.0,
        give_up_after_seconds=3600.0,
        concurrency=DatabaseDestination.concurrency,
    )
    left_over = set(DatabaseDestination.mirrored_types({}, {}) or ())
    routes = []
    for route in config.routes:
        taken = _taken(route, left_over)
        left_over -= taken
        send = Send(to=NAME, mirrored=frozenset(taken))
        routes.append(replace(route, sends=(*route.sends, send)) if taken else route)
    return replace(config, destinations={**config.destinations, NAME: destination}, routes=tuple(routes))


def _taken(route: Route, types: set[str]) -> set[str]:
    if not route.enabled or route.when:
        return set()
    return {name for name in types if any(event_matches(pattern, name) for pattern in route.events)}


class MirrorReader:
    """Reads the rows of one mirror, to be used in a `with`; nothing is opened before one is asked for."""

    def __init__(self) -> None:
        self._mirror: Mirror | None = None

    def __enter__(self) -> MirrorReader:
        return self

    def __exit__(self, *_: object) -> None:
        if self._mirror is not None:
            self._mirror.close()

    def line(self, options: DatabaseOptions, event_type: str, payload: bytes) -> str | None:
        """Return the row that an event left in the mirror, as one line; None where there is none."""
        table = table_of(event_type)
        object_id = json.loads(payload)["data"].get("id")
        if table is None or object_id is None:
            return None
        self._mirror = self._mirror or open_mirror(options.mirror)
        try:
            row = self._mirror.find(table, [object_id], timeout_seconds=_READ_SECONDS).get(object_id)
        except SendError:
            return None
        return None if row is None else f"{table}: {', '.join(_words(row))}"


def _words(row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("deleted_at") is not None:
        yield "deleted_at is set"
    yield from (f"{name}={row[name]}" for name in _SHOWN if row.get(name) is not None)
