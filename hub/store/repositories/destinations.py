"""The states of destinations, shared by every worker: paused, failing, throttled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

from sqlalchemy import select

from hub.model.destination import DestinationState
from hub.store.session import (
    Query,
    Repository,
    Rows,
    from_microseconds,
    storable,
    to_json,
    to_microseconds,
)
from hub.store.tables import destinations

_COLUMNS = tuple(field.name for field in fields(DestinationState))
_MOMENTS = (
    "available_since",
    "paused_at",
    "probe_at",
    "throttled_until",
    "rate_limited_until",
    "failing_since",
)
_TEXTS = ("paused_reason", "last_error", "last_answer")


class Destinations(Repository):
    """The states of destinations, one row each."""

    def all(self) -> dict[str, DestinationState]:
        """Return the state of every destination that was ever sent to, paused or seen by a worker."""
        rows = self._session.connection.execute(select(destinations).order_by(destinations.c.name))
        return {row.name: DestinationState(**row._mapping) for row in rows}

    def lock(self, names: Collection[str]) -> dict[str, DestinationState]:
        """Return the states of the named destinations, locked, so that two workers take turns."""
        if not names:
            return {}
        (rows,) = self._session.execute(lock_query(names))
        return {name: DestinationState(name=name) for name in names} | states_of(rows)

    def save(self, states: Collection[DestinationState]) -> None:
        """Keep changed states; what was never there is added."""
        rows = [_row(state) for state in sorted(states, key=attrgetter("name"))]
        if rows:
            self._session.defer(Query("save_destinations", {"rows": to_json(rows)}))

    def mark_configured(self, configured: Mapping[str, bool]) -> None:
        """Give each destination a row, and note those to send to: for others `give_up_after` stands still."""
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
                "probes": 0,
                "throttled_until": None,
                "throttled_count": 0,
                "rate_limited_until": None,
                "failing_since": None,
                "last_error": None,
                "last_answer": None,
            },
        )

    def _change(self, name: str, values: Mapping[str, Any]) -> None:
        self._session.upsert(destinations, {"name": name, **values}, changes=values)


def lock_query(names: Collection[str], due_of: Collection[str] = ()) -> Query:
    """Return the query that locks destinations: `names`, and those of `due_of` that something is due for."""
    return Query("lock_destinations", {"names": to_json(list(names)), "due_of": to_json(list(due_of))})


def states_of(rows: Rows) -> dict[str, DestinationState]:
    """Return the states in the rows of `lock_query`, by their names."""
    states = {}
    for row in rows:
        values = dict(zip(_COLUMNS, row, strict=True))
        moments = {name: from_microseconds(values[name]) for name in _MOMENTS if values[name] is not None}
        state = DestinationState(**values | moments | {"configured": bool(values["configured"])})
        states[state.name] = state
    return states


def _row(state: DestinationState) -> dict[str, Any]:
    row = dict(vars(state))
    for name in _MOMENTS:
        row[name] = None if row[name] is None else to_microseconds(row[name])
    for name in _TEXTS:
        row[name] = storable(row[name])
    return row
