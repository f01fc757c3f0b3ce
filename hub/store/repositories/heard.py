"""The objects of which the hub heard: for those who compare Clerk's lists with the events that came."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, select

from hub.store.session import Repository
from hub.store.tables import events


class Heard(Repository):
    """Events of one source, by the objects that they are about; pruned ones do not count."""

    def any_of(self, source: str, types: Collection[str]) -> bool:
        """Return True where any event of one of these types was stored."""
        of_types = events.c.type.in_(sorted(types))
        statement = select(events.c.id).where(events.c.source == source, of_types).limit(1)
        return self._session.connection.execute(statement).first() is not None

    def keys(self, source: str, keys: Collection[str]) -> set[str]:
        """Return those keys of objects of which there is an event."""
        statement = select(events.c.object_key).distinct().where(*_of(source, keys))
        return set(self._session.connection.execute(statement).scalars())

    def payloads(self, source: str, keys: Collection[str], since: datetime) -> Iterator[tuple[str, bytes]]:
        """Yield key and payload of each event since a moment about one of these objects."""
        statement = select(events.c.object_key, events.c.payload).where(
            *_of(source, keys), events.c.received_at >= since
        )
        for row in self._session.connection.execute(statement):
            yield row.object_key, row.payload


def _of(source: str, keys: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        events.c.object_key.in_(sorted(keys)),
        events.c.payload.is_not(None),
        events.c.source == source,
    )
