"""The attempts of deliveries, for the pages that show several at once, or what failed at a destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)

from hub.catalog.redaction import Redaction
from hub.model.delivery import Outcome, State
from hub.model.records import AttemptRecord
from hub.model.stats import Day, FailureCause
from hub.store.repositories.payloads import payloads_of
from hub.store.repositories.totals import Totals, half_hour_column, half_hour_of, start_of_half_hour
from hub.store.session import Repository
from hub.store.tables import attempts, deliveries, is_in, is_owed_again, is_stuck
from hub.strings import one_line

MOST = 2_000
"""So many attempts are read for one page, and so many deliveries of each state are asked for theirs."""

CAUSES, CAUSE_LIMIT = 12, 200
"""So many causes are told, the latest first, each cut to so many characters."""

MOST_ARRIVED = 10_000
"""Of so many that arrived it is looked whether they came late."""

HALF_HOURS = 48
"""A day has so many."""

_HALF_A_SECOND: ColumnElement[int] = literal_column("500000")


class Attempts(Repository):
    """Tries of deliveries."""

    def of(self, delivery_ids: Sequence[str]) -> dict[str, tuple[AttemptRecord, ...]]:
        """Return the attempts of these deliveries, oldest first and without their answers; none for some."""
        columns = [column for column in attempts.c if column is not attempts.c.answer]
        statement = (
            select(*columns, null().label("answer"))
            .where(attempts.c.delivery_id.in_(delivery_ids))
            .order_by(attempts.c.delivery_id, attempts.c.number)
            .limit(MOST)
        )
        tried: dict[str, tuple[AttemptRecord, ...]] = {}
        for row in self._session.connection.execute(statement):
            tried[row.delivery_id] = (*tried.get(row.delivery_id, ()), attempt_record(row))
        return tried

    def failures(self, destination: str, since: datetime) -> list[FailureCause]:
        """Return the causes of a destination's attempts that failed or were unknown, the latest first.

        They are those of its newest deliveries, as far as an index leads to them: of what waits for another
        attempt, also for one that an operator asked for, is dead or held, and of what was cancelled or ended
        by arriving since then, half a second late or more.
        """
        looked_at = _looked_at(destination, since)
        statement = (
            select(
                attempts.c.outcome,
                attempts.c.status,
                attempts.c.detail,
                func.count().label("attempts"),
                func.count(attempts.c.delivery_id.distinct()).label("messages"),
                func.min(attempts.c.at).label("first_at"),
                func.max(attempts.c.at).label("last_at"),
                func.max(attempts.c.delivery_id).label("latest"),
            )
            .where(
                attempts.c.delivery_id.in_(select(looked_at.c.id)),
                attempts.c.outcome.in_((Outcome.FAILED, Outcome.UNKNOWN)),
                attempts.c.at >= since,
            )
            .group_by(attempts.c.outcome, attempts.c.status, attempts.c.detail)
            .order_by(func.max(attempts.c.at).desc())
            .limit(CAUSES)
        )
        rows = self._session.connection.execute(statement).all()
        redactions = self._redactions([row.latest for row in rows])
        return [
            FailureCause(
                outcome=Outcome(row.outcome),
                status=row.status,
                detail=one_line(redactions[row.latest].text(row.detail or ""), CAUSE_LIMIT),
                attempts=row.attempts,
                messages=row.messages,
                first_at=row.first_at,
                last_at=row.last_at,
                latest=row.latest,
            )
            for row in rows
        ]

    def median_seconds(self, destination: str, since: datetime) -> float | None:
        """Return the median time of a destination's newest attempts since a moment; None without any."""
        statement = (
            select(attempts.c.seconds)
            .where(
                attempts.c.destination == destination,
                attempts.c.at >= since,
                attempts.c.seconds.is_not(None),
            )
            .order_by(attempts.c.at.desc())
            .limit(MOST)
        )
        times = self._session.connection.execute(statement).scalars().all()
        return median(times) if times else None

    def last_day(self, destination: str | None = None) -> dict[str, Day]:
        """Return the last 24 hours of one destination or of all, those left out that had nothing.

        What failed is that of the deliveries that `failures` looks at.
        """
        last = half_hour_of(self._session.now)
        first = last - HALF_HOURS + 1
        since, tried = start_of_half_hour(first), half_hour_column(attempts.c.at)
        totals = Totals(self._session)
        arrived = half_hour_column(deliveries.c.finished_at)
        sent = (
            select(deliveries.c.destination, literal(Outcome.DELIVERED.value), arrived, func.count())
            .where(is_in(State.DELIVERED), deliveries.c.finished_at >= max(since, totals.until()))
            .group_by(deliveries.c.destination, arrived)
        )
        failed = (
            select(attempts.c.destination, attempts.c.outcome, tried, func.count())
            .where(
                attempts.c.delivery_id.in_(select(_looked_at(destination, since).c.id)),
                attempts.c.outcome.in_((Outcome.FAILED, Outcome.UNKNOWN)),
                attempts.c.at >= since,
            )
            .group_by(attempts.c.destination, attempts.c.outcome, tried)
        )
        if destination is not None:
            sent = sent.where(deliveries.c.destination == destination)
        counts: dict[str, dict[Outcome, list[int]]] = {}
        rows = [
            (name, Outcome.DELIVERED, int(half_hour), count)
            for (half_hour, name), count in totals.of("sent").items()
            if destination in (None, name)
        ]
        for statement in (sent, failed):
            rows += self._session.connection.execute(statement)
        for name, outcome, half_hour, count in rows:
            of_name = counts.setdefault(name, {outcome: [0] * HALF_HOURS for outcome in Outcome})
            if first <= half_hour <= last:
                of_name[Outcome(outcome)][half_hour - first] += count
        return {name: _day(of_name) for name, of_name in counts.items()}

    def _redactions(self, delivery_ids: Sequence[str]) -> Mapping[str, Redaction]:
        """Return for each delivery a redaction of its event's one-time secrets."""
        columns = (deliveries.c.id, deliveries.c.event_type, deliveries.c.event_id)
        statement = select(*columns).where(deliveries.c.id.in_(delivery_ids))
        rows = self._session.connection.execute(statement).all()
        payloads = payloads_of(self._session, rows, 0)
        return {
            row.id: Redaction(named={}).of_event(row.event_type, payloads.get(row.event_id)) for row in rows
        }


def _day(counts: Mapping[Outcome, Sequence[int]]) -> Day:
    sent, failed, unknown = (tuple(counts[outcome]) for outcome in Outcome)
    return Day(sent=sent, failed=failed, unknown=unknown)


def _looked_at(destination: str | None, since: datetime) -> CTE:
    """Return the ids of deliveries to one destination or to all that may have failed attempts."""
    ids = select(deliveries.c.id).limit(MOST)
    if destination is not None:
        ids = ids.where(deliveries.c.destination == destination)
    moments = (deliveries.c.finished_at, deliveries.c.created_at)
    arrived = select(deliveries.c.id, *moments).where(
        is_in(State.DELIVERED), deliveries.c.finished_at >= since
    )
    if destination is not None:
        arrived = arrived.where(deliveries.c.destination == destination)
    newest = arrived.order_by(deliveries.c.finished_at.desc()).limit(MOST_ARRIVED).subquery()
    is_late = newest.c.finished_at > newest.c.created_at + _HALF_A_SECOND
    parts = (
        ids.where(is_in(State.PENDING), deliveries.c.tries > 0).order_by(deliveries.c.due_at.desc()),
        ids.where(is_owed_again()).order_by(deliveries.c.due_at.desc()),
        ids.where(is_in(State.SENDING)),
        ids.where(is_stuck(State.DEAD)).order_by(deliveries.c.id.desc()),
        ids.where(is_stuck(State.HELD)).order_by(deliveries.c.id.desc()),
        ids.where(is_in(State.CANCELLED), deliveries.c.finished_at >= since).order_by(
            deliveries.c.finished_at.desc()
        ),
        select(newest.c.id).where(is_late).order_by(newest.c.finished_at.desc()).limit(MOST),
    )
    return union_all(*(select(part.subquery().c.id) for part in parts)).cte("looked_at")


def attempt_record(row: Any) -> AttemptRecord:
    """Return a row as a record."""
    return AttemptRecord(
        number=row.number,
        at=row.at,
        seconds=row.seconds,
        outcome=Outcome(row.outcome) if row.outcome else None,
        status=row.status,
        detail=row.detail,
        answer=row.answer,
    )
