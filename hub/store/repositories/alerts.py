"""What is known of the hub's own troubles: what somebody was told of them, and what they look like now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, select, text
from sqlalchemy.dialects import postgresql, sqlite

from hub.model.alert import Deaths, Trouble, TroubleKind
from hub.model.delivery import State
from hub.store.repositories.view import View, is_in
from hub.store.tables import deliveries, destinations, events, troubles


class Noticing(View):
    """The part of reading that looks for troubles."""

    def troubles(self) -> list[Trouble]:
        """Every trouble that was noticed and is not forgotten."""
        rows = self._connection.execute(select(troubles).order_by(troubles.c.kind, troubles.c.subject))
        return [Trouble(**{**row._mapping, "kind": TroubleKind(row.kind)}) for row in rows]

    def waiting(self, destination: str) -> int:
        """How many deliveries are pending for a destination."""
        return self._number(destination, State.PENDING)

    def dead(self, destination: str) -> int:
        """How many deliveries to a destination are dead."""
        return self._number(destination, State.DEAD)

    def last_received(self, source: str) -> datetime | None:
        """When the last event of a source came in; None where none did."""
        newest = select(events.c.received_at).where(events.c.source == source)
        return self._connection.execute(newest.order_by(events.c.id.desc()).limit(1)).scalar()

    def waited_for(self) -> list[str]:
        """The destinations that anything is pending for: one look into an index for each."""
        names: list[str] = []
        name: str | None = ""
        while name is not None:
            following = select(func.min(deliveries.c.destination)).where(
                is_in(State.PENDING), deliveries.c.destination > name
            )
            name = self._connection.execute(following).scalar()
            names += [name] if name is not None else []
        return names

    def _number(self, destination: str, state: State) -> int:
        statement = select(func.count()).where(is_in(state), deliveries.c.destination == destination)
        return int(self._connection.execute(statement).scalar_one())


class Telling(Noticing):
    """The part of a transaction that keeps troubles."""

    def note_deaths(self, deaths: Sequence[Deaths]) -> None:
        """Keep that deliveries died, for it to be told: as their destination's trouble where it fails."""
        for each in sorted(deaths, key=lambda each: each.destination):
            failures = select(destinations.c.failures).where(destinations.c.name == each.destination)
            fails = bool(self._connection.execute(failures).scalar())
            kind = TroubleKind.DIED if fails else TroubleKind.REFUSED
            row = {"kind": kind, "subject": each.destination, "since": self.now, "reason": each.reason}
            self._upsert({**row, "count": each.count, "told_count": 0}, _one_more)

    def hold_troubles(self) -> None:
        """Let no other process change troubles until this transaction ends."""
        if self._skips_locked:
            self._connection.execute(text("LOCK TABLE troubles IN SHARE ROW EXCLUSIVE MODE"))

    def save_troubles(self, kept: Collection[Trouble], forgotten: Collection[Trouble]) -> None:
        """Keep troubles as they are, and forget others."""
        for trouble in forgotten:
            its_row = (troubles.c.kind == trouble.kind, troubles.c.subject == trouble.subject)
            self._connection.execute(delete(troubles).where(*its_row))
        for trouble in kept:
            self._upsert(dict(vars(trouble)), dict)

    def _upsert(self, values: dict[str, Any], changed: Callable[[Any], dict[str, Any]]) -> None:
        """`changed` says what a row that is there becomes, given the one that was to be inserted."""
        insert_into = postgresql.insert if self._skips_locked else sqlite.insert
        statement = insert_into(troubles).values(values)
        self._connection.execute(
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
