"""One HTTP request and its response within the deadline of an attempt: no redirects, no retries.

Sent through the connection pools that `requests` is built on: that costs less, and takes a URL as it is,
where `requests` would resolve `..` and decode `%2e`.
"""

from __future__ import annotations

import http.client
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from hub import __version__
from hub.errors import SendError, Unknown
from hub.transport.certificates import NO_CERTIFICATES, Certificates
from hub.transport.deadline import Resolver, connect, deadline_after, system_resolver
from hub.transport.failures import network_failure, root_cause
from hub.transport.proxy import Proxy, authority, connect_to_proxy, refusal, tunnel

BODY_LIMIT_BYTES = 64 * 1024
"""As much of a response's body as is read."""

RETRY_AFTER_LIMIT_SECONDS = 24 * 3600

PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
"""Other programs read them, in small letters too."""
IGNORED_PROXY = "in the environment: the hub does not read that; the key proxy in routes.yaml names one"

USER_AGENT = f"fanout-hub/{__version__}"
"""The name under which the hub sends."""

# At debug level it writes the path of each request, which for a Slack webhook is its secret.
logging.getLogger("urllib3.connectionpool").setLevel(logging.WARNING)


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request to an absolute URL.

    `headers` are a mapping, or pairs where a name may be there several times. Their values may be bytes, so
    that they can hold any text. Of the response's body `body_limit_bytes` are read.
    """

    method: str
    url: str
    headers: Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]]
    body: bytes
    body_limit_bytes: int = BODY_LIMIT_BYTES


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    """A response. `body` is as much of it as could be read, less than all where it broke off or is longer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class HttpClient:
    """A client that keeps up to `connections` connections to each host open; serves many threads at once.

    A destination gets its own, with its certificates and proxy, from its options: `HttpBlock.client`.
    """

    def __init__(
        self,
        connections: int,
        resolver: Resolver = system_resolver,
        *,
        certificates: Certificates = NO_CERTIFICATES,
        proxy: Proxy | None = None,
    ) -> None:
        self._connections = connections
        self._resolver = resolver
        self._certificates = certificates
        self._proxy = proxy
        self._pools: dict[tuple[str, str], urllib3.HTTPConnectionPool] = {}

    def send(self, request: HttpRequest, timeout_seconds: float) -> HttpResponse:
        """Return the response to a request, whatever its status.

        Raises Retry where nothing was sent, Pause where a proxy lets nothing through, and Unknown where no
        response came.
        """
        url = urlsplit(request.url)
        headers: Any = urllib3.HTTPHeaderDict(request.headers)  # type: ignore[arg-type]  # bytes are sent as they are
        headers["Content-Length"] = str(len(request.body))
        with deadline_after(timeout_seconds, self._resolver) as deadline:
            deadline.received_limit_bytes += request.body_limit_bytes
            try:
                stream = self._pool(url).urlopen(
                    request.method,
                    (url.path or "/") + (f"?{url.query}" if url.query else ""),
                    body=request.body,
                    headers=headers,
                    retries=False,
                    redirect=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                )
            except SendError:
                raise
            except Exception as error:  # noqa: BLE001 - the boundary to urllib3
                # Its wrappers quote the URL: only what is below them is kept as the cause.
                raise network_failure(error, deadline) from root_cause(error)
            body = _read(stream, request.body_limit_bytes)
            response = HttpResponse(status=stream.status, headers=stream.headers, body=body)
        if (
            self._proxy
            and url.scheme == "http"
            and response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        ):
            raise refusal(response.status)
        if response.status < 200:
            raise Unknown(
                f"sent an interim answer ({response.status}) and no final one", status=response.status
            )
        return response

    def close(self) -> None:
        """Let go of the connections that are kept open."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, url: SplitResult) -> urllib3.HTTPConnectionPool:
        key = (url.scheme, url.netloc)
        if key not in self._pools:
            # Of two threads that make it at once, both use the first one's.
            self._pools.setdefault(key, self._new_pool(url))
        return self._pools[key]

    def _new_pool(self, url: SplitResult) -> urllib3.HTTPConnectionPool:
        options: dict[str, Any] = {"maxsize": self._connections}
        if self._proxy:
            options["through"] = self._proxy
        if url.scheme == "https":
            context = self._certificates.context("http/1.1")
            return _TlsPool(url.hostname or "", url.port, ssl_context=context, **options)
        return (_ProxiedPool if self._proxy else _Pool)(url.hostname or "", url.port, **options)


class _Connection(HTTPConnection):
    """A connection that is made and used within the deadline."""

    def __init__(self, host: str, port: int | None = None, **options: Any) -> None:
        super().__init__(host, port, **options)
        # A name that ends with a dot is not searched for in the system's own domains; `host` drops the dot.
        self._full_host = host

    def connect(self) -> None:
        self.sock = connect(self._full_host, self.port)


class _ProxiedConnection(HTTPConnection):
    """One to a proxy, which gets the whole URL: many let CONNECT through to ports of TLS alone."""

    def __init__(self, host: str, port: int | None = None, *, through: Proxy, **options: Any) -> None:
        super().__init__(host, port, **options)
        self._through = through

    def connect(self) -> None:
        self.sock = connect_to_proxy(self._through)

    def putrequest(self, method: str, url: str, *options: Any, **named: Any) -> None:
        super().putrequest(method, f"http://{authority(self.host, self.port)}{url}", *options, **named)
        if self._through.authorization:
            self.putheader("Proxy-Authorization", self._through.authorization)


class _TlsConnection(HTTPSConnection):
    """The same with TLS, also by a proxy: the context verifies the certificate and that it is the host's."""

    def __init__(
        self, host: str, port: int | None = None, *, through: Proxy | None = None, **options: Any
    ) -> None:
        super().__init__(host, port, **options)
        self._full_host = host
        self._through = through

    def connect(self) -> None:
        assert self.ssl_context is not None
        if self._through:
            connection = tunnel(self._through, self.host, self.port)
        else:
            connection = connect(self._full_host, self.port)
        self.sock = self.ssl_context.wrap_socket(connection, server_hostname=self.host)
        self.is_verified = True


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _ProxiedPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _ProxiedConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def web_url(text: str) -> SplitResult:
    """Return a URL in its parts; raises ValueError where it is none that a request can go to."""
    try:
        parts = urlsplit(text.strip())
        is_usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not text.isprintable() or " " in text.strip():
        raise ValueError("must be a URL that starts with https:// or http:// and names a host")
    return parts


def json_request(url: str, document: Any, headers: Mapping[str, str | bytes] | None = None) -> HttpRequest:
    """Return a POST of a JSON document, with headers beside the usual ones."""
    usual = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
    return HttpRequest(
        method="POST", url=url, headers={**usual, **(headers or {})}, body=json_bytes(document)
    )


def json_bytes(document: Any) -> bytes:
    """Return a document as JSON in UTF-8, no longer than it must be."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def with_parameters(url: SplitResult, parameters: Mapping[str, str]) -> str:
    """Return a URL with these parameters in its query, in the place of its own of those names."""
    own = parse_qsl(url.query, keep_blank_values=True)
    others = [(name, value) for name, value in own if name not in parameters]
    query = urlencode([*others, *parameters.items()])
    return urlunsplit(url._replace(query=query, fragment=""))


def ignored_proxies(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the variables that name a proxy, which is not used."""
    names = (*PROXY_VARIABLES, *(name.lower() for name in PROXY_VARIABLES))
    return tuple(name for name in names if environment.get(name))


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the wait that a Retry-After header asks for, in seconds or as a date; at most a day."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    # Whole seconds by RFC 9110; some send what a clock of theirs says.
    if re.fullmatch(r"\d{1,10}(\.\d{1,9})?", text, re.ASCII):
        return min(float(text), RETRY_AFTER_LIMIT_SECONDS)
    try:
        at = parsedate_to_datetime(text)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_SECONDS)


def _read(stream: urllib3.BaseHTTPResponse, limit_bytes: int) -> bytes:
    """Return the beginning of a body. A connection whose body was not read to its end is closed."""
    try:
        return stream.read(limit_bytes, decode_content=True)
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        return b""
    finally:
        stream.close()
        stream.release_conn()
