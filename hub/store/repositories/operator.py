"""What operators do to the store, and what it does to itself with age: retry, pause, prune, blank."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub.errors import NotFound
from hub.model.delivery import State
from hub.store.repositories.view import View, is_in
from hub.store.tables import deliveries, destinations, events, keep


class Operating(View):
    """The part of a transaction that carries out what an operator asks for."""

    def delivery_row(self, delivery_id: str) -> Any:
        """A delivery, locked, with whether its event's payload is kept and blanked; raises NotFound."""
        statement = (
            select(deliveries, events.c.payload.is_not(None).label("has_payload"), events.c.blanked)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.id == delivery_id)
        )
        if self._skips_locked:
            statement = statement.with_for_update(of=deliveries)
        row = self._connection.execute(statement).first()
        if row is None:
            raise NotFound(f"there is no delivery {delivery_id}")
        return row

    def requeue(self, delivery_id: str, fields: Mapping[str, Any]) -> None:
        """Owe a delivery anew: due now, its schedule begun again, to be rendered from `fields`."""
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id)
            .values(
                state=State.PENDING,
                reason=None,
                due_at=self.now,
                owed_since=self.now,
                tries=0,
                send=dict(fields),
                message=None,
                degraded=None,
                finished_at=None,
            )
        )

    def resend_held(self, delivery_id: str) -> None:
        """Make a held delivery pending again, with the same message and id."""
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id)
            .values(state=State.PENDING, reason=None, due_at=self.now, owed_since=self.now, tries=0)
        )

    def finish(self, delivery_id: str, state: State, reason: str) -> None:
        """End a delivery that no worker is sending."""
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == delivery_id)
            .values(
                state=state,
                reason=reason,
                finished_at=self.now,
                delivered_at=self.now if state is State.DELIVERED else None,
            )
        )

    def delivery_ids(
        self, state: State, destination: str | None, since: datetime | None, after: str, limit: int
    ) -> list[str]:
        """The oldest deliveries in a state, a batch at a time: those behind the id `after`."""
        statement = select(deliveries.c.id).where(is_in(state), deliveries.c.id > after)
        if destination:
            statement = statement.where(deliveries.c.destination == destination)
        if since:
            statement = statement.where(deliveries.c.created_at >= since)
        return list(self._connection.execute(statement.order_by(deliveries.c.id).limit(limit)).scalars())

    # -- destinations -------------------------------------------------------------------------

    def pause(self, name: str, reason: str) -> None:
        """Let a destination wait; what it is owed stays pending."""
        self._change(name, {"paused_at": self.now, "paused_reason": reason})

    def resume(self, name: str) -> None:
        """Let a destination go on, with its breaker closed."""
        self._change(
            name,
            {
                "paused_at": None,
                "paused_reason": None,
                "available_since": self.now,
                "failures": 0,
                "probe_at": None,
                "probe_seconds": 0.0,
                "hold_until": None,
            },
        )

    def _change(self, name: str, values: Mapping[str, Any]) -> None:
        insert_into = postgresql.insert if self._skips_locked else sqlite.insert
        self._connection.execute(
            insert_into(destinations)
            .values(name=name, **values)
            .on_conflict_do_update(index_elements=["name"], set_=dict(values))
        )

    def keep_value(self, name: str, value: str) -> str:
        """Keep a shared value unless there is one already; returns the one that is kept."""
        insert_into = postgresql.insert if self._skips_locked else sqlite.insert
        self._connection.execute(
            insert_into(keep).values(name=name, value=value).on_conflict_do_nothing(index_elements=["name"])
        )
        kept: str = self._connection.execute(select(keep.c.value).where(keep.c.name == name)).scalar_one()
        return kept

    def replace_value(self, name: str, value: str) -> bool:
        """Keep a shared value in place of what was kept; whether it is another."""
        insert_into = postgresql.insert if self._skips_locked else sqlite.insert
        replaced = self._connection.execute(
            insert_into(keep)
            .values(name=name, value=value)
            .on_conflict_do_update(
                index_elements=["name"], set_={"value": value}, where=keep.c.value != value
            )
        )
        return replaced.rowcount > 0

    def take_value(self, name: str) -> str | None:
        """Remove a shared value and return it, to one caller only; None where it is gone."""
        value: str | None = self._connection.execute(
            delete(keep).where(keep.c.name == name).returning(keep.c.value)
        ).scalar()
        return value

    def forget_values(self, prefix: str, *, before: str) -> None:
        """Remove the shared values whose names begin so and whose value sorts below `before`."""
        self._connection.execute(
            delete(keep).where(keep.c.name.startswith(prefix, autoescape=True), keep.c.value < before)
        )
