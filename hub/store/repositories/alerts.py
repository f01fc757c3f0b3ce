"""What is known of the hub's own troubles: what somebody was told of them, and what they look like now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from sqlalchemy import case, delete, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from hub.model.alert import Deaths, Trouble, TroubleKind
from hub.store.engine.session import Session
from hub.store.tables import destinations, troubles


class Alerts:
    """Troubles, and what was told of them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> list[Trouble]:
        """Every trouble that was noticed and is not forgotten."""
        rows = self._session.connection.execute(
            select(troubles).order_by(troubles.c.kind, troubles.c.subject)
        )
        return [Trouble(**{**row._mapping, "kind": TroubleKind(row.kind)}) for row in rows]

    def note_dead(self, deaths: Sequence[Deaths]) -> None:
        """Keep that deliveries died, for it to be told: as their destination's trouble where it fails."""
        for each in sorted(deaths, key=lambda each: each.destination):
            failures = select(destinations.c.failures).where(destinations.c.name == each.destination)
            fails = bool(self._session.connection.execute(failures).scalar())
            kind = TroubleKind.DIED if fails else TroubleKind.REFUSED
            row = {
                "kind": kind,
                "subject": each.destination,
                "since": self._session.now,
                "reason": each.reason,
            }
            self._upsert({**row, "count": each.count, "told_count": 0}, _one_more)

    def lock(self) -> None:
        """Let no other process change troubles until this transaction ends."""
        if self._session.is_remote:
            self._session.connection.execute(text("LOCK TABLE troubles IN SHARE ROW EXCLUSIVE MODE"))

    def save(self, kept: Collection[Trouble], forgotten: Collection[Trouble]) -> None:
        """Keep troubles as they are, and forget others."""
        for trouble in forgotten:
            its_row = (troubles.c.kind == trouble.kind, troubles.c.subject == trouble.subject)
            self._session.connection.execute(delete(troubles).where(*its_row))
        for trouble in kept:
            self._upsert(dict(vars(trouble)), dict)

    def _upsert(self, values: dict[str, Any], changed: Callable[[Any], dict[str, Any]]) -> None:
        """`changed` says what a row that is there becomes, given the one that was to be inserted."""
        insert_into = postgresql.insert if self._session.is_remote else sqlite.insert
        statement = insert_into(troubles).values(values)
        self._session.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["kind", "subject"], set_=changed(statement.excluded)
            )
        )


def _one_more(excluded: Any) -> dict[str, Any]:
    """More deaths: of a trouble that lasts, or that begins with them."""
    begins = troubles.c.since.is_(None)
    return {
        "since": func.coalesce(troubles.c.since, excluded.since),
        "reason": excluded.reason,
        "count": excluded["count"] + case((begins, 0), else_=troubles.c.count),
        "told_count": case((begins, 0), else_=troubles.c.told_count),
    }
