"""Reads: the time that pages, metrics and lists take on a store that grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import requests

from bench.databases import Backlog, fresh_settings
from bench.figure import Figure, dialect
from bench.server import rules_for, web
from hub.settings import Settings
from hub.store.open import open_store
from hub.web import new_link

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
    "events of a pattern": "/api/events?type=*.created",
    "events of a source": "/api/events?source=clerk",
    "events to one destination": "/api/events?destination=to0",
    "deliveries of a type": "/api/deliveries?type=user.*",
    "deliveries of a route": "/api/deliveries?route=all",
    "one destination's delivered": "/api/deliveries?destination=to0&state=delivered",
    "a rare name": "/api/events?q=lovelace02",
    "a usual name": "/api/events?q=ada",
    "two names": "/api/deliveries?q=ada7+lovelace0",
    "a domain of all": "/api/deliveries?q=example.com",
    "a name that nobody has": "/api/deliveries?q=zoe",
    "stats": "/api/stats",
    "destinations": "/api/destinations",
}


def reads(postgres_url: str | None, sizes: tuple[int, ...] = (100_000, 1_000_000)) -> Iterator[Figure]:
    """Time of an answer with so many events delivered ÷ that with 1,000; without goals."""
    few = _milliseconds(postgres_url, FEW)
    for size in sizes:
        for page, milliseconds in _milliseconds(postgres_url, size).items():
            yield Figure(
                f"{page} with {size:,} events, {dialect(postgres_url)} ÷ with {FEW:,}",
                None,
                None,
                milliseconds / few[page],
                milliseconds,
                few[page],
                "ms",
                smaller_is_better=True,
            )


def _milliseconds(postgres_url: str | None, events: int) -> dict[str, float]:
    """The median answer of each path; one in ten of the events is still due, the others were delivered."""
    rules = rules_for("http://127.0.0.1:9/")
    with fresh_settings(postgres_url) as empty, closing(Backlog(empty)) as backlog:
        backlog.deliver(events - events // 10, "to0")
        backlog.owe(events // 10, "to0")
        backlog.index()
        backlog.gather_statistics()
        settings = replace(empty, password=PASSWORD)
        with web(settings, rules) as port, _signed_in(settings, port) as session:
            return {
                page: _median_ms(session, f"http://127.0.0.1:{port}{path}") for page, path in PATHS.items()
            }


@contextmanager
def _signed_in(settings: Settings, port: int) -> Iterator[requests.Session]:
    """With the one-time link for the pages and the password for everything else."""
    with requests.Session() as session, closing(open_store(settings.database_url)) as store:
        session.get(f"http://127.0.0.1:{port}{new_link(store)}", timeout=10).raise_for_status()
        session.headers["Authorization"] = f"Bearer {PASSWORD}"
        yield session


def _median_ms(session: requests.Session, url: str) -> float:
    seconds = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        answer = session.get(url, timeout=60, allow_redirects=False)
        seconds.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise RuntimeError(f"{url} answered {answer.status_code}")
    return statistics.median(seconds) * 1000
