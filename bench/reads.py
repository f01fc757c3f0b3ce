"""Reads: the time that pages, metrics and lists take on a store that grows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace

import requests

from bench import results
from bench.databases import Backlog, fresh_settings
from bench.figure import Figure, Pair, dialect
from bench.server import rules_for, web
from hub.maintenance.totals import count_totals
from hub.settings import Settings
from hub.store.open import open_store
from hub.web import new_link

FEW, MANY = 1_000, 1_000_000
RETENTION = 30 * 86_400 * 1_000_000
"""In microseconds: 30 days."""

PASSWORD = "the benchmark's own"
LOOKS = 7
FILTERS = (
    "q=lovelace02",
    "q=ada",
    "q=ada7+lovelace0",
    "q=example.com",
    "q=zoe",
    "type=user.created",
    "type=*.created",
    "source=clerk",
    "route=all",
    "destination=to0",
    "state=delivered",
    "state=pending",
    "state=dead",
    "state=held",
    "degraded=true",
    "since=1h",
    "destination=to0&state=dead",
    "destination=to0&state=delivered&type=user.*",
    "q=ada&destination=to0&state=pending",
)
"""Words that few have, some, all and nobody, each filter alone, and some together."""

PATHS = (
    "/",
    "/events",
    *(f"/events?{query}" for query in FILTERS),
    "/events/{event}",
    "/events/{event}?from=destination%3Dto0%26state%3Ddead",
    "/deliveries",
    *(f"/deliveries?{query}" for query in FILTERS),
    "/deliveries/{delivery}",
    "/deliveries/{delivery}?from=q%3Dada%26destination%3Dto0",
    "/destinations",
    "/destinations/to0",
    "/routes",
    "/audit",
    "/metrics",
    *("/api/events", "/api/events?q=ada", "/api/events?type=*.created"),
    *("/api/deliveries", "/api/deliveries?destination=to0", "/api/deliveries?q=lovelace02"),
    *("/api/stats", "/api/destinations", "/api/findings"),
)
"""What is read; the event and the delivery are in the middle of all."""


def reads(postgres_url: str | None, many: int = MANY) -> Figure:
    """The worst of all pages and lists: its time with so many events ÷ with 1,000; each is printed.

    Both hubs serve at once and are asked in turns, so that what else the machine does slows both.
    """
    with ExitStack() as stack:
        hubs = [stack.enter_context(_serving(postgres_url, count)) for count in (many, FEW)]
        figures = [_figure(path, _median(path, hubs), many, postgres_url) for path in PATHS]
    figures.sort(key=lambda figure: figure.ratio)
    for figure in figures:
        print(results.line(figure), flush=True)
    return replace(figures[-1], name=f"worst of {len(PATHS)} reads: {figures[-1].name}")


def _figure(path: str, pair: Pair, many: int, postgres_url: str | None) -> Figure:
    name = f"{path} with {many:,} events, {dialect(postgres_url)} ÷ with {FEW:,}"
    return Figure(name, 3, 1.5, pair[0] / pair[1], *pair, "ms", smaller_is_better=True)


@dataclass(frozen=True, kw_only=True)
class _Hub:
    """A hub that serves, whoever is signed in to it, and the ids that stand in paths."""

    url: str
    session: requests.Session
    ids: dict[str, str]

    def ask(self, path: str) -> float:
        """Return the milliseconds that an answer takes."""
        url = self.url + path.format(**self.ids)
        began = time.perf_counter()
        answer = self.session.get(url, timeout=60, allow_redirects=False)
        if answer.status_code != 200:
            raise RuntimeError(f"{path} was answered {answer.status_code}")
        return (time.perf_counter() - began) * 1000


def _median(path: str, hubs: list[_Hub]) -> Pair:
    for hub in hubs:
        hub.ask(path)
    looks = [[hub.ask(path) for hub in hubs] for _ in range(LOOKS)]
    of_many, of_few = (statistics.median(column) for column in zip(*looks, strict=True))
    return of_many, of_few


@contextmanager
def _serving(postgres_url: str | None, events: int) -> Iterator[_Hub]:
    with fresh_settings(postgres_url) as empty:
        fill(empty, events)
        with serving(replace(empty, password=PASSWORD), events) as hub:
            yield hub


def fill(settings: Settings, events: int) -> None:
    """Fill a store with a retention's events, as it is after a worker has been at work all the time.

    One delivery in ten is still due, one in a hundred is dead, and the others were delivered.
    """
    with closing(Backlog(settings, step=RETENTION // events)) as backlog:
        backlog.deliver(events - events // 10 - events // 100, "to0")
        backlog.die(events // 100, "to0")
        backlog.owe(events // 10, "to0")
        backlog.index()
        with closing(open_store(settings.database_url)) as store:
            while not count_totals(store):
                pass
        backlog.gather_statistics()


@contextmanager
def serving(settings: Settings, events: int) -> Iterator[_Hub]:
    """Serve a store, signed in by the one-time link for the pages and the password for all else."""
    with web(settings, rules_for("http://127.0.0.1:9/")) as port, requests.Session() as session:
        url = f"http://127.0.0.1:{port}"
        with closing(open_store(settings.database_url)) as store:
            session.get(url + new_link(store), timeout=60).raise_for_status()
        session.headers["Authorization"] = f"Bearer {PASSWORD}"
        ids = {}
        for kind, path in (("event", "/api/events"), ("delivery", "/api/deliveries")):
            items = session.get(f"{url}{path}?limit={min(events // 2, 500)}", timeout=60).json()["items"]
            ids[kind] = items[-1]["id"]
        yield _Hub(url=url, session=session, ids=ids)
