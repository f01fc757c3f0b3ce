"""Which destinations the overview has room for."""

from __future__ import annotations

from dataclasses import replace

from hub.health.status import DestinationStatus
from hub.model.delivery import State
from hub.model.stats import Day
from hub.web.destination_page import strip_of
from hub.web.destination_rows import FEW, Matter, Row, without_idle

IDLE = Row(
    name="log",
    type="console",
    status=DestinationStatus.OK,
    where="standard output",
    strip=strip_of(Day()),
    counts=dict.fromkeys(State, 0) | {State.DELIVERED: 7},
    matter=Matter(),
)
BUSY = (
    replace(IDLE, counts={**IDLE.counts, State.DEAD: 1}),
    replace(IDLE, matter=Matter(text="no answer in 3 s")),
    replace(IDLE, strip=strip_of(Day(failed=(0,) * 47 + (1,)))),
    replace(IDLE, status=DestinationStatus.PAUSED),
)


def test_of_many_destinations_the_overview_has_those_with_something_to_tell() -> None:
    assert list(BUSY) == without_idle([IDLE, *BUSY, *[IDLE] * FEW])


def test_a_few_destinations_are_all_shown_and_of_many_idle_ones_the_first() -> None:
    few = [IDLE] * FEW

    assert few == without_idle(few)
    assert few == without_idle([*few, IDLE])
