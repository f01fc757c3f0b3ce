"""Clients: events taken in while slow ones are connected, and beside gunicorn's own threads."""

from __future__ import annotations

import contextlib
import socket
import statistics
import time
from collections.abc import Iterator

from bench.databases import fresh_settings
from bench.figure import Figure, Pair, dialect, paired
from bench.load import send_load, signed_request, time_answer
from bench.rates import accepted_per_second
from bench.server import Serve, rules_for, serve_by_threads, web
from hub.web.server import serve_web

SLOW = 200
PAIRS = 5
ANSWERS = 300
PAUSE_SECONDS = 0.005
LATER_MS = 0.5
"""An answer of an idle hub may come so much later than from gunicorn's own threads."""

HALVES = (
    b"",
    b"POST /api/webhooks HTTP/1.1\r\nHost: x\r\n",
    b"POST /api/webhooks HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    b"POST /api/webhooks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{",
)


def beside_slow_clients(postgres_url: str | None, count: int = 4000) -> Figure:
    """Events accepted while 200 connections are open that sent half of a request, or nothing ÷ without."""

    def measure() -> Pair:
        with _hub(postgres_url, serve_web) as port:
            alone = accepted_per_second(port, count)
            with _slow_clients(port):
                beside = accepted_per_second(port, count)
        return beside, alone

    name = f"accepted events/s with {SLOW} slow connections open, {dialect(postgres_url)} ÷ without"
    return Figure(name, 0.9, 1.0, *paired(measure, PAIRS), "events/s")


def beside_threads(postgres_url: str | None, count: int = 6000) -> Figure:
    """Events accepted ÷ those that the same app accepts behind gunicorn's own worker with threads."""

    def measure() -> Pair:
        with _hub(postgres_url, serve_web) as port:
            of_hub = accepted_per_second(port, count)
        with _hub(postgres_url, serve_by_threads) as port:
            return of_hub, accepted_per_second(port, count)

    name = f"accepted events/s, {dialect(postgres_url)} ÷ behind gunicorn's own threads"
    return Figure(name, 0.95, 1.0, *paired(measure, PAIRS), "events/s")


def answered(postgres_url: str | None) -> Figure:
    """Median time to the answer of an idle hub ÷ behind gunicorn's own worker with threads."""

    def measure() -> Pair:
        with _hub(postgres_url, serve_web) as port:
            of_hub = _answer_ms(port)
        with _hub(postgres_url, serve_by_threads) as port:
            return of_hub, _answer_ms(port)

    ratio, of_hub, of_threads = paired(measure, PAIRS)
    name = f"median POST to answer, {dialect(postgres_url)} ÷ behind gunicorn's own threads"
    must = 1 + LATER_MS / of_threads
    return Figure(name, must, 1.05, ratio, of_hub, of_threads, "ms", smaller_is_better=True)


@contextlib.contextmanager
def _hub(postgres_url: str | None, serve: Serve) -> Iterator[int]:
    """Run the hub's web processes, warmed up; yields the port."""
    rules = rules_for("http://127.0.0.1:9/", sends=3)
    processes = 1 if postgres_url is None else 2
    with fresh_settings(postgres_url, processes) as settings, web(settings, rules, serve) as port:
        send_load(port, 200)
        yield port


@contextlib.contextmanager
def _slow_clients(port: int) -> Iterator[None]:
    with contextlib.ExitStack() as connections:
        for number in range(SLOW):
            connection = connections.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.sendall(HALVES[number % len(HALVES)])
        time.sleep(0.2)
        yield


def _answer_ms(port: int) -> float:
    seconds = []
    for number in range(ANSWERS):
        seconds.append(time_answer(port, signed_request(number)))
        time.sleep(PAUSE_SECONDS)
    return statistics.median(seconds) * 1000
