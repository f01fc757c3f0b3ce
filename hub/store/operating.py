"""What operators do to the store, and what it does to itself with age: retry, pause, prune, blank."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub import catalog
from hub.errors import NotFound
from hub.models import FINISHED, State
from hub.store.tables import attempts, counters, deliveries, destinations, events, keep
from hub.store.view import View, is_in

DELIVERY_SECONDS_BOUNDS = (0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 86400.0)
"""The buckets of `hub_delivery_seconds`, in seconds; what is pruned is counted in the same ones."""


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

    # -- with age -----------------------------------------------------------------------------

    def keep_value(self, name: str, value: str) -> str:
        """Keep a shared value unless there is one already; returns the one that is kept."""
        insert_into = postgresql.insert if self._skips_locked else sqlite.insert
        self._connection.execute(
            insert_into(keep).values(name=name, value=value).on_conflict_do_nothing(index_elements=["name"])
        )
        kept: str = self._connection.execute(select(keep.c.value).where(keep.c.name == name)).scalar_one()
        return kept

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

    def blank_secrets(self, event_ids: Collection[str]) -> None:
        """Remove one-time secrets from events whose every delivery is delivered or cancelled."""
        for event_id in sorted(event_ids):
            states = set(
                self._connection.execute(
                    select(deliveries.c.state).where(deliveries.c.event_id == event_id)
                ).scalars()
            )
            if states and states <= set(FINISHED):
                self._blank(event_id)

    def _blank(self, event_id: str) -> None:
        row = self._connection.execute(select(events).where(events.c.id == event_id)).first()
        if row is None or row.payload is None or row.blanked:
            return
        secrets = catalog.secret_values(row.type, json.loads(row.payload))
        if not secrets:
            return
        self._connection.execute(
            update(events)
            .where(events.c.id == event_id)
            .values(payload=catalog.blank_secrets(row.type, row.payload), blanked=True)
        )
        messages = self._connection.execute(
            select(deliveries.c.id, deliveries.c.message).where(deliveries.c.event_id == event_id)
        ).all()
        for delivery_id, message in messages:
            masked = in_strings(message, lambda text: catalog.mask(text, secrets))
            self._connection.execute(
                update(deliveries).where(deliveries.c.id == delivery_id).values(message=masked)
            )

    def prune(self, *, payloads_before: datetime, ids_before: datetime, limit: int) -> int:
        """Remove what is old, at most `limit` of each kind; returns how many rows were removed or emptied.

        Finished deliveries with their attempts go first, then payloads of events that are owed nothing,
        then events whose message id is old enough to be forgotten. What goes is kept in the counters.
        """
        return (
            self._prune_deliveries(payloads_before, limit)
            + self._prune_payloads(payloads_before, limit)
            + self._prune_events(min(ids_before, payloads_before), limit)
        )

    def _prune_deliveries(self, before: datetime, limit: int) -> int:
        old = (
            select(deliveries.c.id, deliveries.c.created_at, deliveries.c.delivered_at)
            .where(deliveries.c.state.in_(FINISHED), deliveries.c.finished_at < before)
            .order_by(deliveries.c.id)
            .limit(limit)
        )
        rows = self._connection.execute(old).all()
        ids = [row.id for row in rows]
        if not ids:
            return 0
        tried = self._connection.execute(
            select(attempts.c.destination, attempts.c.outcome, func.count())
            .where(attempts.c.delivery_id.in_(ids), attempts.c.outcome.is_not(None))
            .group_by(attempts.c.destination, attempts.c.outcome)
        ).all()
        for destination, outcome, count in tried:
            self._count("attempts", f"{destination}\n{outcome}", count)
        self._count_seconds([row.delivered_at - row.created_at for row in rows if row.delivered_at])
        self._connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(ids)))
        self._connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
        return len(ids)

    def _count_seconds(self, waits: list[timedelta]) -> None:
        seconds = [wait.total_seconds() for wait in waits]
        if not seconds:
            return
        self._count("delivery_seconds", "+Inf", len(seconds))
        self._count("delivery_seconds", "sum", round(sum(seconds)))
        for bound in DELIVERY_SECONDS_BOUNDS:
            self._count("delivery_seconds", str(bound), sum(1 for each in seconds if each <= bound))

    def _prune_payloads(self, before: datetime, limit: int) -> int:
        owed = select(deliveries.c.id).where(deliveries.c.event_id == events.c.id)
        old = (
            select(events.c.id)
            .where(events.c.received_at < before, events.c.payload.is_not(None), ~owed.exists())
            .order_by(events.c.id)
            .limit(limit)
        )
        ids = self._connection.execute(old).scalars().all()
        if ids:
            self._connection.execute(update(events).where(events.c.id.in_(ids)).values(payload=None))
        return len(ids)

    def _prune_events(self, before: datetime, limit: int) -> int:
        old = (
            select(events.c.id, events.c.source, events.c.type)
            .where(events.c.received_at < before, events.c.payload.is_(None))
            .order_by(events.c.id)
            .limit(limit)
        )
        rows = self._connection.execute(old).all()
        counted: dict[str, int] = {}
        for _, source, type_ in rows:
            counted[f"{source}\n{type_}"] = counted.get(f"{source}\n{type_}", 0) + 1
        for labels, count in counted.items():
            self._count("events", labels, count)
        if rows:
            self._connection.execute(delete(events).where(events.c.id.in_([row.id for row in rows])))
        return len(rows)

    def _count(self, name: str, labels: str, count: int) -> None:
        changed = self._connection.execute(
            update(counters)
            .where(counters.c.name == name, counters.c.labels == labels)
            .values(count=counters.c.count + count)
        )
        if not changed.rowcount:
            self._connection.execute(insert(counters).values(name=name, labels=labels, count=count))


def in_strings(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with every string in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: in_strings(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [in_strings(item, change) for item in value]
    return value
