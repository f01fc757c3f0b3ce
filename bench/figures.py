"""How much and how soon: the hub beside its plain counterpart, in turn, in one run."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import requests

from bench.databases import fresh_settings
from bench.endpoint import Endpoint, fast_endpoint
from bench.figure import Figure, Pair, dialect, paired
from bench.isolation import arrivals
from bench.load import send_load, signed_request
from bench.server import forked, hub, plain, rules_for, web, worker
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.event import Event, new_id
from hub.store.store import Store, open_store

THREADS = 16

ACCEPTED_PAIRS = 5


def accepted(postgres_url: str | None, count: int = 6000) -> Figure:
    """Events accepted (verified, routed to three deliveries, committed) to events only verified."""
    processes = 1 if postgres_url is None else 2

    def measure() -> Pair:
        rules = rules_for("http://127.0.0.1:9/", sends=3)
        with fresh_settings(postgres_url, processes) as settings, web(settings, rules) as port:
            send_load(port, 200)
            of_hub = _without_refusals(port, count)
        with plain(processes) as port:
            send_load(port, 200)
            of_plain = _without_refusals(port, count)
        return of_hub, of_plain

    where = dialect(postgres_url) + ("" if postgres_url is None else ", 2 web processes")
    must, aim = (0.5, 0.7) if postgres_url is None else (0.35, 0.5)
    ratio, of_hub, of_plain = paired(measure, ACCEPTED_PAIRS)
    return Figure(
        f"accepted events/s, {where} ÷ verification alone", must, aim, ratio, of_hub, of_plain, "events/s"
    )


def drained(postgres_url: str | None, count: int = 4000) -> Figure:
    """Deliveries drained to one fast endpoint to a loop of bare sessions with as many threads."""

    def measure() -> Pair:
        with fast_endpoint() as endpoint, fresh_settings(postgres_url) as settings:
            rules = rules_for(endpoint.url, concurrency=THREADS)
            store = open_store(settings.database_url)
            _owe(store, rules, count)
            store.close()
            began = time.monotonic()
            with worker(settings, rules):
                if not endpoint.wait_for(count, 120):
                    raise TimeoutError(f"only {endpoint.count.value} of {count} deliveries arrived")
                of_hub = count / (endpoint.last_at.value - began)
        with fast_endpoint() as endpoint:
            of_plain = _bare_sessions(endpoint, count)
        return of_hub, of_plain

    where = dialect(postgres_url)
    return Figure(
        f"deliveries/s drained, {where} ÷ bare sessions", 0.6, 1.0, *paired(measure), "deliveries/s"
    )


def end_to_end(postgres_url: str | None, count: int = 4000) -> Figure:
    """Events accepted and delivered to one endpoint to a handler that verifies and forwards inline."""

    def measure() -> Pair:
        with fast_endpoint() as endpoint, fresh_settings(postgres_url) as settings:
            rules = rules_for(endpoint.url, concurrency=THREADS)
            with hub(settings, rules) as port:
                of_hub = _until_all_arrived(port, endpoint, count)
        with fast_endpoint() as endpoint, plain(1, _forwarder(endpoint)) as port:
            of_plain = _until_all_arrived(port, endpoint, count)
        return of_hub, of_plain

    where = dialect(postgres_url)
    return Figure(
        f"events/s accepted and delivered, {where} ÷ forwarding inline",
        1.0,
        2.0,
        *paired(measure),
        "events/s",
    )


def arrival(postgres_url: str | None, count: int = 200) -> Figure:
    """Median time from POST to arrival on an idle hub to the same of a handler that forwards inline."""

    def measure() -> Pair:
        with (
            fast_endpoint() as endpoint,
            fresh_settings(postgres_url) as settings,
            hub(settings, rules_for(endpoint.url)) as port,
        ):
            of_hub = statistics.median(arrivals(port, endpoint, count, 0.01))
        with fast_endpoint() as endpoint, plain(1, _forwarder(endpoint)) as port:
            of_plain = statistics.median(arrivals(port, endpoint, count, 0.01))
        return of_hub * 1000, of_plain * 1000

    where = dialect(postgres_url)
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
    return float(count / (endpoint.last_at.value - began))


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
    return float(count // THREADS * THREADS / (endpoint.last_at.value - began))


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
