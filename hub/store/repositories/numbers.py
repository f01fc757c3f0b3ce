"""The store in numbers, for pages, metrics and findings."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, literal, select, union_all

from hub.model.delivery import State
from hub.model.event import first_id
from hub.model.stats import Stats
from hub.store.repositories.workers import Workers
from hub.store.session import Repository
from hub.store.tables import deliveries, events, is_in

# State by state, so that each count is read from that state's own index.
_BY_STATE = union_all(
    *(
        select(deliveries.c.destination, literal(state.value), func.count())
        .where(is_in(state))
        .group_by(deliveries.c.destination)
        for state in State
    )
)
_OLDEST_DUE = (
    select(deliveries.c.destination, func.min(deliveries.c.due_at))
    .where(is_in(State.PENDING), deliveries.c.due_at <= bindparam("now", type_=deliveries.c.due_at.type))
    .group_by(deliveries.c.destination)
)


class Numbers(Repository):
    """Counts, and what stands for many."""

    def stats(self) -> Stats:
        """Return the store in numbers, as of now."""
        newest = select(events.c.received_at).order_by(events.c.id.desc()).limit(1)
        recent = select(func.count()).where(
            events.c.id >= first_id("evt", self._session.now - timedelta(days=1))
        )
        return Stats(
            events=self._session.connection.execute(select(func.count()).select_from(events)).scalar_one(),
            events_last_day=self._session.connection.execute(recent).scalar_one(),
            last_event_at=self._session.connection.execute(newest).scalar(),
            deliveries={
                (name, State(state)): count
                for name, state, count in self._session.connection.execute(_BY_STATE)
            },
            oldest_due=dict(self._session.connection.execute(_OLDEST_DUE, {"now": self._session.now}).all()),
            worker_seen_at=Workers(self._session).last_seen_at(),
            now=self._session.now,
        )

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
