"""Isolation: the time of arrival at one destination while another hangs, and without that."""

from __future__ import annotations

import statistics
from contextlib import closing

from bench.databases import Backlog, fresh_settings
from bench.endpoint import fast_endpoint, hanging_endpoint
from bench.figure import Figure, Pair, dialect, paired
from bench.latency import arrivals
from bench.server import hub, rules_for

DUE = 10_000
PAIRS = 5
ARRIVALS = 1000
PAUSE_SECONDS = 0.005


def isolation(postgres_url: str | None) -> Figure:
    """Arrival p99 at a healthy destination while another has 10,000 due and hangs, to that without those."""
    turn = 0

    def measure() -> Pair:
        nonlocal turn
        turn += 1
        # Each comes first in turn: a machine that gets slower is not held against either.
        order = (DUE, 0) if turn % 2 else (0, DUE)
        p99 = {due: _p99_ms(postgres_url, due) for due in order}
        return p99[DUE], p99[0]

    return Figure(
        f"arrival p99 while another hangs, {dialect(postgres_url)} ÷ without",
        1.2,
        1.05,
        *paired(measure, PAIRS),
        "ms",
        smaller_is_better=True,
    )


def _p99_ms(postgres_url: str | None, due: int) -> float:
    with (
        fast_endpoint() as endpoint,
        hanging_endpoint() as hanging,
        fresh_settings(postgres_url) as settings,
    ):
        with closing(Backlog(settings)) as backlog:
            backlog.owe(due, "beside")
            backlog.gather_statistics()
        with hub(settings, rules_for(endpoint.url, beside=hanging)) as port:
            seconds = arrivals(port, endpoint, ARRIVALS, PAUSE_SECONDS)
    return statistics.quantiles(seconds, n=100)[98] * 1000
