"""Totals of all that ever happened, pruned rows included, so that no counter of a metric goes down."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import case, func, select

from hub.model.delivery import State
from hub.store.repositories.totals import SECONDS_LABELS, Totals, delivered_between
from hub.store.session import Repository
from hub.store.tables import deliveries, is_in, refusals


class Metrics(Repository):
    """Totals of events, attempts and deliveries."""

    def events_by_type(self) -> dict[tuple[str, str], int]:
        """Return the number of events ever received, by source and type."""
        return self._with_counted("events", self._totals.events_between(self._totals.until()))

    def attempts_by_outcome(self) -> dict[tuple[str, str], int]:
        """Return the number of attempts ever finished, by destination and outcome."""
        rows = self._totals.attempts_between(self._totals.until())
        return self._with_counted("attempts", {(name, outcome): count for name, outcome, count in rows})

    def delivered(self) -> dict[str, int]:
        """Return the number of deliveries that ever arrived, by destination."""
        statement = (
            select(deliveries.c.destination, func.count())
            .where(is_in(State.DELIVERED), deliveries.c.finished_at >= self._totals.until())
            .group_by(deliveries.c.destination)
        )
        counts = Counter({name: count for (name,), count in self._totals.of("delivered").items()})
        for name, count in self._session.connection.execute(statement):
            counts[name] += count
        return counts

    def degraded(self) -> dict[str, int]:
        """Return the number of messages that ever went out in another form, by destination."""
        went_out = func.sum(case((is_in(State.DELIVERED), 1), else_=0))
        statement = select(deliveries.c.destination, went_out).where(deliveries.c.degraded.is_not(None))
        counts = {name: count for (name,), count in self._totals.of("degraded").items()}
        for name, count in self._session.connection.execute(statement.group_by(deliveries.c.destination)):
            counts[name] = counts.get(name, 0) + int(count)
        return counts

    def refused(self) -> dict[tuple[str, str], int]:
        """Return the number of requests ever refused, by source and code."""
        statement = select(refusals.c.source, refusals.c.code, func.sum(refusals.c.count))
        rows = self._session.connection.execute(statement.group_by(refusals.c.source, refusals.c.code))
        return self._with_counted("refused", {(source, code): int(count) for source, code, count in rows})

    def delivery_seconds(self) -> tuple[list[int], float]:
        """Return the number of deliveries that ever took at most each bound, and their seconds together.

        The last number counts all of them.
        """
        counts = Counter({label: count for (label,), count in self._totals.of("delivery_seconds").items()})
        for _, _, *row in self._session.connection.execute(delivered_between(self._totals.until())):
            for label, count in zip(SECONDS_LABELS, row, strict=True):
                counts[label] += int(count or 0)
        total, *within, microseconds = (counts[label] for label in SECONDS_LABELS)
        return [*within, total], microseconds / 1e6

    def has_delivered(self) -> bool:
        """Return True once anything was ever delivered, and is kept or pruned."""
        kept = select(deliveries.c.id).where(is_in(State.DELIVERED)).limit(1)
        if self._session.connection.execute(kept).first() is not None:
            return True
        return any(self._totals.of("delivery_seconds").values())

    def _with_counted(self, name: str, counts: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        """Return the counts of rows, with those of what is in the counters added."""
        for labels, count in self._totals.of(name).items():
            key = (labels[0], labels[1])
            counts[key] = counts.get(key, 0) + count
        return counts

    @property
    def _totals(self) -> Totals:
        return Totals(self._session)
