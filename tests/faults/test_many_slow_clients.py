"""The web server's bounds at their real length, and as many clients as its limits and more."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.conftest import Count
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser
from running import Running, environment, wait_until_ready, write_configuration
from servers.program import free_port, wait_until
from servers.slow_clients import HEALTH, KINDS, SlowClients
from servers.web_server import WebServer, signed_request

pytestmark = pytest.mark.full

MEGABYTES = 120
"""As much as any kind of client may cost a process."""

LONGEST_SECONDS = {kind: 3.0 if kind == "never read" else 1.0 for kind in KINDS}


@pytest.fixture(scope="module", autouse=True)
def many_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[WebServer]:
    with WebServer(tmp_path) as server:
        yield server
    assert "Traceback" not in server.log
    # Clients that were cut off are told of together.
    assert len(server.log.splitlines()) <= 3, server.log


MANY = [(kind, 200) for kind in KINDS] + [(kind, 1500) for kind in ("half a webhook", "silent", "idle")]


@pytest.mark.parametrize(("kind", "connections"), [*MANY, ("silent", 2500)])
def test_many_slow_clients_keep_nobody_waiting_and_cost_little(
    server: WebServer, kind: str, connections: int, count: Count
) -> None:
    """The last is beyond the limit of connections: the oldest make room."""
    server.slowest_answer(5)
    before = server.megabytes()
    with SlowClients(server.port, kind, connections):
        time.sleep(1)
        slowest, megabytes = server.slowest_answer(5), server.megabytes() - before
    count(connections=connections, slowest_ms=round(1000 * slowest), megabytes=round(megabytes))

    assert slowest < LONGEST_SECONDS[kind]
    assert megabytes < MEGABYTES


@pytest.mark.timeout(240)
def test_every_kind_ends_at_its_bound(server: WebServer, count: Count) -> None:
    before = server.descriptors()
    with contextlib.ExitStack() as clients:
        for kind, its in KINDS.items():
            if its.is_unfinished or kind == "never closed":
                clients.enter_context(SlowClients(server.port, kind, 10))
        began = time.monotonic()
        wait_until(lambda: server.descriptors() <= before, "the unfinished", 30)
        unfinished = time.monotonic() - began
    with SlowClients(server.port, "never read", 10):
        began = time.monotonic()
        wait_until(lambda: server.descriptors() >= before + 10, "those who do not read", 10)
        wait_until(lambda: server.descriptors() <= before, "their end", 90)
        untaken = time.monotonic() - began
    count(unfinished_seconds=round(unfinished), untaken_seconds=round(untaken))

    assert unfinished < 20
    assert untaken < 65


@pytest.mark.timeout(800)
def test_an_idle_connection_stays_open_for_620_seconds(server: WebServer) -> None:
    with SlowClients(server.port, "idle", 2) as clients:
        used, unused = clients.connections
        time.sleep(605)
        used.sendall(HEALTH)

        assert b" 200 " in used.recv(65536)
        began = time.monotonic()
        unused.settimeout(30)
        assert unused.recv(1) == b""
        assert 10 < time.monotonic() - began < 20


def test_a_stop_takes_ten_seconds_at_most(tmp_path: Path) -> None:
    """The whole of `hub serve`; a webhook whose end comes a second after the stop is answered."""
    port = free_port()
    folder = write_configuration(tmp_path)
    with (
        contextlib.ExitStack() as clients,
        Running("hub serve", folder, environment(folder, PORT=str(port))) as hub,
    ):
        wait_until_ready(port, hub)
        for kind in KINDS:
            clients.enter_context(SlowClients(port, kind, 20))
        request = signed_request()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request[:-5])
            time.sleep(0.2)
            began = time.monotonic()
            hub.process.terminate()
            time.sleep(1)
            connection.sendall(request[-5:])

            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        hub.process.wait(15)

        assert time.monotonic() - began < 10
        assert hub.pids() == []


# -- streams that were damaged -------------------------------------------------------------------------

REQUESTS = [
    b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabcde",
    b"POST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
    b"POST /e HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: 1\r\n\r\n",
    b"PUT /f HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
]
TOKENS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b"0", b"5", b"f", b"-", b"+", b"\xb2", b";"),
    *(b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n"),
    *(b"Host: y\r\n", b"Connection: close\r\n", b"HTTP/1.1", b"GET ", b"\r\n\r\n", b"0\r\n\r\n"),
]


def damaged(chance: random.Random) -> bytes:
    stream = bytearray(b"".join(chance.choices(REQUESTS, k=chance.randint(1, 5))))
    for _ in range(chance.randint(0, 3)):
        at = chance.randrange(len(stream) + 1)
        end = min(len(stream), at + chance.choice([0, 0, 1, 2, 8]))
        stream[at:end] = chance.choice(TOKENS) * chance.randint(0, 2)
    return bytes(stream[: chance.randint(0, len(stream))] if chance.random() < 0.2 else stream)


def seen_by_gunicorn(stream: bytes) -> list[list[str]]:
    seen: list[list[str]] = []
    with contextlib.suppress(Exception):
        for request in RequestParser(Config(), iter([stream]), ("127.0.0.1", 1)):
            seen.append([request.method, request.uri, hashlib.sha256(request.body.read()).hexdigest()])
    return seen


def test_damaged_streams_serve_nothing_that_gunicorns_parser_does_not_see() -> None:
    chance, port = random.Random(7), free_port()
    program = Path(__file__).parents[1] / "servers/echoing_app.py"
    process = subprocess.Popen([sys.executable, str(program), str(port)])
    served = 0
    try:
        wait_until(lambda: answer_to(port, [b"GET / HTTP/1.0\r\n\r\n"]), "the server", 20)
        for _ in range(4000):
            stream = damaged(chance)
            cuts = sorted(chance.randrange(len(stream) + 1) for _ in range(chance.randint(0, 3)))
            pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
            answers = answer_to(port, pieces)
            seen = [json.loads(line) for line in answers.splitlines() if line.startswith(b'["')]

            assert seen == seen_by_gunicorn(stream)[: len(seen)], pieces
            served += len(seen)
    finally:
        process.terminate()
        process.wait(15)
    assert served > 4000


def answer_to(port: int, pieces: list[bytes]) -> bytes:
    """All that is answered to a stream that comes in pieces."""
    received = b""
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(("127.0.0.1", port), 10) as connection,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.0005)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(65536):
            received += data
    return received
