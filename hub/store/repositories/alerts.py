"""What is known of the hub's own alerts: what somebody was told of them, and what they look like now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import case, delete, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from hub.model.alert import Alert, AlertKind, DeadLetters
from hub.store.engine.session import Session
from hub.store.tables import alerts, destinations


class Alerts:
    """Alerts, and what was told of them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> list[Alert]:
        """Every trouble that was noticed and is not forgotten."""
        rows = self._session.connection.execute(select(alerts).order_by(alerts.c.kind, alerts.c.subject))
        return [Alert(**{**row._mapping, "kind": AlertKind(row.kind)}) for row in rows]

    def add_dead_letters(self, deaths: Sequence[DeadLetters]) -> None:
        """Keep that deliveries died, for it to be told: as their destination's trouble where it fails."""
        for each in sorted(deaths, key=lambda each: each.destination):
            failures = select(destinations.c.failures).where(destinations.c.name == each.destination)
            fails = bool(self._session.connection.execute(failures).scalar())
            kind = AlertKind.DIED if fails else AlertKind.REFUSED
            row = {
                "kind": kind,
                "subject": each.destination,
                "since": self._session.now,
                "reason": each.reason,
            }
            self._upsert({**row, "count": each.count, "notified_count": 0}, _one_more)

    def lock(self) -> None:
        """Let no other process change alerts until this transaction ends."""
        if self._session.is_remote:
            self._session.connection.execute(text("LOCK TABLE alerts IN SHARE ROW EXCLUSIVE MODE"))

    def save(self, kept: Collection[Alert], forgotten: Collection[Alert]) -> None:
        """Keep alerts as they are, and forget others."""
        for trouble in forgotten:
            its_row = (alerts.c.kind == trouble.kind, alerts.c.subject == trouble.subject)
            self._session.connection.execute(delete(alerts).where(*its_row))
        for trouble in kept:
            self._upsert(dict(vars(trouble)), dict)

    def _upsert(self, values: dict[str, Any], changed: Callable[[Any], dict[str, Any]]) -> None:
        """`changed` says what a row that is there becomes, given the one that was to be inserted."""
        insert_into = postgresql.insert if self._session.is_remote else sqlite.insert
        statement = insert_into(alerts).values(values)
        self._session.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["kind", "subject"], set_=changed(statement.excluded)
            )
        )


def _one_more(excluded: Any) -> dict[str, Any]:
    """More deaths: of a trouble that lasts, or that begins with them."""
    begins = alerts.c.since.is_(None)
    return {
        "since": func.coalesce(alerts.c.since, excluded.since),
        "reason": excluded.reason,
        "count": excluded["count"] + case((begins, 0), else_=alerts.c.count),
        "notified_count": case((begins, 0), else_=alerts.c.notified_count),
    }
