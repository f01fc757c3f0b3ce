"""The store in numbers, for pages, metrics and findings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, func, literal, select, union_all

from hub.model.delivery import State
from hub.model.event import first_id
from hub.model.finding import HUB
from hub.model.stats import Stats
from hub.store.repositories.attempts import HALF_HOURS
from hub.store.repositories.metrics import Metrics
from hub.store.repositories.totals import Totals
from hub.store.repositories.workers import Workers
from hub.store.session import Repository
from hub.store.tables import deliveries, events, is_in

# State by state, so that each count is read from that state's own index; the totals have the delivered.
_BY_STATE = union_all(
    *(
        select(deliveries.c.destination, literal(state.value), func.count())
        .where(is_in(state))
        .group_by(deliveries.c.destination)
        for state in State
        if state is not State.DELIVERED
    )
)


HALF_HOUR = timedelta(minutes=30)

MOST_OWED = 1_000


class Numbers(Repository):
    """Counts, and what stands for many."""

    def stats(self) -> Stats:
        """Return the store in numbers, as of now."""
        recent = select(func.count()).where(
            events.c.id >= first_id("evt", self._session.now - timedelta(days=1))
        )
        totals, metrics = Totals(self._session), Metrics(self._session)
        pruned = totals.of("pruned_deliveries")
        delivered = {
            (name, State.DELIVERED): count - pruned.get((name, State.DELIVERED.value), 0)
            for name, count in metrics.delivered().items()
        }
        return Stats(
            events=sum(metrics.events_by_type().values()) - sum(totals.of("pruned_events").values()),
            events_last_day=self._session.connection.execute(recent).scalar_one(),
            last_event_at=self._newest_of_senders(events.c.received_at),
            deliveries={
                (name, State(state)): count
                for name, state, count in self._session.connection.execute(_BY_STATE)
            }
            | {key: count for key, count in delivered.items() if count},
            oldest_due=self._oldest_due(),
            worker_seen_at=Workers(self._session).last_seen_at(),
            now=self._session.now,
        )

    def newest_id(self) -> str | None:
        """Return the id of the newest event of a sender; the hub's own do not count."""
        return cast("str | None", self._newest_of_senders(events.c.id))

    def _newest_of_senders(self, column: ColumnElement[Any]) -> Any:
        statement = select(column).where(events.c.source != HUB).order_by(events.c.id.desc()).limit(1)
        return self._session.connection.execute(statement).scalar()

    def last_day(self) -> tuple[int, ...]:
        """Return how many events came in each half hour of the last 24 hours, the oldest first.

        Their ids say when: an index of ids is all that is read.
        """
        began = self._session.now - timedelta(days=1)
        bounds = [first_id("evt", began + number * HALF_HOUR) for number in range(HALF_HOURS)]
        counts = union_all(
            *(
                select(literal(number), func.count()).where(
                    events.c.id >= bound, *([events.c.id < end] if end is not None else [])
                )
                for number, (bound, end) in enumerate(zip(bounds, [*bounds[1:], None], strict=True))
            )
        )
        by_number = dict(self._session.connection.execute(counts).all())
        return tuple(by_number[number] for number in range(HALF_HOURS))

    def has_event(self) -> bool:
        """Return True where a sender's event is kept; the hub's own do not count."""
        statement = select(events.c.id).where(events.c.source != HUB).limit(1)
        return self._session.connection.execute(statement).first() is not None

    def owed_to(self, event_ids: Sequence[str]) -> dict[str, dict[State, list[str]]]:
        """Return the destinations of what these events still owe, or owe no more without having sent it."""
        columns = (deliveries.c.event_id, deliveries.c.state, deliveries.c.destination)
        statement = (
            select(*columns)
            .where(deliveries.c.event_id.in_(event_ids), deliveries.c.state != State.DELIVERED)
            .order_by(deliveries.c.id)
            .limit(MOST_OWED)
        )
        owed: dict[str, dict[State, list[str]]] = {}
        for event_id, state, destination in self._session.connection.execute(statement):
            owed.setdefault(event_id, {}).setdefault(State(state), []).append(destination)
        return owed

    def _oldest_due(self) -> dict[str, datetime]:
        """Return the time since when the oldest delivery to each destination is due."""
        oldest = {}
        for name in self.pending_destinations():
            due_at = select(func.min(deliveries.c.due_at)).where(
                is_in(State.PENDING), deliveries.c.destination == name
            )
            oldest[name] = self._session.connection.execute(due_at).scalar()
        return {name: due_at for name, due_at in oldest.items() if due_at and due_at <= self._session.now}

    def count(self, state: State, destination: str) -> int:
        """Return how many deliveries to a destination are in a state."""
        statement = select(func.count()).where(is_in(state), deliveries.c.destination == destination)
        return int(self._session.connection.execute(statement).scalar_one())

    def delivered_since(self, destination: str, moment: datetime) -> int:
        """Return how many deliveries to a destination have arrived since a moment."""
        statement = select(func.count()).where(
            is_in(State.DELIVERED),
            deliveries.c.finished_at >= moment,
            deliveries.c.destination == destination,
        )
        return int(self._session.connection.execute(statement).scalar_one())

    def in_flight(self) -> dict[str, int]:
        """Return how many deliveries are being sent, by destination."""
        statement = select(deliveries.c.destination, func.count()).where(is_in(State.SENDING))
        rows = self._session.connection.execute(statement.group_by(deliveries.c.destination))
        return dict(rows.all())

    def pending_destinations(self) -> list[str]:
        """Return the destinations that anything is pending for, with one look into an index for each."""
        names: list[str] = []
        name: str | None = ""
        while name is not None:
            following = select(func.min(deliveries.c.destination)).where(
                is_in(State.PENDING), deliveries.c.destination > name
            )
            name = self._session.connection.execute(following).scalar()
            names += [name] if name is not None else []
        return names
