"""The memory of the hub's alerts: since when each lasts, and what was told of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import case, delete, func, literal, select, text

from hub.model.alert import Alert, AlertKind, DeadLetters
from hub.store.session import Repository
from hub.store.tables import alerts, destinations


class Alerts(Repository):
    """Alerts by kind and subject."""

    def all(self) -> list[Alert]:
        """Return every alert that is remembered."""
        rows = self._session.connection.execute(select(alerts).order_by(alerts.c.kind, alerts.c.subject))
        return [Alert(**{**row._mapping, "kind": AlertKind(row.kind)}) for row in rows]

    def add_dead_letters(self, dead_letters: Sequence[DeadLetters]) -> None:
        """Count deliveries that died, for them to be told: as their destination's where that fails."""
        begins = alerts.c.since.is_(None)
        now = self._session.now
        for letters in sorted(dead_letters, key=lambda letters: letters.destination):
            row = {
                "kind": AlertKind.DIED if self._fails(letters.destination) else AlertKind.REFUSED,
                "subject": letters.destination,
                "since": now,
                "reason": letters.reason,
                "count": letters.count,
                "notified_count": 0,
            }
            changes = {
                "since": func.coalesce(alerts.c.since, literal(now, alerts.c.since.type)),
                "reason": letters.reason,
                "count": letters.count + case((begins, 0), else_=alerts.c.count),
                "notified_count": case((begins, 0), else_=alerts.c.notified_count),
            }
            self._session.upsert(alerts, row, changes)

    def _fails(self, destination: str) -> bool:
        failures = select(destinations.c.failures).where(destinations.c.name == destination)
        return bool(self._session.connection.execute(failures).scalar())

    def lock(self) -> None:
        """Let no other process change alerts until this transaction ends."""
        if self._session.is_remote:
            self._session.connection.execute(text("LOCK TABLE alerts IN SHARE ROW EXCLUSIVE MODE"))

    def save(self, remembered: Collection[Alert], forgotten: Collection[Alert]) -> None:
        """Keep alerts as they are, and forget others."""
        for alert in forgotten:
            its_row = (alerts.c.kind == alert.kind, alerts.c.subject == alert.subject)
            self._session.connection.execute(delete(alerts).where(*its_row))
        for alert in remembered:
            self._session.upsert(alerts, vars(alert))
