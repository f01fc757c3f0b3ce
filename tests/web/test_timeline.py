"""The scale on which an event's attempts stand."""

from __future__ import annotations

import pytest

from hub.web.timeline import scale_of


@pytest.mark.parametrize(
    ("moments", "seconds", "labels"),
    [
        ([], 0.1, ["100 ms"]),
        ([0.08], 0.1, ["100 ms"]),
        ([0.3, 61], 120, ["500 ms", "10 s", "2 min"]),
        ([3 * 86400], 432000, ["10 s", "30 min", "5 d"]),
        ([400 * 86400], 400 * 86400, None),
    ],
)
def test_a_scale_ends_at_a_round_moment_and_has_at_most_three_ticks(
    moments: list[float], seconds: float, labels: list[str] | None
) -> None:
    scale = scale_of(moments)
    ticks = [tick.label for tick in scale.ticks()]

    assert scale.seconds == seconds
    assert labels is None or labels[-1] == ticks[-1]
    assert len(ticks) <= 3
    assert labels is None or labels == ticks


def test_later_is_further_to_the_right_by_decades() -> None:
    scale = scale_of([120])
    places = [float(scale.x(seconds)[:-1]) for seconds in (0, 0.5, 1, 10, 100, 120, 500)]

    assert places == sorted(places)
    assert (places[0], places[-2], places[-1]) == (0, 100, 100)
    assert places[3] - places[2] > 20


def test_a_moment_before_the_receipt_stands_at_its_beginning() -> None:
    assert scale_of([1]).x(-5) == "0.0%"
