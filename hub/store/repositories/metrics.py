"""Totals of all that ever happened, pruned rows included, so that no counter of a metric goes down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, case, func, select, type_coerce

from hub.model.delivery import State
from hub.store.session import Repository
from hub.store.tables import attempts, counters, deliveries, events, is_in, refusals


class Metrics(Repository):
    """Totals of events, attempts and deliveries."""

    def events_by_type(self) -> dict[tuple[str, str], int]:
        """Return the number of events ever received, by source and type."""
        kind = (events.c.source, events.c.type)
        rows = self._session.connection.execute(select(*kind, func.count()).group_by(*kind))
        return self._with_pruned("events", {(source, type_): count for source, type_, count in rows})

    def attempts_by_outcome(self) -> dict[tuple[str, str], int]:
        """Return the number of attempts ever finished, by destination and outcome."""
        statement = (
            select(attempts.c.destination, attempts.c.outcome, func.count())
            .where(attempts.c.outcome.is_not(None))
            .group_by(attempts.c.destination, attempts.c.outcome)
        )
        rows = self._session.connection.execute(statement)
        return self._with_pruned("attempts", {(name, outcome): count for name, outcome, count in rows})

    def degraded(self) -> dict[str, int]:
        """Return the number of messages that ever went out in another form, by destination."""
        went_out = func.sum(case((is_in(State.DELIVERED), 1), else_=0))
        statement = select(deliveries.c.destination, went_out).where(deliveries.c.degraded.is_not(None))
        counts = {name: count for (name,), count in self._pruned("degraded").items()}
        for name, count in self._session.connection.execute(statement.group_by(deliveries.c.destination)):
            counts[name] = counts.get(name, 0) + int(count)
        return counts

    def refused(self) -> dict[tuple[str, str], int]:
        """Return the number of requests ever refused, by source and code."""
        statement = select(refusals.c.source, refusals.c.code, func.sum(refusals.c.count))
        rows = self._session.connection.execute(statement.group_by(refusals.c.source, refusals.c.code))
        return self._with_pruned("refused", {(source, code): int(count) for source, code, count in rows})

    def delivery_seconds(self, bounds: Sequence[float]) -> tuple[list[int], float]:
        """Return the number of deliveries that ever took at most each bound, and their seconds together.

        The last number counts all of them.
        """
        delivered_at = type_coerce(deliveries.c.delivered_at, BigInteger)
        microseconds = delivered_at - type_coerce(deliveries.c.created_at, BigInteger)
        columns: list[Any] = [func.count()]
        columns += [func.sum(case((microseconds <= int(bound * 1e6), 1), else_=0)) for bound in bounds]
        columns.append(func.sum(microseconds))
        row = self._session.connection.execute(select(*columns).where(is_in(State.DELIVERED))).one()
        pruned = self._pruned("delivery_seconds")
        names = ["+Inf", *(str(bound) for bound in bounds)]
        counts = [
            int(count or 0) + pruned.get((name,), 0) for name, count in zip(names, row[:-1], strict=True)
        ]
        total = int(row[-1] or 0) + pruned.get(("microseconds",), 0)
        return [*counts[1:], counts[0]], total / 1e6

    def has_delivered(self) -> bool:
        """Return True once anything was ever delivered, and is kept or pruned."""
        kept = select(deliveries.c.id).where(is_in(State.DELIVERED)).limit(1)
        if self._session.connection.execute(kept).first() is not None:
            return True
        return any(self._pruned("delivery_seconds").values())

    def _with_pruned(self, name: str, counts: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        """Return the counts of the rows that are kept, with those of pruned ones added."""
        for labels, count in self._pruned(name).items():
            counts[labels] = counts.get(labels, 0) + count
        return counts

    def _pruned(self, name: str) -> dict[Any, int]:
        rows = self._session.connection.execute(
            select(counters.c.labels, counters.c.count).where(counters.c.name == name)
        )
        return {tuple(labels.split("\n")): count for labels, count in rows}
