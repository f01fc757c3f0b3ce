"""Mail: from POST to the mail server's 250, with a backlog elsewhere and without."""

from __future__ import annotations

import multiprocessing
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from bench.databases import Backlog, fresh_settings
from bench.endpoint import Endpoint, hanging_endpoint
from bench.figure import Figure, Pair, dialect, paired
from bench.latency import arrivals
from bench.server import hub, rules_for

DUE = 10_000
EVENTS = 200
PAUSE_SECONDS = 0.01
RELAYED = {
    "recipient": "{{ data.email_address }}",
    "subject": "{{ data.id }} is your verification code",
    "html": "<p>Your code is <strong>{{ data.id }}</strong>.</p>",
}
"""A mail as the recipe for Clerk's own has it: to somebody of the event, its words from there."""


def mailed(postgres_url: str | None) -> Figure:
    """Median time from POST to a mail server's 250 with 10,000 due at a place that hangs, to that without."""
    turn = 0

    def measure() -> Pair:
        nonlocal turn
        turn += 1
        order = (DUE, 0) if turn % 2 else (0, DUE)
        medians = {due: _median_ms(postgres_url, due) for due in order}
        return medians[DUE], medians[0]

    name = f"median POST to a mail server's 250 with 10,000 due elsewhere, {dialect(postgres_url)} ÷ without"
    return Figure(name, 1.5, 1.1, *paired(measure), "ms", smaller_is_better=True)


def _median_ms(postgres_url: str | None, due: int) -> float:
    with (
        mail_server() as server,
        hanging_endpoint() as hanging,
        fresh_settings(postgres_url) as settings,
    ):
        with closing(Backlog(settings)) as backlog:
            backlog.owe(due, "beside")
            backlog.gather_statistics()
        url = f"smtp://127.0.0.1:{server.port}"
        rules = rules_for(url, beside=hanging, destination_type="email", fields=RELAYED)
        with hub(settings, rules) as port:
            seconds = arrivals(port, server, EVENTS, PAUSE_SECONDS)
    return statistics.median(seconds) * 1000


@contextmanager
def mail_server() -> Iterator[Endpoint]:
    """A mail server in a process of its own that takes every mail; it counts and times its 250s."""
    context = multiprocessing.get_context("fork")
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    count, last_at = context.Value("q", 0, lock=False), context.Value("d", 0.0, lock=False)
    process = context.Process(target=_serve, args=(listener, count, last_at), daemon=True)
    process.start()
    port = listener.getsockname()[1]
    listener.close()
    try:
        yield Endpoint(port=port, count=count, last_at=last_at)
    finally:
        process.terminate()
        process.join()


def _serve(listener: socket.socket, count: Any, last_at: Any) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_converse, args=(connection, count, last_at), daemon=True).start()


def _converse(connection: socket.socket, count: Any, last_at: Any) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as lines:
        connection.sendall(b"220 mail.test\r\n")
        for line in lines:
            if line[:4].upper() != b"DATA":
                connection.sendall(b"250 mail.test\r\n")
                continue
            connection.sendall(b"354 go on\r\n")
            for part in lines:
                if part == b".\r\n":
                    break
            connection.sendall(b"250 kept\r\n")
            last_at.value = time.monotonic()
            count.value += 1
