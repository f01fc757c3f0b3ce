"""The invariant: every event has the deliveries it is owed, and every row is in good order.

All is looked at in one consistent view, some thousand rows at a time: no writer waits, and neither memory nor
any one statement grows with the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Subquery, and_, case, func, or_, select

from hub.model.delivery import FINISHED, Outcome, State
from hub.model.stats import Accounts, Discrepancy
from hub.store.session import Repository
from hub.store.tables import attempts, deliveries, events, is_in, workers

ROWS_AT_ONCE = 5_000

SETTLED_WITHIN = timedelta(seconds=30)
"""Every few seconds a running worker settles what a dead one was sending."""

RowRules = Mapping[str, ColumnElement[bool]]
"""The descriptions of bad rows, in words that go on from their number, and the conditions of each."""


class Invariant(Repository):
    """A look at every row there is."""

    def accounts(self, rows_at_once: int = ROWS_AT_ONCE) -> Accounts:
        """Return the deliveries owed and those that are there, and every kind of row that should not be."""
        discrepancies: dict[str, Discrepancy] = {}
        owed, counted = 0, Counter[str]()
        for rows in self._parts(events.c.id, _events_with_counts, rows_at_once):
            columns = [func.coalesce(func.sum(rows.c.owed), 0)]
            (owed_here,) = self._check(rows, columns, _event_rules(rows), discrepancies)
            owed += int(owed_here)
        for rows in self._parts(deliveries.c.id, _deliveries_with_attempts, rows_at_once):
            columns = [func.coalesce(func.sum(_one_if(rows.c.state == state)), 0) for state in State]
            counts = self._check(rows, columns, _delivery_rules(rows), discrepancies)
            counted.update(dict(zip(State, map(int, counts), strict=True)))
        states = {state: counted[state] for state in State}
        return Accounts(owed=owed, states=states, discrepancies=tuple(discrepancies.values()))

    def abandoned(self) -> int:
        """Return the number of deliveries whose lease ran out a while ago and that no worker settled."""
        statement = select(func.count()).where(
            is_in(State.SENDING), deliveries.c.lease_until < self._session.now - SETTLED_WITHIN
        )
        return int(self._session.connection.execute(statement).scalar_one())

    def newest_at(self) -> datetime | None:
        """Return the latest moment of anything in the store: never in the future, if clocks agree."""
        event = select(events.c.received_at).order_by(events.c.id.desc()).limit(1)
        moments = [
            self._session.connection.execute(event).scalar(),
            self._session.connection.execute(select(func.max(workers.c.seen_at))).scalar(),
        ]
        return max((moment for moment in moments if moment is not None), default=None)

    def _parts(
        self, column: Column[str], rows_of: Callable[[], Select[Any]], rows_at_once: int
    ) -> Iterator[Subquery]:
        """Yield a table in parts by its ids, one after the other."""
        after = ""
        while True:
            ids = select(column).where(column > after).order_by(column).offset(rows_at_once - 1).limit(1)
            last = self._session.connection.execute(ids).scalar()
            part = column > after if last is None else and_(column > after, column <= last)
            yield rows_of().where(part).subquery()
            if last is None:
                return
            after = last

    def _check(
        self, rows: Subquery, columns: list[Any], rules: RowRules, discrepancies: dict[str, Discrepancy]
    ) -> tuple[Any, ...]:
        """Return the values of `columns` over some rows; those that break a rule go into `discrepancies`."""
        judged: list[Any] = []
        for rule in rules.values():
            judged += [func.sum(_one_if(rule)), func.min(case((rule, rows.c.id)))]
        row = tuple(self._session.connection.execute(select(*columns, *judged)).one())
        numbers = row[len(columns) :]
        for description, count, example in zip(rules, numbers[::2], numbers[1::2], strict=True):
            if count:
                new = Discrepancy(description=description, count=0, example=example)
                known = discrepancies.get(description, new)
                discrepancies[description] = replace(known, count=known.count + int(count))
        return row[: len(columns)]


def _events_with_counts() -> Select[Any]:
    present = func.count(deliveries.c.id).label("present")
    return (
        select(events.c.id, events.c.owed, events.c.payload.is_(None).label("is_pruned"), present)
        .outerjoin(deliveries, deliveries.c.event_id == events.c.id)
        .group_by(events.c.id)
    )


def _event_rules(rows: Subquery) -> RowRules:
    return {
        "events lack a delivery that they were owed": rows.c.present < rows.c.owed,
        "events have more deliveries than they were owed": rows.c.present > rows.c.owed,
        "events have deliveries, but no payload": and_(rows.c.is_pruned, rows.c.present > 0),
    }


def _deliveries_with_attempts() -> Select[Any]:
    is_open = and_(attempts.c.number.is_not(None), attempts.c.outcome.is_(None))
    return (
        select(
            deliveries.c.id,
            deliveries.c.state,
            deliveries.c.reason,
            deliveries.c.token,
            deliveries.c.lease_until,
            deliveries.c.delivered_at,
            deliveries.c.finished_at,
            deliveries.c.attempts,
            events.c.id.label("event_id"),
            func.count(attempts.c.number).label("tried"),
            func.sum(_one_if(is_open)).label("open"),
            func.sum(_one_if(attempts.c.outcome == Outcome.DELIVERED.value)).label("arrived"),
        )
        .outerjoin(events, events.c.id == deliveries.c.event_id)
        .outerjoin(attempts, attempts.c.delivery_id == deliveries.c.id)
        .group_by(deliveries.c.id, events.c.id)
    )


def _delivery_rules(rows: Subquery) -> RowRules:
    is_sending = rows.c.state == State.SENDING
    is_delivered = rows.c.state == State.DELIVERED
    is_finished = rows.c.state.in_(FINISHED)
    # One that an operator resolved as delivered says so as its reason.
    is_by_itself = and_(is_delivered, rows.c.reason.is_(None))
    return {
        "deliveries are in a state that there is not": rows.c.state.not_in([state.value for state in State]),
        "deliveries have lost their event": rows.c.event_id.is_(None),
        "deliveries are being sent without a claim": and_(
            is_sending, or_(rows.c.token.is_(None), rows.c.lease_until.is_(None))
        ),
        "deliveries are claimed, but not being sent": and_(~is_sending, rows.c.token.is_not(None)),
        "deliveries were delivered at no time": and_(is_delivered, rows.c.delivered_at.is_(None)),
        "deliveries were delivered by no attempt": and_(is_by_itself, rows.c.arrived == 0),
        "deliveries are finished, but will never be pruned": and_(is_finished, rows.c.finished_at.is_(None)),
        "deliveries have an attempt under way, but are not being sent": and_(~is_sending, rows.c.open > 0),
        "deliveries have another number of attempts than they count": rows.c.attempts != rows.c.tried,
    }


def _one_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return case((condition, 1), else_=0)
