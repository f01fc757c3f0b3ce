"""The time line of an event: moments after its receipt -> places on a scale, which the page draws as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from hub.humanize import period

_UNIT_SECONDS = 0.05
"""Below this the scale is nearly even, above it by decades."""

_ROUND_SECONDS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30),
    *(60, 120, 300, 600, 1200, 1800),
    *(3600, 7200, 18000, 43200),
    *(86400, 172800, 432000, 864000, 2592000, 7776000),
)
_THIRDS = (1 / 3, 2 / 3)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A moment that is written at the scale. `x` is in per cent of its width."""

    x: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A logarithmic scale from the receipt of an event to `seconds` after it."""

    seconds: float

    def x(self, seconds: float) -> str:
        """Return the place of a moment, in per cent of the width."""
        share = math.log1p(max(seconds, 0.0) / _UNIT_SECONDS) / math.log1p(self.seconds / _UNIT_SECONDS)
        return f"{min(share, 1.0) * 100:.1f}%"

    def ticks(self) -> list[Tick]:
        """Return three moments to write at the scale, the last at its end; fewer on a short one."""
        whole = math.log1p(self.seconds / _UNIT_SECONDS)
        wanted = (_UNIT_SECONDS * math.expm1(share * whole) for share in _THIRDS)
        moments = {min(_ROUND_SECONDS, key=lambda moment: abs(math.log(moment / near))) for near in wanted}
        chosen = sorted({*(moment for moment in moments if moment < self.seconds), self.seconds})
        return [Tick(x=self.x(moment), label=period(moment)) for moment in chosen]


def scale_of(moments: Iterable[float]) -> Scale:
    """Return the scale on which all moments have a place, its end a round one."""
    latest = max(moments, default=0.0)
    days = math.ceil(latest / 86400)
    return Scale(seconds=next((end for end in _ROUND_SECONDS if end >= latest), days * 86400))
