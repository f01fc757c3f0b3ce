"""One-time secrets, blanked once nothing is owed for their event any more."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, Table, select, update

from hub import catalog
from hub.catalog.masking import written_forms
from hub.catalog.redaction import Redaction, body_of
from hub.store.session import Repository
from hub.store.tables import attempts, deliveries, events, threads
from hub.strings import map_strings

_QUOTING = {
    deliveries: ("message", "reason", "degraded"),
    attempts: ("detail", "answer"),
    threads: ("kept",),
}
"""Columns beside the payload that may hold a secret: errors of templates, answers and subjects quote it."""


class Secrets(Repository):
    """One-time secrets in payloads, messages, and the columns that quote them."""

    def blank(self, event_ids: Collection[str]) -> None:
        """Remove one-time secrets from events whose every delivery is delivered, cancelled or too old.

        Where two transactions finish the last deliveries of an event at once, the one that commits last does.
        """
        for event_id in sorted(event_ids):
            # Locked before the states are read: those of whoever had it are committed by then.
            event = self._session.locking(select(events).where(events.c.id == event_id))
            row = self._session.connection.execute(event).first()
            owed = select(deliveries.c.id).where(
                deliveries.c.event_id == event_id, deliveries.c.finished_at.is_(None)
            )
            is_owed = self._session.connection.execute(owed.limit(1)).first() is not None
            if row is not None and not is_owed:
                self._blank(row)

    def _blank(self, event: Row[Any]) -> None:
        if event.payload is None or event.blanked:
            return
        secrets = catalog.secret_values(event.type, body_of(event.payload))
        if not secrets:
            return
        self._session.connection.execute(
            update(events)
            .where(events.c.id == event.id)
            .values(payload=catalog.blank_secrets(event.type, event.payload), blanked=True)
        )
        # An answer may end in the middle of one.
        redaction = Redaction(
            secrets=tuple(form for secret in secrets for form in written_forms(secret)), named={}
        )
        for table, columns in _QUOTING.items():
            self._mask(table, columns, redaction, event.id)

    def _mask(self, table: Table, columns: tuple[str, ...], redaction: Redaction, event_id: str) -> None:
        """Take secrets out of columns of every row that belongs to an event's deliveries."""
        owned = select(deliveries.c.id).where(deliveries.c.event_id == event_id)
        keys = list(table.primary_key)
        its_delivery = table.c.id if table is deliveries else table.c.delivery_id
        for row in self._session.connection.execute(select(table).where(its_delivery.in_(owned))).all():
            values = {name: getattr(row, name) for name in columns}
            masked = map_strings(values, redaction.text)
            if masked != values:
                its_row = [key == getattr(row, key.name) for key in keys]
                self._session.connection.execute(update(table).where(*its_row).values(masked))
