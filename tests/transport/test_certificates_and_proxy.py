"""Connections with certificates of their own and by a proxy, over real TLS."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import given
import pytest
from servers.authority import Authority
from servers.forward_proxy import ForwardProxy
from servers.http_receiver import CannedResponse, HttpReceiver

from hub.errors import Pause, Retry, SendError, Unknown
from hub.transport.certificates import Certificates, client_fault
from hub.transport.http import HttpClient, HttpRequest
from hub.transport.proxy import parse_proxy

OURS = Authority()


def post(url: str) -> HttpRequest:
    return HttpRequest(method="POST", url=f"{url}/a/../b%2E?c=d", headers={}, body=b"x")


@contextlib.contextmanager
def saying(answer: bytes) -> Iterator[str]:
    """A proxy that says that to whoever connects, and nothing more."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def failure(client: HttpClient, url: str, seconds: float = 30.0) -> SendError:
    with pytest.raises(SendError) as raised:
        client.send(post(url), seconds)
    return raised.value


# -- certificates ---------------------------------------------------------------------------------


def test_an_authority_of_ones_own_is_trusted_by_that_client_alone(tmp_path) -> None:
    with HttpReceiver(tls=OURS.server(tmp_path)) as receiver:
        status = HttpClient(1, certificates=Certificates(ca=OURS.cert)).send(post(receiver.url), 30.0).status
        refused = failure(HttpClient(1), receiver.url)
        other = failure(HttpClient(1, certificates=Certificates(ca=Authority("other").cert)), receiver.url)

    assert status == 200
    assert type(refused) is type(other) is Retry
    assert refused.reason.startswith("TLS failed: unable to get local issuer certificate")
    assert len(receiver.received) == 1


def test_a_client_shows_its_certificate(tmp_path) -> None:
    ours = OURS.sign("the hub")
    apart = Certificates(ca=OURS.cert, client_cert=ours.cert, client_key=ours.key)
    in_one = Certificates(ca=OURS.cert, client_cert=ours.key + ours.cert)
    with HttpReceiver(tls=OURS.server(tmp_path, wants_client=True)) as receiver:
        clients = [HttpClient(1, certificates=certificates) for certificates in (apart, in_one)]
        statuses = [client.send(post(receiver.url), 30.0).status for client in clients]
        error = failure(HttpClient(1, certificates=Certificates(ca=OURS.cert)), receiver.url)

    assert statuses == [200, 200]
    # By TLS 1.3 a server says only after the request that it wants a certificate.
    assert isinstance(error, Retry | Unknown)


def test_a_key_of_another_certificate_is_told() -> None:
    assert client_fault(OURS.sign("a").cert, OURS.sign("b").key) == "is not the key of this client_cert"


# -- proxies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("login", ["", "ada:p%40ss"])
def test_tls_goes_through_a_proxy_by_connect(tmp_path, login: str) -> None:
    with (
        HttpReceiver(tls=OURS.server(tmp_path)) as receiver,
        ForwardProxy(login=login.replace("%40", "@")) as proxy,
    ):
        url = proxy.url.replace("//", f"//{login}@") if login else proxy.url
        client = HttpClient(2, certificates=Certificates(ca=OURS.cert), proxy=parse_proxy(url))
        statuses = [client.send(post(receiver.url), 30.0).status for _ in range(2)]

    assert statuses == [200, 200]
    assert proxy.requests == [("CONNECT", f"127.0.0.1:{receiver.port}")]
    assert "proxy-authorization" not in receiver.received[0].headers


def test_what_is_no_tls_is_asked_of_the_proxy_by_its_whole_url() -> None:
    with HttpReceiver() as receiver, ForwardProxy(login="a:b") as proxy:
        url = proxy.url.replace("//", "//a:b@")
        response = HttpClient(1, proxy=parse_proxy(url)).send(post(receiver.url), 30.0)

    assert response.status == 200
    assert proxy.requests == [("POST", f"{receiver.url}/a/../b%2E?c=d")]


def test_a_proxy_looks_up_the_name() -> None:
    def no_look_up(*_: object, **__: object) -> list[object]:
        raise AssertionError("a name was looked up")

    with HttpReceiver() as receiver, ForwardProxy() as proxy:
        client = HttpClient(1, no_look_up, proxy=parse_proxy(proxy.url))
        status = client.send(post(f"http://crm.test:{receiver.port}"), 30.0).status

    assert status == 200


WORDS = {
    407: (Pause, "the proxy answered 407 Proxy Authentication Required: it wants a login"),
    403: (Pause, "the proxy answered 403 Forbidden: its rules let nobody through to there"),
    502: (Retry, "the proxy answered 502 Bad Gateway: it does not reach the destination"),
    503: (Retry, "the proxy answered 503 Service Unavailable: it does not reach the destination"),
}


@pytest.mark.parametrize("status", [407, 403, 502, 503])
def test_a_proxy_that_refuses_is_told_by_class_and_in_words(status: int) -> None:
    kind, words = WORDS[status]
    with ForwardProxy(status=status) as proxy:
        error = failure(HttpClient(1, proxy=parse_proxy(proxy.url)), "https://crm.test")

    assert type(error) is kind
    assert error.reason.startswith(words)
    assert error.status == status


def test_a_proxy_that_wants_a_login_pauses_what_is_no_tls_too() -> None:
    with ForwardProxy(login="a:b") as proxy:
        error = failure(HttpClient(1, proxy=parse_proxy(proxy.url)), "http://crm.test")

    assert (type(error), error.status) == (Pause, 407)


def test_a_proxy_that_is_away_is_told_apart_from_the_destination() -> None:
    with given.refusing_port() as port:
        client = HttpClient(1, proxy=parse_proxy(f"http://127.0.0.1:{port}"))
        reasons = {failure(client, f"{scheme}://crm.test").reason for scheme in ("http", "https")}

    assert reasons == {"could not connect to the proxy: connection refused"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "the proxy did not answer"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "the proxy answered with something that is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, "the proxy answered with something that is not HTTP"),
    ],
)
def test_a_proxy_that_is_none_is_a_retry(answer: bytes, reason: str) -> None:
    with saying(answer) as url:
        seconds = 30.0 if answer else 2.0
        error = failure(HttpClient(1, proxy=parse_proxy(url)), "https://crm.test", seconds)

    assert type(error) is Retry
    assert error.reason.startswith(reason)


def test_a_destination_that_breaks_off_behind_its_proxy_was_sent_nothing() -> None:
    with saying(b"HTTP/1.1 200 OK\r\n\r\n") as url:
        error = failure(HttpClient(1, proxy=parse_proxy(url)), "https://crm.test")

    assert type(error) is Retry


def test_what_a_destination_answers_behind_its_proxy_is_its_own(tmp_path) -> None:
    with (
        HttpReceiver([CannedResponse(status=407)], tls=OURS.server(tmp_path)) as receiver,
        ForwardProxy() as proxy,
    ):
        client = HttpClient(1, certificates=Certificates(ca=OURS.cert), proxy=parse_proxy(proxy.url))
        status = client.send(post(receiver.url), 30.0).status

    assert status == 407


@pytest.mark.parametrize(
    "url",
    [
        "https://proxy:3128",
        "proxy:3128",
        "http://proxy",
        "http://:3128",
        "http://proxy:3128/x",
        "socks5://p:1",
    ],
)
def test_a_url_that_is_no_proxy_says_what_one_looks_like(url: str) -> None:
    with pytest.raises(ValueError, match=r"http://.*proxy:3128"):
        parse_proxy(url)


def test_a_proxy_shows_no_login() -> None:
    assert "secret" not in repr(parse_proxy("http://ada:secret@proxy:3128"))
