"""Rates: events taken in and messages delivered per second, beside a plain counterpart in the same run."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import requests

from bench.databases import fresh_settings
from bench.endpoint import Endpoint, fast_endpoint
from bench.figure import Figure, Pair, dialect, paired
from bench.load import event_body, send_load
from bench.server import LEAD, forked, hub, plain, rules_for, web, worker
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.event import Event, new_id
from hub.store.open import open_store
from hub.store.store import Store

THREADS = 16
FAN_OUT = 10

ACCEPTED_PAIRS = 5


def accepted(postgres_url: str | None, count: int = 6000) -> Figure:
    """Events accepted (verified, routed to three deliveries, committed) ÷ events only verified."""
    processes = 1 if postgres_url is None else 2

    def measure() -> Pair:
        rules = rules_for("http://127.0.0.1:9/", sends=3)
        with fresh_settings(postgres_url, processes) as settings, web(settings, rules) as port:
            send_load(port, 200)
            of_hub = accepted_per_second(port, count)
        with plain(processes) as port:
            send_load(port, 200)
            of_plain = accepted_per_second(port, count)
        return of_hub, of_plain

    database = dialect(postgres_url) + ("" if postgres_url is None else ", 2 web processes")
    must, aim = (0.5, 0.7) if postgres_url is None else (0.35, 0.5)
    name = f"accepted events/s, {database} ÷ verification alone"
    return Figure(name, must, aim, *paired(measure, ACCEPTED_PAIRS), "events/s")


def drained(postgres_url: str | None, count: int = 4000) -> Figure:
    """Deliveries of the event itself drained to one fast endpoint ÷ a loop of bare sessions."""

    def measure() -> Pair:
        of_hub = _drained_per_second(postgres_url, count, {})
        with fast_endpoint() as endpoint:
            of_plain = _bare_sessions(endpoint, count)
        return of_hub, of_plain

    name = f"deliveries/s drained, {dialect(postgres_url)} ÷ bare sessions"
    return Figure(name, 0.6, 1.0, *paired(measure), "deliveries/s")


def rendered(postgres_url: str | None, count: int = 4000) -> Figure:
    """Deliveries of a rendered body drained to one fast endpoint ÷ those of the event itself."""

    def measure() -> Pair:
        return _drained_per_second(postgres_url, count, LEAD), _drained_per_second(postgres_url, count, {})

    name = f"drained with a rendered body, {dialect(postgres_url)} ÷ the event itself"
    return Figure(name, 0.9, 1.0, *paired(measure), "deliveries/s")


def end_to_end(postgres_url: str | None, count: int = 4000) -> Figure:
    """Events accepted and delivered to one endpoint ÷ a handler that verifies and forwards inline."""

    def measure() -> Pair:
        return _delivered_per_second(postgres_url, count), _forwarded_per_second(count)

    must = 1.5 if postgres_url is None else 1.3
    name = f"events/s accepted and delivered, {dialect(postgres_url)} ÷ forwarding inline"
    return Figure(name, must, 2.4, *paired(measure), "events/s")


def fan_out_10(postgres_url: str | None, count: int = 1000) -> Figure:
    """Deliveries of events that each go to ten destinations ÷ that handler's events, which go to one."""

    def measure() -> Pair:
        of_hub = _delivered_per_second(postgres_url, count, sends=FAN_OUT) * FAN_OUT
        return of_hub, _forwarded_per_second(4 * count)

    must = 2.5 if postgres_url is None else 2.0
    name = f"deliveries/s at fan-out {FAN_OUT}, {dialect(postgres_url)} ÷ events/s forwarded inline"
    return Figure(name, must, 5.7, *paired(measure), "per second")


def logged(postgres_url: str | None, count: int = 4000) -> Figure:
    """Events accepted and delivered with the log at `info`, into a file ÷ with the log at `error`."""

    def measure() -> Pair:
        with tempfile.TemporaryFile("w") as log, contextlib.redirect_stderr(log):
            at_info = _delivered_per_second(postgres_url, count, log_level="info")
        return at_info, _delivered_per_second(postgres_url, count)

    name = f"accepted and delivered with the log at info, {dialect(postgres_url)} ÷ at error"
    return Figure(name, 0.93, 0.97, *paired(measure), "events/s")


def accepted_per_second(port: int, count: int) -> float:
    """Send signed events, each of which must be answered 200; returns the rate."""
    load = send_load(port, count)
    if load.refused:
        raise RuntimeError(f"{load.refused} of {count} events were not answered 200")
    return load.per_second


def _drained_per_second(postgres_url: str | None, count: int, fields: Mapping[str, object]) -> float:
    """Deliveries that are owed before the worker starts."""
    with fast_endpoint() as endpoint, fresh_settings(postgres_url) as settings:
        rules = rules_for(endpoint.url, concurrency=THREADS, fields=fields)
        with contextlib.closing(open_store(settings.database_url)) as store:
            owe(store, rules, count)
        began = time.monotonic()
        with worker(settings, rules):
            endpoint.expect(count, 120)
            return float(count / (endpoint.last_at.value - began))


def _delivered_per_second(
    postgres_url: str | None, count: int, *, sends: int = 1, log_level: str = "error"
) -> float:
    """Events of which every delivery arrived."""
    with fast_endpoint() as endpoint, fresh_settings(postgres_url) as settings:
        rules = rules_for(endpoint.url, sends=sends, concurrency=THREADS)
        with hub(replace(settings, log_level=log_level), rules) as port:
            return _through(port, endpoint, count, sends)


def _forwarded_per_second(count: int) -> float:
    with fast_endpoint() as endpoint, plain(1, forwarder(endpoint)) as port:
        return _through(port, endpoint, count)


def _through(port: int, endpoint: Endpoint, count: int, sends: int = 1) -> float:
    """Events per second from the first sent to the last that arrived."""
    send_load(port, 100)
    endpoint.expect(100 * sends, 20)
    before, began = endpoint.count.value, time.monotonic()
    sender = threading.Thread(target=accepted_per_second, args=(port, count))
    sender.start()
    endpoint.expect(before + count * sends, 120)
    sender.join()
    return float(count / (endpoint.last_at.value - began))


def forwarder(endpoint: Endpoint) -> Callable[[bytes], None]:
    """Return a function that posts a body to the endpoint, over one connection for each thread."""
    local = threading.local()

    def forward(body: bytes) -> None:
        session = getattr(local, "session", None)
        if session is None:
            session = local.session = requests.Session()
            session.trust_env = False
        session.post(endpoint.url, data=body, timeout=10).raise_for_status()

    return forward


def _bare_sessions(endpoint: Endpoint, count: int) -> float:
    forward, body = forwarder(endpoint), event_body(0)
    began = time.monotonic()
    with forked(lambda: in_threads(lambda: forward(body), count)):
        endpoint.expect(count, 120)
    return float(count / (endpoint.last_at.value - began))


def in_threads(work: Callable[[], None], count: int) -> None:
    """Do the same work so many times, in as many threads as a worker has."""

    def loop() -> None:
        for _ in range(count // THREADS):
            work()

    threads = [threading.Thread(target=loop) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def owe(store: Store, rules: Rules, count: int) -> None:
    """Take in events with what they are owed, as if they had been received."""

    def take_in() -> None:
        now = datetime.now(UTC)
        event = Event(
            id=new_id("evt", now),
            source="clerk",
            message_id=new_id("msg", now),
            type="waitlistEntry.created",
            payload=event_body(0),
            received_at=now,
        )
        fan_out(event, rules, store)

    in_threads(take_in, count)
