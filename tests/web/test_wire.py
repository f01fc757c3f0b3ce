"""Bytes that are hardly HTTP, sent to the real gunicorn: an answer to each, no 5xx and no traceback."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from given_web import PATH
from servers.slow_clients import HEALTH, MEBIBYTE
from servers.web_server import WebServer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with WebServer(tmp_path_factory.mktemp("wire"), request_seconds=1.0) as served:
        yield served
    assert "Traceback" not in served.log


CHUNKED = b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n"
TOO_MUCH = 3_000_000


@pytest.mark.parametrize("path", [PATH, "/login", "/nope"])
@pytest.mark.parametrize(
    ("rest", "status"),
    [
        (CHUNKED + b"ZZZ\r\nabc\r\n", 400),
        (CHUNKED + b"10\r\nabc", 400),
        (CHUNKED + b"3\r\nabcXX3\r\nabc\r\n", 400),
        (b"Host: x\r\nContent-Length: 100\r\n\r\nabc", None),
        (b"Host: x\r\nContent-Length: -1\r\n\r\n", 400),
        (b"Host: a\r\nHost: b\r\n\r\n", 400),
        (b"Host: a b<>\r\nContent-Length: 0\r\nAccept: text/html\r\n\r\n", None),
        (b"Host: x\r\nContent-Length: %d\r\n\r\n" % TOO_MUCH + b"x" * TOO_MUCH, 413),
    ],
    ids=["bad size", "cut chunk", "bad end", "too short", "negative", "two hosts", "no host", "too large"],
)
def test_a_body_that_lies(served: WebServer, path: str, rest: bytes, status: int | None) -> None:
    answer = served.say(b"POST %s HTTP/1.1\r\nConnection: close\r\n" % path.encode() + rest)
    got = int(answer.split(b" ", 2)[1])

    assert 400 <= got < 500
    assert status in (None, got)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /%ff%00%zz HTTP/1.1",
        b"GET /\xff\xfe HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"CONNECT x:1 HTTP/1.1",
        b"GET http://evil.example/nope HTTP/1.1",
        b"BREW / HTTP/1.1",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1",
    ],
)
def test_a_request_line_that_is_strange(served: WebServer, line: bytes) -> None:
    answer = served.say(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert 400 <= int(answer.split(b" ", 2)[1]) < 500


def answers(server: WebServer, sent: bytes) -> list[int]:
    """The statuses of all that is answered until the server closes the connection."""
    with server.connect() as connection:
        connection.sendall(sent)
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    return [int(answer.split(b" ", 1)[0]) for answer in received.split(b"HTTP/1.1 ")[1:]]


HEAD = b"POST %s HTTP/1.1\r\nHost: x\r\n" % PATH.encode()
CODED = b"Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        HEAD + CODED + b"Content-Length: 3\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        HEAD + CODED + CODED + b"\r\n3\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: sideways\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        HEAD + b"Content-Length: 3, 3\r\n\r\nabc",
        HEAD + b"Content-Length: +3\r\n\r\nabc",
        HEAD + b"Content-Length: -3\r\n\r\nabc",
        HEAD + b"Content-Length: 0x3\r\n\r\nabc",
        HEAD + CODED + b"\r\n-3\r\nabc\r\n0\r\n\r\n",
        HEAD + CODED + b"\r\n0x3\r\nabc\r\n0\r\n\r\n",
        HEAD + CODED + b"\r\n4\r\nabc\r\n0\r\n\r\n",
        HEAD + CODED + b"\r\n3\nabc\n0\n\n",
        HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 3\n\nabc",
        HEAD + b"X: 1\nContent-Length: 3\r\n\r\nabc",
        HEAD + b"X: 1\r\n 2\r\nContent-Length: 3\r\n\r\nabc",
        HEAD + b"X: 1\x002\r\nContent-Length: 3\r\n\r\nabc",
        HEAD + b"Host: y\r\nContent-Length: 3\r\n\r\nabc",
        HEAD + b"Content-Length : 3\r\n\r\nabc",
        b"\r\n\r\n" + HEAD + b"\r\n",
    ],
)
def test_an_ambiguous_request_is_refused_and_nothing_behind_it_is_served(
    served: WebServer, request_: bytes
) -> None:
    statuses = answers(served, request_ + HEALTH)

    assert len(statuses) <= 1
    assert all(400 <= status < 500 or status == 501 for status in statuses)


def test_twenty_pipelined_requests_are_answered_in_turn(served: WebServer) -> None:
    requests = [HEALTH, HEAD + b"Content-Length: 3\r\n\r\nabc", HEAD + CODED + b"\r\n3\r\nabc\r\n0\r\n\r\n"]
    last = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

    assert answers(served, b"".join(requests * 6) + HEALTH + last) == [200, 400, 400] * 6 + [200, 200]


def test_requests_that_come_while_another_is_handled_are_answered(served: WebServer) -> None:
    with served.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(200):
            received = b""
            for _ in range(1 + number % 3):
                connection.sendall(HEALTH)
            while received.count(b"HTTP/1.1 200 ") < 1 + number % 3:
                received += connection.recv(65536)


def test_who_asks_before_sending_a_body_is_told_to_go_on(served: WebServer) -> None:
    with served.connect() as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")

        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /healthz HTTP/1.0\r\n\r\n",
        b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nSCRIPT_NAME: /healthz\r\nPATH_INFO: /login\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nScript-Name: /healthz\r\nX_Forwarded_Proto: https\r\n\r\n",
    ],
)
def test_what_is_rare_and_allowed_is_served(served: WebServer, request_: bytes) -> None:
    assert served.say(request_).split(b" ", 2)[1] == b"200"


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: %d\r\n\r\n" % (9 * MEBIBYTE) + b"x" * (9 * MEBIBYTE),
        CODED + b"\r\n" + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 144 + b"0\r\n\r\n",
    ],
    ids=["length", "chunks"],
)
@pytest.mark.parametrize("path", [PATH, "/login"])
def test_the_answer_413_reaches_a_sender_of_9_mib(served: WebServer, path: str, body: bytes) -> None:
    """It sends all of it before it reads."""
    assert answers(served, b"POST %s HTTP/1.1\r\nHost: x\r\n" % path.encode() + body) == [413]
