"""The last that is known of each mirror, and the deliveries that are owed for some objects."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, func, or_, select

from hub.model.delivery import State
from hub.model.mirror import MOST_COUNTED, CompareFailure, GapsSummary, MirrorFacts, MirrorTable, PartWait
from hub.store.repositories.queue import Queue
from hub.store.session import Repository, to_json
from hub.store.tables import deliveries, events, mirrors, settings

_OWED = (State.PENDING, State.SENDING, State.HELD)
_KEYS_AT_ONCE = 500

_FAILURE, _GAPS = "compare_failure/", "gaps"
"""Names of shared values: the beginning of those of mirrors that could not be compared, and the search's."""


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

    def facts(self) -> MirrorFacts:
        """Return all that health is judged by."""
        return MirrorFacts(
            tables=self.all(), failures=self.failures(), gaps=self.gaps(), waits=self.part_waits()
        )

    def part_waits(self) -> Mapping[str, tuple[PartWait, ...]]:
        """Return the deliveries that wait for parts of their destination, by that."""
        waits: dict[str, tuple[PartWait, ...]] = {}
        for names in Queue(self._session).needs():
            destination, slash, _ = names[0].partition("/")
            if slash:
                parts = tuple(name.removeprefix(f"{destination}/") for name in names)
                wait = self._part_wait(parts, deliveries.c.needs == ",".join(names))
                waits[destination] = (*waits.get(destination, ()), *wait)
        return waits

    def _part_wait(self, parts: tuple[str, ...], is_waiting: ColumnElement[bool]) -> Iterator[PartWait]:
        """Yield one list of deliveries, by three looks into an index; none where they went on meanwhile."""
        of = select(deliveries.c.created_at, deliveries.c.reason).where(is_waiting).limit(1)
        oldest, newest = (
            self._session.connection.execute(of.order_by(order)).first()
            for order in (deliveries.c.id, deliveries.c.id.desc())
        )
        some = select(deliveries.c.id).where(is_waiting).limit(MOST_COUNTED + 1).subquery()
        count = self._session.connection.execute(select(func.count()).select_from(some)).scalar_one()
        if oldest is not None and newest is not None:
            yield PartWait(
                parts=parts,
                reason=newest.reason or "",
                since=oldest.created_at,
                count=count if count <= MOST_COUNTED else None,
            )

    def keep(self, destination: str, table: str, **values: Any) -> None:
        """Keep what is newly known of a table; what is not named stays as it was."""
        row = {"destination": destination, "name": table, **values}
        self._session.upsert(mirrors, row, changes=values)

    def forget_others(self, destination: str, tables: Collection[str]) -> None:
        """Forget what was known of a mirror's tables but these."""
        is_other = mirrors.c.name.not_in(sorted(tables))
        self._session.connection.execute(
            delete(mirrors).where(mirrors.c.destination == destination, is_other)
        )

    def keep_failure(self, destination: str, reason: str) -> None:
        """Keep that a mirror could not be compared just now, and why."""
        row = {"name": _FAILURE + destination, "value": f"{self._session.now.isoformat()} {reason}"}
        self._session.upsert(settings, row)

    def forget_failure(self, destination: str) -> None:
        """Forget that a mirror could not be compared: now it was."""
        self._session.connection.execute(delete(settings).where(settings.c.name == _FAILURE + destination))

    def failures(self) -> Mapping[str, CompareFailure]:
        """Return the comparisons that could not be made, by destination."""
        statement = select(settings.c.name, settings.c.value).where(
            settings.c.name.startswith(_FAILURE, autoescape=True)
        )
        failures = {}
        for name, value in self._session.connection.execute(statement):
            at, _, reason = value.partition(" ")
            failure = CompareFailure(at=datetime.fromisoformat(at), reason=reason)
            failures[name.removeprefix(_FAILURE)] = failure
        return failures

    def keep_gaps(self, summary: GapsSummary) -> None:
        """Keep the last search for changes of which no event came."""
        values = {**asdict(summary), "at": summary.at.isoformat()}
        self._session.upsert(settings, {"name": _GAPS, "value": to_json(values)})

    def gaps(self) -> GapsSummary | None:
        """Return the last search for changes of which no event came; None where there was none."""
        statement = select(settings.c.value).where(settings.c.name == _GAPS)
        value = self._session.connection.execute(statement).scalar()
        if value is None:
            return None
        values = json.loads(value)
        return GapsSummary(**{**values, "at": datetime.fromisoformat(values["at"])})

    def lease(self, name: str, owner: str, duration: timedelta) -> bool:
        """Take or prolong a lease of that name for one owner; False while it is another's."""
        now, until = self._session.now, self._session.now + duration
        row = {"name": name, "value": f"{_sortable(until)} {owner}"}
        is_free = or_(
            settings.c.value < _sortable(now), settings.c.value.endswith(f" {owner}", autoescape=True)
        )
        return self._session.upsert(settings, row, where=is_free).rowcount > 0

    def lease_owner(self, name: str) -> str:
        """Return who has a lease that could not be taken just now, in the same transaction."""
        statement = select(settings.c.value).where(settings.c.name == name)
        return str(self._session.connection.execute(statement).scalar_one()).partition(" ")[2]

    def end_lease(self, name: str, owner: str) -> None:
        """Leave a lease to others, if it is the owner's."""
        is_own = settings.c.value.endswith(f" {owner}", autoescape=True)
        self._session.connection.execute(delete(settings).where(settings.c.name == name, is_own))

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
