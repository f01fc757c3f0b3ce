"""What the store knows of destinations, shared by every worker."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import select

from hub.model.destination import DestinationState
from hub.store.engine.changes import Insert
from hub.store.engine.session import Session
from hub.store.repositories.waiting import STATES, states_of
from hub.store.tables import as_microseconds, destinations


class Destinations:
    """Their states: paused, failing, held back."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def all(self) -> dict[str, DestinationState]:
        """What is known of every destination that was ever sent to, paused or seen by a worker."""
        rows = self._session.connection.execute(select(destinations).order_by(destinations.c.name))
        return {row.name: DestinationState(**row._mapping) for row in rows}

    def lock(self, names: Collection[str]) -> dict[str, DestinationState]:
        """The states of the named destinations, locked, so that two workers take turns."""
        if not names:
            return {}
        now = {} if self._session.is_remote else {"now": as_microseconds(self._session.now)}
        (rows,) = self._session.ask(STATES(names=list(names), due_of=[], **now))
        return {name: DestinationState(name=name) for name in names} | states_of(rows)

    def save(self, states: Collection[DestinationState]) -> None:
        """Keep changed states; what was never there is added."""
        rows = [asdict(state) for state in sorted(states, key=lambda state: state.name)]
        self._session.write(Insert(table=destinations, rows=rows, key=("name",), replaces=True))

    def mark_configured(self, configured: Mapping[str, bool]) -> None:
        """Note which destinations can be sent to: for others `give_up_after` stands still."""
        known = set(self._session.connection.execute(select(destinations.c.name)).scalars())
        # All at once: two workers that lock them in another order each wait for the other.
        states = self.lock(known | configured.keys())
        changed = []
        for name in known - configured.keys():
            # No longer in the configuration; put back, what it is owed must not be too old at once.
            gone = states[name]
            changed += [replace(gone, configured=False)] if gone.configured else []
        for name, is_configured in configured.items():
            state = states[name]
            if name in known and state.configured == is_configured:
                continue
            since = self._session.now if is_configured and name in known else state.available_since
            changed.append(replace(state, configured=is_configured, available_since=since))
        self.save(changed)

    def pause(self, name: str, reason: str) -> None:
        """Let a destination wait; what it is owed stays pending."""
        self._change(name, {"paused_at": self._session.now, "paused_reason": reason})

    def resume(self, name: str) -> None:
        """Let a destination go on, with its breaker closed."""
        self._change(
            name,
            {
                "paused_at": None,
                "paused_reason": None,
                "available_since": self._session.now,
                "failures": 0,
                "probe_at": None,
                "probe_seconds": 0.0,
                "throttled_until": None,
            },
        )

    def _change(self, name: str, values: Mapping[str, Any]) -> None:
        self._session.upsert(destinations, {"name": name, **values})
