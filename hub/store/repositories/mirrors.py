"""The last that is known of each mirror, and the deliveries that are owed for some objects."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select

from hub.model.delivery import State
from hub.model.mirror import MirrorTable
from hub.store.session import Repository
from hub.store.tables import deliveries, events, mirrors, settings

_OWED = (State.PENDING, State.SENDING, State.HELD)
_KEYS_AT_ONCE = 500


class Mirrors(Repository):
    """One row for each table of each mirror."""

    def all(self) -> Mapping[str, tuple[MirrorTable, ...]]:
        """Return the tables of every mirror, by the name of its destination, in the order of their names."""
        statement = select(mirrors).order_by(mirrors.c.destination, mirrors.c.name)
        of: dict[str, tuple[MirrorTable, ...]] = {}
        for row in self._session.connection.execute(statement).mappings():
            values = {name: value for name, value in row.items() if name != "destination"}
            of[row["destination"]] = (*of.get(row["destination"], ()), MirrorTable(**values))
        return of

    def keep(self, destination: str, table: str, **values: Any) -> None:
        """Keep what is newly known of a table; what is not named stays as it was."""
        row = {"destination": destination, "name": table, **values}
        self._session.upsert(mirrors, row, changes=values)

    def lease(self, name: str, owner: str, duration: timedelta) -> bool:
        """Take or prolong a lease of that name for one owner; False while it is another's."""
        now, until = self._session.now, self._session.now + duration
        row = {"name": name, "value": f"{_sortable(until)} {owner}"}
        is_free = or_(
            settings.c.value < _sortable(now), settings.c.value.endswith(f" {owner}", autoescape=True)
        )
        return self._session.upsert(settings, row, where=is_free).rowcount > 0

    def owed(self, destination: str, keys: Collection[str]) -> set[str]:
        """Return those keys of objects of whose events a delivery to a destination is owed."""
        wanted, owed = sorted(keys), set[str]()
        for start in range(0, len(wanted), _KEYS_AT_ONCE):
            statement = (
                select(events.c.object_key)
                .distinct()
                .join_from(events, deliveries, deliveries.c.event_id == events.c.id)
                .where(
                    events.c.object_key.in_(wanted[start : start + _KEYS_AT_ONCE]),
                    events.c.payload.is_not(None),
                    deliveries.c.destination == destination,
                    deliveries.c.state.in_([state.value for state in _OWED]),
                )
            )
            owed.update(self._session.connection.execute(statement).scalars())
        return owed


def _sortable(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")
