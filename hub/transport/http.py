"""One HTTP exchange within the wall clock of an attempt: no redirects, no proxies, no retries.

Sent through the connection pools that `requests` is built on: that costs less, and takes a URL as it is,
where `requests` would resolve `..` and decode `%2e`.
"""

from __future__ import annotations

import http.client
import logging
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from hub.errors import Unknown
from hub.transport.deadline import LookUp, connect, tls_context, within
from hub.transport.failures import network_failure, root_cause

BODY_LIMIT_BYTES = 64 * 1024
"""As much of an answer's body as is read."""

RETRY_AFTER_LIMIT_SECONDS = 24 * 3600

# At debug level it writes the path of each request, which for a Slack webhook is its secret.
logging.getLogger("urllib3.connectionpool").setLevel(logging.WARNING)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent. The values of `headers` are bytes so that they may hold any text."""

    method: str
    url: str
    headers: Mapping[str, str | bytes]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. `body` is what could be read of it: at most 64 KiB, less where it broke off."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class HttpClient:
    """Keeps up to `connections` connections open; serves many threads at once."""

    def __init__(self, connections: int, look_up: LookUp = socket.getaddrinfo) -> None:
        self._connections = connections
        self._pools: dict[tuple[str, str], urllib3.HTTPConnectionPool] = {}
        self._look_up = look_up

    def exchange(self, request: Request, seconds: float) -> Answer:
        """The answer to a request, whatever its status.

        Raises Retry where nothing was sent, and Unknown where no answer came.
        """
        with within(seconds, self._look_up) as clock:
            try:
                response = self._send(request)
            except Exception as error:  # noqa: BLE001 - the boundary to urllib3
                # Its wrappers quote the URL: only what is below them is kept as the cause.
                raise network_failure(error, clock) from root_cause(error)
            answer = Answer(status=response.status, headers=response.headers, body=_read(response))
        if answer.status < 200:
            raise Unknown(f"sent an interim answer ({answer.status}) and no final one", status=answer.status)
        return answer

    def close(self) -> None:
        """Let go of the connections that are kept open."""
        for pool in self._pools.values():
            pool.close()

    def _send(self, request: Request) -> urllib3.BaseHTTPResponse:
        parts = urlsplit(request.url)
        headers: Any = {**request.headers, "Content-Length": str(len(request.body))}
        return self._pool_of(parts).urlopen(
            request.method,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            body=request.body,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )

    def _pool_of(self, parts: SplitResult) -> urllib3.HTTPConnectionPool:
        key = (parts.scheme, parts.netloc)
        if key not in self._pools:
            kind = _TlsPool if parts.scheme == "https" else _Pool
            # Of two threads that make it at once, both use the first one's.
            self._pools.setdefault(key, kind(parts.hostname or "", parts.port, maxsize=self._connections))
        return self._pools[key]


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port)


class _TlsConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return connect(self._dns_host, self.port)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    """One TLS context for all connections to a host, made when the first is needed."""

    ConnectionCls = _TlsConnection

    def __init__(self, host: str, port: int | None = None, **options: Any) -> None:
        context = tls_context()
        # The system may have no authorities at all, as in a slim container.
        context.load_verify_locations(certifi.where())
        super().__init__(host, port, ssl_context=context, **options)


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """The wait that a Retry-After header asks for, in seconds or as a date; at most a day."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if re.fullmatch(r"\d{1,10}", text, re.ASCII):
        return float(min(int(text), RETRY_AFTER_LIMIT_SECONDS))
    try:
        at = parsedate_to_datetime(text)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_SECONDS)


def _read(raw: Any) -> bytes:
    """The beginning of a body. A connection whose answer was not read to its end is closed."""
    try:
        return bytes(raw.read(BODY_LIMIT_BYTES, decode_content=True))
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        return b""
    finally:
        raw.close()
        raw.release_conn()
