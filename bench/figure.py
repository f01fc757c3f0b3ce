"""A figure: a ratio measured in one run, with what it must reach and aims at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

PAIRS = 3
"""A figure is the median of so many pairs, each the hub and its counterpart one after the other."""

Pair = tuple[float, float]
"""One measured pair: the hub's number and its counterpart's."""


@dataclass(frozen=True)
class Figure:
    """A ratio with what it must reach and aims at, and the two numbers behind its median pair.

    One without goals is only told.
    """

    name: str
    must: float | None
    aim: float | None
    ratio: float
    of_hub: float
    of_plain: float
    unit: str
    smaller_is_better: bool = False

    @property
    def reaches(self) -> str:
        if self.must is None or self.aim is None:
            return "-"
        return "aim" if self._reached(self.aim) else "must" if self._reached(self.must) else "missed"

    def _reached(self, goal: float) -> bool:
        return self.ratio <= goal if self.smaller_is_better else self.ratio >= goal


def paired(measure: Callable[[], Pair], pairs: int = PAIRS) -> tuple[float, float, float]:
    """The median ratio of several pairs, with the hub's and the counterpart's number of that pair."""
    return median([measure() for _ in range(pairs)])


def median(pairs: list[Pair]) -> tuple[float, float, float]:
    """The pair with the median ratio: the ratio, the hub's number, the counterpart's."""
    ordered = sorted(pairs, key=lambda pair: pair[0] / pair[1])
    of_hub, of_plain = ordered[len(ordered) // 2]
    return of_hub / of_plain, of_hub, of_plain


def dialect(postgres_url: str | None) -> str:
    """Return the name of a database in a figure's name."""
    return "SQLite" if postgres_url is None else "PostgreSQL"
