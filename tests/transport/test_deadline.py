"""Sockets end with the attempt that uses them, whatever the other side does."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import given
import pytest

from hub.transport.deadline import RECEIVED_LIMIT_BYTES, Deadline, connect, deadline_after, tls_context


@contextlib.contextmanager
def connected(seconds: float) -> Iterator[tuple[Deadline, socket.socket, socket.socket]]:
    """Yield a deadline, a connection that keeps to it, and its other side."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        deadline_after(seconds) as deadline,
        connect("127.0.0.1", server.getsockname()[1]) as connection,
        server.accept()[0] as peer,
    ):
        yield deadline, connection, peer


def test_time_runs_out() -> None:
    with deadline_after(60.0) as deadline:
        assert 40.0 < deadline.remaining_seconds() <= 60.0
        deadline.shorten(0.0)
        assert deadline.is_over
        with pytest.raises(TimeoutError):
            deadline.remaining_seconds()


def test_shortening_never_lengthens() -> None:
    with deadline_after(30.0) as deadline:
        deadline.shorten(60.0)

        assert deadline.remaining_seconds() <= 30.0


def test_an_address_that_refuses_leaves_the_next_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, given.refusing_port() as refusing_port:

        def two_addresses(host: str, port: int, **options: Any) -> list[Any]:
            refusing = socket.getaddrinfo("127.0.0.1", refusing_port, **options)
            return refusing + socket.getaddrinfo(*server.getsockname(), **options)

        with deadline_after(30.0, two_addresses), connect("nowhere.test", 9) as connection:
            assert connection.getpeername() == server.getsockname()


def test_nothing_is_sent_by_connecting() -> None:
    with connected(30.0) as (deadline, connection, _):
        assert not deadline.sent
        connection.sendall(b"x")
        assert deadline.sent


def test_a_read_ends_with_the_deadline() -> None:
    with connected(60.0) as (deadline, connection, _):
        began = time.monotonic()
        deadline.shorten(0.2)
        with pytest.raises(TimeoutError):
            connection.recv(1)

    assert 0.1 < time.monotonic() - began < 20


def test_an_answer_without_end_is_an_error() -> None:
    block = b"x" * 65536
    with connected(30.0) as (_, connection, peer):
        reader = connection.makefile("rb")
        for _ in range(RECEIVED_LIMIT_BYTES // len(block)):
            peer.sendall(block)
            reader.read(len(block))
        peer.sendall(b"x")
        with pytest.raises(OSError, match="no end") as raised:
            reader.read(1)

    assert raised.value.errno == errno.EMSGSIZE


def test_a_deadline_within_another_gives_its_place_back() -> None:
    with connected(30.0) as (outer, connection, peer):
        peer.sendall(b"ab")
        with deadline_after(30.0) as inner:
            connection.recv_into(bytearray(1))
        connection.recv_into(bytearray(1))

    assert (inner.received_bytes, outer.received_bytes) == (1, 1)


def test_a_system_without_authorities_has_those_of_certifi(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert tls_context().cert_store_stats()["x509_ca"] > 50


def test_authorities_are_read_once_for_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = tls_context()
    monkeypatch.setenv("SSL_CERT_DIR", "/elsewhere")

    assert tls_context() is tls_context()
    assert tls_context() is not usual
    assert tls_context("http/1.1") is not tls_context()
