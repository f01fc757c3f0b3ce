"""Each figure: the hub beside its plain counterpart, in turn, in one run."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import requests

from bench.endpoint import Endpoint, fast_endpoint
from bench.load import send_load, signed_request, time_one
from bench.server import forked, hub, plain, rules_for, sqlite_settings
from hub.fanout import fan_out
from hub.models import Event, new_id
from hub.route import Rules
from hub.settings import Settings
from hub.store.store import Store, open_store

PAIRS = 3
"""A figure is the median of so many pairs, each the hub and its counterpart one after the other."""

THREADS = 16


@dataclass(frozen=True)
class Figure:
    """A ratio with what it must reach and aims at, and the two numbers behind its median pair."""

    name: str
    must: float
    aim: float
    ratio: float
    of_hub: float
    of_plain: float
    unit: str
    smaller_is_better: bool = False

    @property
    def reaches(self) -> str:
        reached = (
            (lambda goal: self.ratio <= goal) if self.smaller_is_better else (lambda goal: self.ratio >= goal)
        )
        return "aim" if reached(self.aim) else "must" if reached(self.must) else "missed"


def paired(measure: Callable[[], tuple[float, float]]) -> tuple[float, float, float]:
    """The median ratio of several pairs, with the hub's and the counterpart's number of that pair."""
    pairs = [measure() for _ in range(PAIRS)]
    pairs.sort(key=lambda pair: pair[0] / pair[1])
    of_hub, of_plain = pairs[len(pairs) // 2]
    return of_hub / of_plain, of_hub, of_plain


@contextmanager
def fresh_settings(postgres_url: str | None, processes: int) -> Iterator[Settings]:
    """Settings on an empty database, SQLite in a folder of its own or one on the given server."""
    with tempfile.TemporaryDirectory() as folder:
        if postgres_url is None:
            yield sqlite_settings(Path(folder), web_processes=processes)
            return
        import psycopg

        name = f"bench_{time.monotonic_ns()}"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield Settings(
            database_url=postgres_url.replace("/postgres?", f"/{name}?"),
            log_level="error",
            web_processes=processes,
        )


def accepted(postgres_url: str | None, count: int = 6000) -> Figure:
    """Events accepted (verified, routed to three deliveries, committed) to events only verified."""
    processes = 1 if postgres_url is None else 2

    def measure() -> tuple[float, float]:
        rules = rules_for("http://127.0.0.1:9/", sends=3)
        with fresh_settings(postgres_url, processes) as settings, hub(settings, rules, worker=False) as port:
            send_load(port, 200)
            of_hub = _without_refusals(port, count)
        with plain(processes) as port:
            send_load(port, 200)
            of_plain = _without_refusals(port, count)
        return of_hub, of_plain

    where = "SQLite" if postgres_url is None else "PostgreSQL, 2 web processes"
    must, aim = (0.5, 0.7) if postgres_url is None else (0.35, 0.5)
    return Figure(f"accepted events/s, {where} ÷ verification alone", must, aim, *paired(measure), "events/s")


def drained(postgres_url: str | None, count: int = 4000) -> Figure:
    """Deliveries drained to one fast endpoint to a loop of bare sessions with as many threads."""

    def measure() -> tuple[float, float]:
        with fast_endpoint() as endpoint, fresh_settings(postgres_url, 1) as settings:
            rules = rules_for(endpoint.url, concurrency=THREADS)
            store = open_store(settings.database_url)
            store.migrate()
            _owe(store, rules, count)
            store.close()
            began = time.monotonic()
            with hub(settings, rules, web=False):
                if not endpoint.wait_for(count, 120):
                    raise TimeoutError(f"only {endpoint.count.value} of {count} deliveries arrived")
                of_hub = count / (endpoint.last_at.value - began)
        with fast_endpoint() as endpoint:
            of_plain = _bare_sessions(endpoint, count)
        return of_hub, of_plain

    where = "SQLite" if postgres_url is None else "PostgreSQL"
    return Figure(
        f"deliveries/s drained, {where} ÷ bare sessions", 0.6, 1.0, *paired(measure), "deliveries/s"
    )


def end_to_end(postgres_url: str | None, count: int = 4000) -> Figure:
    """Events accepted and delivered to one endpoint to a handler that verifies and forwards inline."""

    def measure() -> tuple[float, float]:
        with fast_endpoint() as endpoint, fresh_settings(postgres_url, 1) as settings:
            rules = rules_for(endpoint.url, concurrency=THREADS)
            with hub(settings, rules) as port:
                of_hub = _until_all_arrived(port, endpoint, count)
        with fast_endpoint() as endpoint, plain(1, _forwarder(endpoint)) as port:
            of_plain = _until_all_arrived(port, endpoint, count)
        return of_hub, of_plain

    where = "SQLite" if postgres_url is None else "PostgreSQL"
    return Figure(
        f"events/s accepted and delivered, {where} ÷ forwarding inline",
        1.0,
        2.0,
        *paired(measure),
        "events/s",
    )


def arrival(postgres_url: str | None, count: int = 200) -> Figure:
    """Median time from POST to arrival on an idle hub to the same of a handler that forwards inline."""

    def measure() -> tuple[float, float]:
        with (
            fast_endpoint() as endpoint,
            fresh_settings(postgres_url, 1) as settings,
            hub(settings, rules_for(endpoint.url)) as port,
        ):
            of_hub = _median_arrival(port, endpoint, count)
        with fast_endpoint() as endpoint, plain(1, _forwarder(endpoint)) as port:
            of_plain = _median_arrival(port, endpoint, count)
        return of_hub * 1000, of_plain * 1000

    where = "SQLite" if postgres_url is None else "PostgreSQL"
    return Figure(
        f"median POST to arrival, {where} ÷ forwarding inline",
        3.0,
        2.0,
        *paired(measure),
        "ms",
        smaller_is_better=True,
    )


def _without_refusals(port: int, count: int) -> float:
    load = send_load(port, count)
    if load.refused:
        raise RuntimeError(f"{load.refused} of {count} events were not answered 200")
    return load.per_second


def _until_all_arrived(port: int, endpoint: Endpoint, count: int) -> float:
    send_load(port, 100)
    endpoint.wait_for(100, 10)
    before, began = endpoint.count.value, time.monotonic()
    sender = threading.Thread(target=_without_refusals, args=(port, count))
    sender.start()
    if not endpoint.wait_for(before + count, 120):
        raise TimeoutError(f"only {endpoint.count.value - before} of {count} events arrived")
    sender.join()
    return count / (endpoint.last_at.value - began)


def _median_arrival(port: int, endpoint: Endpoint, count: int) -> float:
    """Seconds from the first byte sent to the arrival at the endpoint, one event at a time."""
    seconds = []
    for number in range(count):
        before = endpoint.count.value
        began = time_one(port, signed_request(number))
        if not endpoint.wait_for(before + 1, 10):
            raise TimeoutError("an event did not arrive")
        seconds.append(endpoint.last_at.value - began)
        time.sleep(0.01)
    return statistics.median(seconds)


def _forwarder(endpoint: Endpoint) -> Callable[[bytes], None]:
    local = threading.local()

    def forward(body: bytes) -> None:
        session = getattr(local, "session", None)
        if session is None:
            session = local.session = requests.Session()
            session.trust_env = False
        session.post(endpoint.url, data=body, timeout=10).raise_for_status()

    return forward


def _bare_sessions(endpoint: Endpoint, count: int) -> float:
    forward = _forwarder(endpoint)
    body = signed_request(0).partition(b"\r\n\r\n")[2]

    def loop() -> None:
        for _ in range(count // THREADS):
            forward(body)

    began = time.monotonic()

    def run() -> None:
        threads = [threading.Thread(target=loop) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with forked(run):
        endpoint.wait_for(count // THREADS * THREADS, 120)
    return count // THREADS * THREADS / (endpoint.last_at.value - began)


def _owe(store: Store, rules: Rules, count: int) -> None:
    """Events with one delivery each, as if they had been received."""
    body = signed_request(0).partition(b"\r\n\r\n")[2]

    def some(part: int) -> None:
        for _ in range(part):
            now = datetime.now(UTC)
            fan_out(
                Event(
                    id=new_id("evt", now),
                    source="clerk",
                    message_id=new_id("msg", now),
                    type="waitlistEntry.created",
                    payload=body,
                    received_at=now,
                ),
                rules,
                store,
            )

    threads = [threading.Thread(target=some, args=(count // THREADS,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
