"""Scale: the rate at which a growing backlog is drained, and a worker's memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

from bench.cost import pss_mib
from bench.databases import Backlog, fresh_settings
from bench.endpoint import Endpoint, fast_endpoint
from bench.figure import PAIRS, Figure, Pair, dialect, median
from bench.server import rules_for, worker
from hub.settings import Settings

FEW = 1_000
ROUND_SECONDS = 10.0
"""Each number of due rows is drained so long in each of three rounds."""

WARM_UP_SECONDS = 3.0
TOP_UP = 100
DESTINATION = "to0"


def backlog(postgres_url: str | None, sizes: tuple[int, ...] = (100_000, 1_000_000)) -> Iterator[Figure]:
    """The drain rate with so many rows due to that with 1,000, one figure for each size.

    So many are due all the time: as many as were drained are owed anew, at every size alike. Each size has
    a database of its own, which lives through all rounds with what they leave behind.
    """
    with ExitStack() as stack:
        databases = {size: stack.enter_context(_owing(postgres_url, size)) for size in (FEW, *sizes)}
        rounds = [
            {size: _drain_rate(*database) for size, database in databases.items()} for _ in range(PAIRS)
        ]
    for size in sizes:
        pairs: list[Pair] = [(rates[size], rates[FEW]) for rates in rounds]
        name = f"drain rate with {size:,} due, {dialect(postgres_url)} ÷ with {FEW:,}"
        yield Figure(name, 0.8, 0.95, *median(pairs), "deliveries/s")


def memory(postgres_url: str | None, many: int = 100_000) -> Figure:
    """Memory of one worker after draining many rows ÷ that of the same one after 1,000."""
    with (
        fast_endpoint() as endpoint,
        _owing(postgres_url, FEW) as (settings, made),
        worker(settings, rules_for(endpoint.url)) as pid,
    ):
        endpoint.expect(FEW, 60)
        after_few = _pss_at_rest(pid)
        made.owe(many - FEW, DESTINATION)
        endpoint.expect(many, 900)
        after_many = _pss_at_rest(pid)
    return Figure(
        f"memory of a worker after {many:,} rows, {dialect(postgres_url)} ÷ after {FEW:,}",
        1.2,
        1.05,
        after_many / after_few,
        after_many,
        after_few,
        "MiB PSS",
        smaller_is_better=True,
    )


@contextmanager
def _owing(postgres_url: str | None, count: int) -> Iterator[tuple[Settings, Backlog]]:
    """A database of its own in which so many deliveries are due."""
    with fresh_settings(postgres_url) as settings, closing(Backlog(settings)) as made:
        made.owe(count, DESTINATION)
        made.gather_statistics()
        yield settings, made


def _drain_rate(settings: Settings, made: Backlog) -> float:
    """Deliveries/s that one worker drains while as many remain due all the time."""
    with fast_endpoint() as endpoint, worker(settings, rules_for(endpoint.url)), _topped_up(endpoint, made):
        endpoint.expect(1, 60)
        time.sleep(WARM_UP_SECONDS)
        before, began = endpoint.count.value, time.monotonic()
        time.sleep(ROUND_SECONDS)
        return float((endpoint.count.value - before) / (time.monotonic() - began))


@contextmanager
def _topped_up(endpoint: Endpoint, made: Backlog) -> Iterator[None]:
    """Owe anew, in a thread, what arrives while the block runs."""
    done = threading.Event()
    owed = 0

    def top_up() -> None:
        nonlocal owed
        while not done.wait(0.02):
            while endpoint.count.value - owed >= TOP_UP:
                made.owe(TOP_UP, DESTINATION)
                owed += TOP_UP

    thread = threading.Thread(target=top_up)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        made.owe(endpoint.count.value - owed, DESTINATION)


def _pss_at_rest(pid: int) -> float:
    time.sleep(1)
    return pss_mib(pid)
