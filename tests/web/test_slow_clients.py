"""Clients that are slow or silent cost the hub a socket and no thread, and each only for a while."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from given_web import PATH
from servers.program import wait_until
from servers.slow_clients import BODY, HEALTH, KINDS, MEBIBYTE, SlowClients
from servers.web_server import WebServer, signed_request

REQUEST_SECONDS, IDLE_SECONDS, UNTAKEN_SECONDS, CLOSING_SECONDS = 1.0, 4.0, 1.0, 0.5

LONGEST_SECONDS = 12.0
"""A machine that is busy with other tests is slow; a server that is held up does not answer for 15 s."""

CONNECTIONS = 100
BUFFER_MEBIBYTES = 4


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """The web process with the bounds that it has."""
    with WebServer(tmp_path_factory.mktemp("web")) as server:
        yield server
    assert "Traceback" not in server.log


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """The same with bounds that a test can wait for."""
    folder, began = tmp_path_factory.mktemp("web"), time.monotonic()
    with WebServer(folder, **HASTY) as server:
        yield server
    assert "Traceback" not in server.log
    # Strangers do not write the log: it has one line a minute, and one at the end.
    assert len(server.log.splitlines()) <= 2 + (time.monotonic() - began) / 60, server.log


HASTY = {
    "request_seconds": REQUEST_SECONDS,
    "idle_seconds": IDLE_SECONDS,
    "untaken_seconds": UNTAKEN_SECONDS,
    "answer_seconds": 2 * UNTAKEN_SECONDS,
    "closing_seconds": CLOSING_SECONDS,
    "stop_seconds": 4.0,
    "buffer_bytes": BUFFER_MEBIBYTES * MEBIBYTE,
    "connections": CONNECTIONS,
}


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_keep_nobody_waiting(server: WebServer, kind: str) -> None:
    with SlowClients(server.port, kind, 80):
        time.sleep(0.2)

        assert server.slowest_answer(2) < LONGEST_SECONDS


def test_who_does_not_finish_a_request_is_cut_off(hasty: WebServer) -> None:
    unfinished = [kind for kind, its in KINDS.items() if its.is_unfinished]
    with contextlib.ExitStack() as stack:
        for clients in [stack.enter_context(SlowClients(hasty.port, kind, 3)) for kind in unfinished]:
            clients.wait_for_the_end()


def test_who_does_not_take_an_answer_is_cut_off(hasty: WebServer) -> None:
    with SlowClients(hasty.port, "never read", 5) as clients:
        clients.wait_for_the_answers()
        wait_until(lambda: hasty.clients().isdisjoint(clients.ports), "their end", 30)


def test_who_never_closes_is_cut_off(hasty: WebServer) -> None:
    with SlowClients(hasty.port, "never closed", 5) as clients:
        wait_until(lambda: hasty.clients().isdisjoint(clients.ports), "their end", 30)


def test_a_slow_reader_gets_all_of_an_answer(server: WebServer) -> None:
    """It is cut off for taking nothing, not for taking its time."""
    with server.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /static/htmx.min.js HTTP/1.0\r\n\r\n")
        received = b""
        while data := connection.recv(8192):
            received += data
            time.sleep(0.02)

    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert length == len(body)


def test_a_body_that_is_late_is_answered_408(hasty: WebServer) -> None:
    with hasty.connect() as connection:
        connection.sendall(BODY % (PATH.encode(), 10) + b"half")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"] == "request_timeout"


def test_a_head_that_is_late_is_not_answered(hasty: WebServer) -> None:
    with hasty.connect() as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")

        assert connection.recv(65536) == b""


def test_a_connection_that_served_a_request_stays_open_for_longer(hasty: WebServer) -> None:
    """Behind a load balancer a server that closes first makes 502s."""
    with hasty.connect() as connection:
        for _ in range(2):
            connection.sendall(HEALTH)
            assert b" 200 " in connection.recv(65536)
            time.sleep(2 * REQUEST_SECONDS)

        assert connection.recv(65536) == b""


def test_at_the_limit_of_connections_the_oldest_makes_room(hasty: WebServer) -> None:
    with SlowClients(hasty.port, "silent", CONNECTIONS + 20) as clients:
        newcomer = hasty.connect()
        newcomer.sendall(HEALTH)

        assert b" 200 " in newcomer.recv(65536)
        assert clients.connections[0].recv(1) == b""
        newcomer.close()


def test_where_no_descriptor_is_free_the_oldest_makes_room(server: WebServer) -> None:
    with server.may_have_descriptors(20), SlowClients(server.port, "silent", 40):
        assert server.slowest_answer(2) < LONGEST_SECONDS


def test_unfinished_bodies_hold_no_more_memory_than_they_may(hasty: WebServer) -> None:
    with SlowClients(hasty.port, "a byte less", 2 * BUFFER_MEBIBYTES) as clients:
        time.sleep(0.2)
        oldest = b"".join(iter(lambda: clients.connections[0].recv(65536), b""))

        assert oldest.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: " in oldest
        clients.connections[-1].sendall(b"x")
        # It is whole now, and told that it is not signed.
        assert clients.connections[-1].recv(65536).startswith(b"HTTP/1.1 400 ")


def test_a_stop_answers_what_is_finished_soon_and_waits_for_nobody(tmp_path: Path) -> None:
    """Half a second after the stop the rest of a webhook comes in."""
    with contextlib.ExitStack() as clients, WebServer(tmp_path, **HASTY) as server:
        for kind in KINDS:
            clients.enter_context(SlowClients(server.port, kind, 3))
        request = signed_request()
        with server.connect() as connection:
            connection.sendall(request[:-5])
            time.sleep(0.2)
            server.process.terminate()
            time.sleep(0.5)
            connection.sendall(request[-5:])
            answer = connection.recv(65536)

        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"Connection: close" in answer
        assert server.stop() < 20
        assert server.process.returncode == 0
