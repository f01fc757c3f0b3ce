"""Heartbeats of the workers."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from hub.store.session import Repository
from hub.store.tables import workers

CLOCKS_APART_AT_MOST = timedelta(minutes=1)


class Workers(Repository):
    """One row for each worker: the time of its last cycle."""

    def beat(self, worker: str, seen_at: datetime, *, forget_after: timedelta) -> None:
        """Keep a worker's heartbeat, and forget workers that were silent for long."""
        self._session.connection.execute(
            delete(workers).where(workers.c.seen_at < self._session.now - forget_after)
        )
        self._session.upsert(workers, {"id": worker, "seen_at": seen_at})

    def leave(self, worker: str) -> None:
        """Forget a worker that stops in good order."""
        self._session.connection.execute(delete(workers).where(workers.c.id == worker))

    def last_seen_at(self) -> datetime | None:
        """Return the last heartbeat of any worker; None where none runs.

        One of a clock that was ahead is no sign of life.
        """
        latest = select(func.max(workers.c.seen_at)).where(
            workers.c.seen_at < self._session.now + CLOCKS_APART_AT_MOST
        )
        return self._session.connection.execute(latest).scalar()
