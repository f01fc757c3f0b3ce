"""What history costs those who look: pages, metrics and lists on a store that grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import requests

from bench.databases import Backlog, fresh_settings
from bench.figure import Figure, dialect
from bench.server import rules_for, web

FEW = 1_000
PASSWORD = "the benchmark's own"
LOOKS = 5
PATHS = {
    "status page": "/",
    "metrics": "/metrics",
    "newest deliveries": "/api/deliveries",
    "pending deliveries": "/api/deliveries?state=pending",
    "one destination's deliveries": "/api/deliveries?destination=to0",
    "dead deliveries": "/api/deliveries?state=dead",
    "newest events": "/api/events",
    "stats": "/api/stats",
    "destinations": "/api/destinations",
}


def reads(postgres_url: str | None, sizes: tuple[int, ...] = (100_000, 1_000_000)) -> Iterator[Figure]:
    """How long an answer takes with so many events delivered to that with 1,000; told, without goals."""
    few = _milliseconds(postgres_url, FEW)
    for size in sizes:
        for what, milliseconds in _milliseconds(postgres_url, size).items():
            yield Figure(
                f"{what} with {size:,} events, {dialect(postgres_url)} ÷ with {FEW:,}",
                None,
                None,
                milliseconds / few[what],
                milliseconds,
                few[what],
                "ms",
                smaller_is_better=True,
            )


def _milliseconds(postgres_url: str | None, events: int) -> dict[str, float]:
    """The median answer of each path; one in ten of the events is still due, the others were delivered."""
    rules = rules_for("http://127.0.0.1:9/")
    with fresh_settings(postgres_url) as empty, closing(Backlog(empty)) as backlog:
        backlog.deliver(events - events // 10, "to0")
        backlog.owe(events // 10, "to0")
        backlog.gather_statistics()
        settings = replace(empty, password=PASSWORD)
        with web(settings, rules) as port:
            return {what: _median_ms(f"http://127.0.0.1:{port}{path}") for what, path in PATHS.items()}


def _median_ms(url: str) -> float:
    seconds = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        answer = requests.get(url, headers={"Authorization": f"Bearer {PASSWORD}"}, timeout=60)
        answer.raise_for_status()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000
