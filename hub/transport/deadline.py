"""Wall clock over a whole send: names, connecting, TLS, and every byte sent or received.

The time-outs of `requests`, urllib and smtplib hold for one read each, so an answer dripped byte by byte
outlives them. Here the sockets themselves know when the attempt ends: `within` starts its clock, `connect`
opens a socket that gives every single operation only what is left of it.
"""

from __future__ import annotations

import contextlib
import errno
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

RECEIVED_LIMIT_BYTES = 4 * 1024 * 1024
"""More than this is no answer to a message, whatever the protocol: it would only fill the memory."""

LookUp = Callable[..., list[Any]]
"""What finds the addresses of a name: `socket.getaddrinfo`, or a stand-in for it."""


@dataclass(kw_only=True)
class Clock:
    """How long an attempt may still take. `sent` is true once a byte of its request left this machine."""

    seconds: float
    ends: float
    look_up: LookUp
    sent: bool = False
    received_bytes: int = 0

    def remaining(self) -> float:
        """Seconds left, more than 0; raises TimeoutError when there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time of the attempt is over")
        return left

    def shorten(self, seconds: float) -> None:
        """At most so many seconds are left from now on."""
        self.ends = min(self.ends, time.monotonic() + seconds)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends


_clock: ContextVar[Clock] = ContextVar("clock")


@contextlib.contextmanager
def within(seconds: float, look_up: LookUp) -> Iterator[Clock]:
    """Everything that sockets of this module do in here, in this thread, ends after `seconds`."""
    clock = Clock(seconds=seconds, ends=time.monotonic() + seconds, look_up=look_up)
    token = _clock.set(clock)
    try:
        yield clock
    finally:
        _clock.reset(token)


def connect(host: str, port: int) -> socket.socket:
    """A connection to the first address of a host that takes one; raises OSError.

    Each address gets its share of the time that is left, so a dead one leaves some for the next.
    """
    clock = _clock.get()
    addresses = _addresses(clock, host, port)
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            return _connect(address, clock.remaining() / left)
        except OSError as error:
            failure = error
    raise failure


def tls_context() -> ssl.SSLContext:
    """Verifies as `ssl.create_default_context` does, with the system's authorities or SSL_CERT_FILE's.

    Connections made with it keep to the clock.
    """
    context = ssl.create_default_context()
    context.sslsocket_class = _TlsSocket
    return context


def _addresses(clock: Clock, host: str, port: int) -> list[Any]:
    """The addresses of a host. The look-up cannot be interrupted, so at the deadline it is abandoned."""
    with contextlib.suppress(OSError):
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    found: queue.SimpleQueue[list[Any] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(clock.look_up(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.put(error)

    threading.Thread(target=look_up, name="hub-look-up", daemon=True).start()
    try:
        answer = found.get(timeout=clock.remaining())
    except queue.Empty:
        raise TimeoutError("the look-up of its name takes too long") from None
    if isinstance(answer, Exception):
        raise socket.gaierror(socket.EAI_NONAME, "its name is not known") from answer
    return answer


def _connect(address: Any, seconds: float) -> socket.socket:
    family, kind, protocol, _, where = address
    connection = _Socket(family, kind, protocol)
    try:
        connection.settimeout(seconds)
        connection.connect(where)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        connection.close()
        raise
    return connection


class _Socket(socket.socket):
    """A socket whose every operation ends with the clock of the attempt."""

    def send(self, data: Any, flags: int = 0) -> int:
        clock = _clock.get()
        self.settimeout(clock.remaining())
        count = super().send(data, flags)
        clock.sent = True
        return count

    def sendall(self, data: Any, flags: int = 0) -> None:
        with memoryview(data) as view, view.cast("B") as rest:
            position = 0
            while position < len(rest):
                position += self.send(rest[position:], flags)

    def recv(self, size: int, flags: int = 0) -> bytes:
        self.settimeout(_clock.get().remaining())
        return super().recv(size, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        clock = _clock.get()
        self.settimeout(clock.remaining())
        count = super().recv_into(buffer, nbytes, flags)
        clock.received_bytes += count
        if clock.received_bytes > RECEIVED_LIMIT_BYTES:
            raise OSError(errno.EMSGSIZE, "the answer has no end")
        return count


class _TlsSocket(_Socket, ssl.SSLSocket):  # type: ignore[misc]
    """TLS on top. One read or handshake of `ssl` is bounded as a whole, however many records it takes."""

    def do_handshake(self, block: bool = False) -> None:
        self.settimeout(_clock.get().remaining())
        super().do_handshake(block)
