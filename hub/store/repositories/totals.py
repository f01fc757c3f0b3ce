"""Totals: what is over is counted once, so that pages and metrics need not look at every row again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Select, case, delete, func, literal_column, select, type_coerce

from hub.model.delivery import State
from hub.model.event import first_id, made_at
from hub.model.stats import DELIVERY_SECONDS_BOUNDS
from hub.store.repositories.kinds import Kind, distinct, every_kind_of_events
from hub.store.session import Repository, from_microseconds, to_microseconds
from hub.store.tables import attempts, counters, deliveries, events, is_in, settings

UNTIL = "counted_until"
"""The shared value with the moment before which all is in the counters; what came later is in the rows."""

SETTLED = timedelta(minutes=10)
"""What is younger is not counted yet: clocks of processes disagree, and transactions take time.

A clock that is set back by more leaves out of the totals what happens until it has caught up.
"""

STRIP_KEPT = 60
"""So many half hours of deliveries are kept, a few more than a page shows."""

MICROSECONDS = "microseconds"

Label = tuple[str, str]
"""A counter's name, and its labels with a line for each."""


@dataclass(frozen=True, kw_only=True)
class Counted:
    """The counts of what happened from one moment on and before another, by counter.

    `pruned` is the number of rows that were ever pruned. `is_part` says that there is more to count.
    """

    since: datetime
    until: datetime
    counts: Mapping[Label, int]
    pruned: int
    is_part: bool


class Totals(Repository):
    """The counters of what happened before a moment, and the rows of what happened since."""

    def until(self) -> datetime:
        """Return the moment before which all is in the counters."""
        return self._moment(select(settings.c.value).where(settings.c.name == UNTIL))

    def lock(self) -> datetime:
        """Return that moment, which stays as it is until this transaction ends."""
        self._session.upsert(settings, {"name": UNTIL, "value": "0"}, changes={})
        return self._moment(self._session.locking(select(settings.c.value).where(settings.c.name == UNTIL)))

    def count(self, most: int, settled: timedelta = SETTLED) -> Counted:
        """Return what is over and not counted yet, of about so many events at most."""
        since, end = self.until(), self._end(settled)
        part = self._part(since, most)
        until = max(since, min(end, part or end))
        counts = Counter[Label]()
        for (source, type_), count in self.events_between(since, until).items():
            counts["events", f"{source}\n{type_}"] += count
        for destination, half_hour, *row in self._rows(delivered_between(since, until)):
            counts["delivered", destination] += row[0]
            counts["sent", f"{half_hour:08d}\n{destination}"] += row[0]
            for label, count in zip(SECONDS_LABELS, row, strict=True):
                counts["delivery_seconds", label] += int(count or 0)
        for destination, outcome, count in self.attempts_between(since, until):
            counts["attempts", f"{destination}\n{outcome}"] += count
        is_part = part is not None and part < end
        return Counted(since=since, until=until, counts=counts, pruned=self._pruned(), is_part=is_part)

    def add(self, counted: Counted) -> bool:
        """Keep what was counted; return False where others counted, or rows were pruned, in the meantime."""
        if self.lock() != counted.since or self._pruned() != counted.pruned:
            return False
        for (name, labels), count in sorted(counted.counts.items()):
            self.add_to(name, labels, count)
        value = str(to_microseconds(counted.until))
        self._session.upsert(settings, {"name": UNTIL, "value": value})
        oldest = f"{half_hour_of(counted.until) - STRIP_KEPT:08d}"
        self._session.connection.execute(
            delete(counters).where(counters.c.name == "sent", counters.c.labels < oldest)
        )
        return True

    def add_to(self, name: str, labels: str, count: int) -> None:
        """Add to a counter."""
        row = {"name": name, "labels": labels, "count": count}
        self._session.upsert(counters, row, changes={"count": counters.c.count + count})

    def of(self, name: str) -> dict[tuple[str, ...], int]:
        """Return the counters of a name by their labels."""
        statement = select(counters.c.labels, counters.c.count).where(counters.c.name == name)
        return {tuple(labels.split("\n")): count for labels, count in self._rows(statement)}

    def _pruned(self) -> int:
        """Return the number of rows that were ever pruned."""
        names = ("pruned_events", "pruned_deliveries")
        statement = select(func.coalesce(func.sum(counters.c.count), 0)).where(counters.c.name.in_(names))
        return int(self._session.connection.execute(statement).scalar_one())

    def events_between(self, since: datetime, until: datetime | None = None) -> dict[Kind, int]:
        """Return the number of events whose ids were made in that time, by source and type."""
        counts = {}
        for source, type_ in every_kind_of_events(self._session).chosen or ():
            # Kind by kind: a planner that groups all of them would read the whole index.
            statement = select(func.count()).where(
                events.c.source == source, events.c.type == type_, events.c.id >= first_id("evt", since)
            )
            if until is not None:
                statement = statement.where(events.c.id < first_id("evt", until))
            counts[source, type_] = int(self._session.connection.execute(statement).scalar_one())
        return {kind: count for kind, count in counts.items() if count}

    def attempts_between(self, since: datetime, until: datetime | None = None) -> list[tuple[str, str, int]]:
        """Return the number of the attempts begun in that time that ended, by destination and outcome."""
        statement = (
            select(attempts.c.destination, attempts.c.outcome, func.count())
            .where(attempts.c.outcome.is_not(None), attempts.c.at >= since)
            .group_by(attempts.c.destination, attempts.c.outcome)
        )
        if until is not None:
            statement = statement.where(attempts.c.at < until)
        return [
            (name, outcome, count)
            for destination in distinct(self._session, attempts.c.destination)
            for name, outcome, count in self._rows(statement.where(attempts.c.destination == destination))
        ]

    def _end(self, settled: timedelta) -> datetime:
        """Return the moment before which all is over."""
        under_way = select(deliveries.c.id).where(is_in(State.SENDING))
        began = select(func.min(attempts.c.at)).where(
            attempts.c.delivery_id.in_(under_way), attempts.c.outcome.is_(None)
        )
        oldest: datetime | None = self._session.connection.execute(began).scalar()
        return min(filter(None, (self._session.now - settled, oldest)))

    def _part(self, since: datetime, most: int) -> datetime | None:
        """Return the moment by which so many events have come since another; None where fewer have."""
        came = select(events.c.id).where(events.c.id >= first_id("evt", since)).order_by(events.c.id)
        last = self._session.connection.execute(came.limit(1).offset(most)).scalar()
        return None if last is None else made_at(last) + timedelta(milliseconds=1)

    def _moment(self, statement: Select[Any]) -> datetime:
        return from_microseconds(int(self._session.connection.execute(statement).scalar() or 0))

    def _rows(self, statement: Select[Any]) -> list[Any]:
        return list(self._session.connection.execute(statement))


SECONDS_LABELS = ("+Inf", *(str(bound) for bound in DELIVERY_SECONDS_BOUNDS), MICROSECONDS)
"""The labels of the counters that `delivered_between` has columns for, behind the number of all."""


def delivered_between(since: datetime, until: datetime | None = None) -> Select[Any]:
    """Select destinations, half hours, and numbers by `SECONDS_LABELS` of what arrived in that time."""
    delivered_at = type_coerce(deliveries.c.delivered_at, BigInteger)
    took = delivered_at - type_coerce(deliveries.c.created_at, BigInteger)
    within = [func.sum(case((took <= int(bound * 1e6), 1), else_=0)) for bound in DELIVERY_SECONDS_BOUNDS]
    half_hour = half_hour_column(deliveries.c.finished_at)
    statement = (
        select(deliveries.c.destination, half_hour, func.count(), *within, func.sum(took))
        .where(is_in(State.DELIVERED), deliveries.c.finished_at >= since)
        .group_by(deliveries.c.destination, half_hour)
    )
    return statement if until is None else statement.where(deliveries.c.finished_at < until)


def half_hour_column(column: Any) -> Any:
    """Return the number of the half hour that a moment is in, counted from 1970."""
    return type_coerce(column, BigInteger) // literal_column("1800000000", BigInteger)


def half_hour_of(moment: datetime) -> int:
    """Return the same of a moment that is known."""
    return to_microseconds(moment) // 1_800_000_000


def start_of_half_hour(number: int) -> datetime:
    """Return the first moment of a half hour."""
    return from_microseconds(number * 1_800_000_000)
