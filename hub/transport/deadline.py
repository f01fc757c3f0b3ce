"""Wall clock over a whole send: names, connecting, TLS, and every byte sent or received.

The time-outs of `requests`, urllib and smtplib hold for one read each, so a response dripped byte by byte
outlives them. Here the sockets themselves know when the attempt ends: inside `with deadline_after(…)` a
socket of `connect` gives every single operation only what remains of it.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import certifi

RECEIVED_LIMIT_BYTES = 4 * 1024 * 1024
"""More than this is no answer to a message, whatever the protocol: it would only fill the memory."""

Resolver = Callable[..., list[Any]]
"""A function that finds the addresses of a host and a port, with the arguments and result of getaddrinfo."""

system_resolver: Resolver = socket.getaddrinfo


@dataclass(kw_only=True)
class Deadline:
    """The end of an attempt, on the steady clock.

    `sent` is True once a byte of the request left this machine.
    """

    seconds: float
    ends_at: float
    resolver: Resolver
    sent: bool = False
    received_bytes: int = 0
    received_limit_bytes: int = RECEIVED_LIMIT_BYTES

    def remaining_seconds(self) -> float:
        """Return the seconds that remain, more than 0; raises TimeoutError when there are none."""
        remaining = self.ends_at - time.monotonic()
        if remaining <= 0:
            raise TimeoutError("the time of the attempt is over")
        return remaining

    def shorten(self, seconds: float) -> None:
        """Let at most so many seconds remain from now on."""
        self.ends_at = min(self.ends_at, time.monotonic() + seconds)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends_at


_deadline: ContextVar[Deadline] = ContextVar("deadline")


@contextlib.contextmanager
def deadline_after(seconds: float, resolver: Resolver = system_resolver) -> Iterator[Deadline]:
    """Yield the deadline that every socket of this module keeps to inside the block, in that thread."""
    deadline = Deadline(seconds=seconds, ends_at=time.monotonic() + seconds, resolver=resolver)
    outer = _deadline.set(deadline)
    try:
        yield deadline
    finally:
        _deadline.reset(outer)


def current_deadline() -> Deadline:
    """Return the deadline of the block that this thread is in."""
    return _deadline.get()


@contextlib.contextmanager
def before_the_request() -> Iterator[Deadline]:
    """Yield the deadline; what is sent inside the block is for a proxy alone and no part of the request."""
    deadline = _deadline.get()
    try:
        yield deadline
    finally:
        deadline.sent = False


def connect(host: str, port: int) -> socket.socket:
    """Return a connection to the first address of a host that takes one; raises OSError.

    Each address gets its share of the time that remains, so a dead one leaves some for the next.
    """
    deadline = _deadline.get()
    addresses = look_up(host, port)
    for untried, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return _connect(address, deadline.remaining_seconds() / untried)
        except OSError as error:
            failure = error
    raise failure


def connect_file(path: str) -> socket.socket:
    """Return a connection to the Unix socket of that name; raises OSError."""
    connection = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_deadline.get().remaining_seconds())
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def tls_context(*protocols: str) -> ssl.SSLContext:
    """Return a context whose connections keep to the deadline; `protocols` are offered by ALPN.

    It verifies by the system's authorities, those of SSL_CERT_FILE and SSL_CERT_DIR in their place where set,
    and those of certifi: the system may have none at all, as in a slim container.
    """
    return _tls_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), protocols)


@functools.lru_cache(maxsize=8)
def _tls_context(cert_file: str | None, cert_dir: str | None, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """Return the one context for an environment: to read all authorities takes longer than a mail."""
    return new_tls_context(*protocols)


def new_tls_context(*protocols: str, usual: bool = True) -> ssl.SSLContext:
    """Return a context like that of `tls_context`, to which certificates may be added.

    With `usual` False it has no authority yet.
    """
    context = ssl.create_default_context() if usual else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if usual:
        context.load_verify_locations(certifi.where())
    if protocols:
        context.set_alpn_protocols(list(protocols))
    context.sslsocket_class = _TlsSocket
    return context


def look_up(host: str, port: int) -> list[Any]:
    """Return the addresses of a host, as getaddrinfo does; raises OSError.

    A look-up cannot be interrupted, so at the deadline it is abandoned.
    """
    deadline = _deadline.get()
    with contextlib.suppress(OSError):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    results: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            results.put(deadline.resolver(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            results.put(error)

    threading.Thread(target=resolve, name="hub-look-up", daemon=True).start()
    try:
        result = results.get(timeout=deadline.remaining_seconds())
    except queue.Empty:
        raise TimeoutError("the look-up of its name takes too long") from None
    if isinstance(result, Exception):
        raise socket.gaierror(socket.EAI_NONAME, "its name is not known") from result
    return result


def _connect(address: Any, seconds: float) -> socket.socket:
    family, kind, protocol, _, socket_address = address
    connection = _Socket(family, kind, protocol)
    try:
        connection.settimeout(seconds)
        connection.connect(socket_address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        connection.close()
        raise
    return connection


class _Socket(socket.socket):
    """A socket whose every operation ends with the deadline."""

    def send(self, data: Any, flags: int = 0) -> int:
        deadline = _deadline.get()
        self.settimeout(deadline.remaining_seconds())
        count = super().send(data, flags)
        deadline.sent = True
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        with memoryview(data) as view, view.cast("B") as octets:
            position = 0
            while position < len(octets):
                position += self.send(octets[position:], flags)

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.settimeout(_deadline.get().remaining_seconds())
        return super().recv(size, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        deadline = _deadline.get()
        self.settimeout(deadline.remaining_seconds())
        count = super().recv_into(buffer, nbytes, flags)
        deadline.received_bytes += count
        if deadline.received_bytes > deadline.received_limit_bytes:
            raise OSError(errno.EMSGSIZE, "the answer has no end")
        return count


class _TlsSocket(_Socket, ssl.SSLSocket):  # type: ignore[misc]
    """TLS on top. One read or handshake of `ssl` is bounded as a whole, however many records it takes."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(_deadline.get().remaining_seconds())
        super().do_handshake(block)
