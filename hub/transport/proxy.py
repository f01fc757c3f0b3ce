"""An HTTP proxy between the hub and a destination: reached, and asked by CONNECT for a way through.

Whatever a proxy refuses, no byte of the request was sent: nothing can have been accepted.
"""

from __future__ import annotations

import base64
import re
import socket
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from hub.errors import Pause, Retry, SendError
from hub.transport.deadline import before_the_request, connect
from hub.transport.failures import connection_reason

HEAD_LIMIT_BYTES = 16 * 1024

_SHAPE = "must look like http://user:password@proxy:3128, special characters in it percent-encoded"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
_PAUSING = {
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "it wants a login: put user and password into proxy",
    HTTPStatus.FORBIDDEN: "its rules let nobody through to there",
}
"""Answers that stay the same until somebody acts."""


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy, as a URL names it; `authorization` is empty where it needs no login."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)


def parse_proxy(url: str) -> Proxy:
    """Return the proxy of `http://user:password@host:port`.

    Raises ValueError with one sentence, which holds nothing of the URL.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port or 0
    except ValueError:
        raise ValueError(_SHAPE) from None
    if parts.scheme != "http" or not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(_SHAPE)
    if not port:
        raise ValueError("must name the port of the proxy, as in http://proxy:3128")
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    is_open = parts.username is None
    authorization = "" if is_open else f"Basic {base64.b64encode(login.encode()).decode()}"
    return Proxy(host=host, port=port, authorization=authorization)


def connect_to_proxy(proxy: Proxy) -> socket.socket:
    """Return a connection to the proxy itself; raises Retry."""
    with before_the_request() as deadline:
        try:
            return connect(proxy.host, proxy.port)
        except OSError as error:
            if deadline.is_over:
                raise Retry(f"could not connect to the proxy within {deadline.seconds:g} s") from error
            reason = connection_reason(error).removeprefix("could not connect")
            raise Retry(f"could not connect to the proxy{reason}") from error


def tunnel(proxy: Proxy, host: str, port: int) -> socket.socket:
    """Return a connection to a host through the proxy; raises Retry or Pause."""
    connection = connect_to_proxy(proxy)
    try:
        with before_the_request() as deadline:
            try:
                connection.sendall(_request(proxy, host, port))
                head = _read_head(connection)
            except OSError as error:
                within = f" within {deadline.seconds:g} s" if deadline.is_over else ""
                raise Retry(f"the proxy did not answer{within}") from error
        status_line = _STATUS_LINE.match(head)
        if status_line is None:
            raise Retry("the proxy answered with something that is not HTTP")
        status = int(status_line[1])
        if not 200 <= status < 300:
            raise refusal(status)
    except BaseException:
        connection.close()
        raise
    return connection


def refusal(status: int) -> SendError:
    """Return the error for a proxy that answered in the destination's place."""
    answer = f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)
    if status in _PAUSING:
        return Pause(f"the proxy answered {answer}: {_PAUSING[HTTPStatus(status)]}", status=status)
    return Retry(f"the proxy answered {answer}: it does not reach the destination", status=status)


def authority(host: str, port: int) -> str:
    """Return host and port as a URL has them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _request(proxy: Proxy, host: str, port: int) -> bytes:
    target = authority(host, port)
    login = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n".encode()


def _read_head(connection: socket.socket) -> bytes:
    """Return the head of an answer, empty where it has no end. What follows it is the destination's."""
    head = bytearray()
    while not head.endswith(b"\r\n\r\n") and len(head) < HEAD_LIMIT_BYTES:
        octet = connection.recv(1)
        if not octet:
            raise ConnectionResetError
        head += octet
    return bytes(head) if len(head) < HEAD_LIMIT_BYTES else b""
