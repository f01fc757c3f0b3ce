"""What the store needs with time: dead workers' leases, what waited too long, secrets, and what is old."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Table, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hub import catalog
from hub.catalog.masking import written_forms
from hub.model.delivery import FINISHED, Claim, State
from hub.store.repositories.queue import Queue
from hub.store.repositories.view import is_in
from hub.store.tables import attempts, counters, deliveries, destinations, events, workers
from hub.strings import map_strings

DELIVERY_SECONDS_BOUNDS = (0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 86400.0)
"""The buckets of `hub_delivery_seconds`, in seconds; what is pruned is counted in the same ones."""


_GIVE_UP = (
    update(deliveries)
    .where(
        is_in(State.PENDING),
        deliveries.c.destination == bindparam("destination_"),
        deliveries.c.owed_since < bindparam("before_", type_=deliveries.c.owed_since.type),
    )
    .values(state=State.DEAD.value, reason="gave up: it waited longer than give_up_after")
)

_QUOTING = {deliveries: ("message", "reason", "degraded"), attempts: ("detail",)}
"""Columns beside the payload that may hold a secret: errors of templates and answers quote it."""


IDS_KEPT = timedelta(days=90)
"""A message id is remembered so long, so that a late resend is still recognised."""

PRUNE_BATCH = 500
"""So many rows of a kind at most are removed in one transaction: requests wait no longer than that."""


class Upkeep(Queue):
    """The part of a transaction that keeps the store in order."""

    # -- workers ------------------------------------------------------------------------------

    def mark_configured(self, configured: Mapping[str, bool]) -> None:
        """Note which destinations can be sent to: for others `give_up_after` stands still."""
        known = set(self._connection.execute(select(destinations.c.name)).scalars())
        # All at once: two workers that lock them in another order each wait for the other.
        states = self.destination_states(known | configured.keys())
        changed = []
        for name in known - configured.keys():
            # No longer in the configuration; put back, what it is owed must not be too old at once.
            gone = states[name]
            changed += [replace(gone, configured=False)] if gone.configured else []
        for name, is_configured in configured.items():
            state = states[name]
            if name in known and state.configured == is_configured:
                continue
            since = self.now if is_configured and name in known else state.available_since
            changed.append(replace(state, configured=is_configured, available_since=since))
        self.save_destination_states(changed)

    def beat(self, worker: str, *, forget_after: timedelta) -> None:
        """A worker's sign of life; workers that were silent for long are forgotten."""
        self._connection.execute(delete(workers).where(workers.c.beat_at < self.now - forget_after))
        insert_into = postgresql.insert if self._skips_locked else sqlite.insert
        self._connection.execute(
            insert_into(workers)
            .values(id=worker, beat_at=self.now)
            .on_conflict_do_update(index_elements=["id"], set_={"beat_at": self.now})
        )

    def leave(self, worker: str) -> None:
        """A worker stops in good order."""
        self._connection.execute(delete(workers).where(workers.c.id == worker))

    def expired(
        self, known: Collection[str] | None = None, *, others_after: timedelta = timedelta()
    ) -> list[tuple[Claim, bool]]:
        """Claims whose lease ran out, each with whether an attempt was under way: their process died.

        Those of destinations that are not `known` here only so long after, for a worker that knows them to
        come first; None knows all.
        """
        ids_statement = select(deliveries.c.id).where(
            is_in(State.SENDING), deliveries.c.lease_until < self.now
        )
        if known is not None:
            is_left = deliveries.c.lease_until < self.now - others_after
            ids_statement = ids_statement.where(or_(deliveries.c.destination.in_(known), is_left))
        if self._skips_locked:
            ids_statement = ids_statement.with_for_update(skip_locked=True)
        ids = self._connection.execute(ids_statement).scalars().all()
        if not ids:
            return []
        open_attempts = set(
            self._connection.execute(
                select(attempts.c.delivery_id).where(
                    attempts.c.delivery_id.in_(ids), attempts.c.outcome.is_(None)
                )
            ).scalars()
        )
        return [(claim, claim.id in open_attempts) for claim in self._claims(ids)]

    def give_up(self, destination: str, *, after: timedelta, event_type: str | None = None) -> int:
        """Let die what has waited too long for an available destination; returns how many.

        With `event_type` only what is owed for such events.

        Nothing does while the destination is paused, and a resume begins the count anew.
        """
        state = self.destination_states([destination])[destination]
        before = self.now - after
        if state.paused_at is not None or (state.available_since or before) > before:
            return 0
        statement = _GIVE_UP if event_type is None else _GIVE_UP.where(deliveries.c.event_type == event_type)
        return self._connection.execute(statement, {"destination_": destination, "before_": before}).rowcount

    # -- secrets and age ----------------------------------------------------------------------

    def blank_secrets(self, event_ids: Collection[str]) -> None:
        """Remove one-time secrets from events whose every delivery is delivered or cancelled."""
        for event_id in sorted(event_ids):
            states = select(deliveries.c.state).where(deliveries.c.event_id == event_id)
            found = set(self._connection.execute(states).scalars())
            if found and found <= set(FINISHED):
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
        forms = [form for secret in secrets for form in written_forms(secret)]
        for table, columns in _QUOTING.items():
            self._mask(table, columns, forms, event_id)

    def _mask(self, table: Table, columns: tuple[str, ...], secrets: list[str], event_id: str) -> None:
        """Take secrets out of columns of every row that belongs to an event's deliveries."""
        owned = select(deliveries.c.id).where(deliveries.c.event_id == event_id)
        keys = list(table.primary_key)
        its_delivery = table.c.id if table is deliveries else table.c.delivery_id
        for row in self._connection.execute(select(table).where(its_delivery.in_(owned))).all():
            values = {name: getattr(row, name) for name in columns}
            masked = map_strings(values, lambda text: catalog.mask(text, secrets))
            if masked != values:
                its_row = [key == getattr(row, key.name) for key in keys]
                self._connection.execute(update(table).where(*its_row).values(masked))

    def prune_by_age(self, retention: timedelta) -> int:
        """Remove a batch of what is older than the retention; 0 where nothing is left to remove."""
        return self.prune(
            payloads_before=self.now - retention,
            ids_before=self.now - max(IDS_KEPT, retention),
            limit=PRUNE_BATCH,
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
        return sum(self._prune_finished(state, before, limit) for state in FINISHED)

    def _prune_finished(self, state: State, before: datetime, limit: int) -> int:
        old = (
            select(deliveries.c.id, deliveries.c.event_id, deliveries.c.created_at, deliveries.c.delivered_at)
            .where(is_in(state), deliveries.c.finished_at < before)
            .order_by(deliveries.c.finished_at, deliveries.c.id)
            .limit(limit)
        )
        rows = self._connection.execute(self._locking(old, skips=True)).all()
        ids = [row.id for row in rows]
        if not ids:
            return 0
        tried = self._connection.execute(
            select(attempts.c.destination, attempts.c.outcome, func.count())
            .where(attempts.c.delivery_id.in_(ids), attempts.c.outcome.is_not(None))
            .group_by(attempts.c.destination, attempts.c.outcome)
        ).all()
        # In one order everywhere, so that two who prune do not wait for each other.
        for destination, outcome, count in sorted(tried):
            self._count("attempts", f"{destination}\n{outcome}", count)
        self._count_seconds([row.delivered_at - row.created_at for row in rows if row.delivered_at])
        self._connection.execute(delete(attempts).where(attempts.c.delivery_id.in_(ids)))
        self._connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))
        self._owe_less(Counter(row.event_id for row in rows))
        return len(ids)

    def _owe_less(self, removed: Mapping[str, int]) -> None:
        """Let events know of deliveries that went with age: what is missing beyond that was lost."""
        of_count: dict[int, list[str]] = {}
        for event_id, count in removed.items():
            of_count.setdefault(count, []).append(event_id)
        # In one order everywhere, so that two who prune do not wait for each other.
        touched = select(events.c.id).where(events.c.id.in_(removed)).order_by(events.c.id)
        self._connection.execute(self._locking(touched))
        for count, ids in of_count.items():
            owes_less = update(events).where(events.c.id.in_(ids)).values(owed=events.c.owed - count)
            self._connection.execute(owes_less)

    def _count_seconds(self, waits: list[timedelta]) -> None:
        seconds = [wait.total_seconds() for wait in waits]
        if not seconds:
            return
        self._count("delivery_seconds", "+Inf", len(seconds))
        self._count("delivery_seconds", "microseconds", round(sum(seconds) * 1_000_000))
        for bound in DELIVERY_SECONDS_BOUNDS:
            self._count("delivery_seconds", str(bound), sum(1 for each in seconds if each <= bound))

    def _prune_payloads(self, before: datetime, limit: int) -> int:
        owed = select(deliveries.c.id).where(deliveries.c.event_id == events.c.id)
        old = (
            select(events.c.id)
            .where(
                events.c.received_at < before,
                events.c.payload.is_not(None),
                ~owed.exists(),
            )
            .order_by(events.c.received_at, events.c.id)
            .limit(limit)
        )
        ids = self._connection.execute(self._locking(old, skips=True)).scalars().all()
        if not ids:
            return 0
        # Asked again now that they are locked: a resend may have owed one of them something.
        unowed = update(events).where(events.c.id.in_(ids), ~owed.exists())
        return self._connection.execute(unowed.values(payload=None)).rowcount

    def _prune_events(self, before: datetime, limit: int) -> int:
        old = (
            select(events.c.id, events.c.source, events.c.type)
            .where(
                events.c.received_at < before,
                events.c.payload.is_(None),
            )
            .order_by(events.c.received_at, events.c.id)
            .limit(limit)
        )
        rows = self._connection.execute(self._locking(old, skips=True)).all()
        counted: dict[str, int] = {}
        for _, source, type_ in rows:
            counted[f"{source}\n{type_}"] = counted.get(f"{source}\n{type_}", 0) + 1
        for labels, count in sorted(counted.items()):
            self._count("events", labels, count)
        if rows:
            self._connection.execute(delete(events).where(events.c.id.in_([row.id for row in rows])))
        return len(rows)

    def _count(self, name: str, labels: str, count: int) -> None:
        insert_into = postgresql.insert if self._skips_locked else sqlite.insert
        self._connection.execute(
            insert_into(counters)
            .values(name=name, labels=labels, count=count)
            .on_conflict_do_update(
                index_elements=["name", "labels"], set_={"count": counters.c.count + count}
            )
        )
