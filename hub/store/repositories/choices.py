"""The values that a filter may have, and how many rows of the last day have each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, func, literal, select, union_all

from hub.model.delivery import FINISHED, State
from hub.model.event import first_id
from hub.store.repositories.kinds import Kinds, every_kind_of_deliveries, every_kind_of_events
from hub.store.session import Repository
from hub.store.tables import deliveries, is_in

MOST_COUNTED = 1_000
"""Of each value so many rows are counted at most; a number above it stands for more."""

KINDS_COUNTED = 60
"""Of more kinds than these no rows are counted."""

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Values:
    """The values that rows have, and the number of the last day's with each; 0 where it is not counted."""

    sources: Mapping[str, int]
    types: Mapping[str, int]
    routes: Mapping[str, int]
    destinations: Mapping[str, int]
    states: Mapping[State, int]
    degraded: int


class Choices(Repository):
    """The values that there are to choose from, read from the indexes alone."""

    def values(self) -> Values:
        """Return all values. What is not finished yet is counted by its state however old it is."""
        sources, types = self._of_kinds(every_kind_of_events(self._session), "evt")
        routes, destinations = self._of_kinds(every_kind_of_deliveries(self._session), "dlv")
        degraded = select(deliveries.c.id).where(
            deliveries.c.degraded.is_not(None), deliveries.c.id >= self._first("dlv")
        )
        *of_states, of_degraded = self._counts([*(self._in_state(state) for state in State), degraded])
        return Values(
            sources=sources,
            types=types,
            routes=routes,
            destinations=destinations,
            states=dict(zip(State, of_states, strict=True)),
            degraded=of_degraded,
        )

    def _of_kinds(self, kinds: Kinds, prefix: str) -> tuple[Mapping[str, int], Mapping[str, int]]:
        chosen = kinds.chosen or ()
        rows = select(kinds.id).where(kinds.id >= self._first(prefix))
        counts = [0] * len(chosen)
        if 0 < len(chosen) <= KINDS_COUNTED:
            counts = self._counts(
                [rows.where(kinds.first == one, kinds.second == two) for one, two in chosen]
            )
        firsts, seconds = Counter[str](), Counter[str]()
        for (first, second), count in zip(chosen, counts, strict=True):
            firsts[first] += count
            seconds[second] += count
        return firsts, seconds

    def _in_state(self, state: State) -> Select[Any]:
        rows = select(literal(1)).select_from(deliveries).where(is_in(state))
        return rows.where(deliveries.c.finished_at >= self._session.now - DAY) if state in FINISHED else rows

    def _counts(self, statements: Sequence[Select[Any]]) -> list[int]:
        """Return the number of rows of each, up to one more than the most that are counted."""
        counts = (
            select(literal(number), select(func.count()).select_from(some.subquery()).scalar_subquery())
            for number, some in enumerate(one.limit(MOST_COUNTED + 1) for one in statements)
        )
        rows = self._session.connection.execute(union_all(*counts))
        return [count for _, count in sorted(tuple(row) for row in rows)]

    def _first(self, prefix: str) -> str:
        return first_id(prefix, self._session.now - DAY)
