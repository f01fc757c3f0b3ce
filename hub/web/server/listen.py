"""The listening socket, which outlives the processes that accept from it."""

from __future__ import annotations

import errno
import socket

from hub.errors import SettingsError
from hub.settings import netloc

BACKLOG = 1024

SEND_BUFFER_BYTES = 128 * 1024
"""The kernel's part of an answer that a client does not take; by itself it grows to several MiB for each."""


CURES = {
    errno.EADDRINUSE: "stop what uses it, or set PORT to another",
    errno.EACCES: "set PORT to one above 1023",
}


def listen(host: str, port: int) -> socket.socket:
    """Return a bound and listening socket; raises SettingsError where the address cannot be had.

    `host` is an address of IPv4 or IPv6; `::` takes clients of both.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _unusable(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        listener.bind(address[0][4])
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _unusable(host, port, error) from error
    return listener


def _unusable(host: str, port: int, error: OSError) -> SettingsError:
    reason = (error.strerror or "refused").lower()
    cure = CURES.get(error.errno or 0, "set HUB_BIND to an address of this machine")
    return SettingsError(f"cannot listen on {netloc(host, port)}: {reason}; {cure}")
