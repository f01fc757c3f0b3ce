"""One request and its response, as the client sends and reads them."""

from __future__ import annotations

import socket
from typing import Any

from servers.http_receiver import CannedResponse, HttpReceiver

from hub.transport.http import BODY_LIMIT_BYTES, HttpClient, HttpRequest


def post(url: str, **headers: str | bytes) -> HttpRequest:
    return HttpRequest(method="POST", url=url, headers=headers, body=b"x")


def test_a_response_has_its_status_headers_and_text() -> None:
    canned = CannedResponse(status=418, headers={"X-One": "1"}, body="é".encode() + b"\xff")
    with HttpReceiver([canned]) as receiver:
        response = HttpClient(1).send(post(receiver.url), 30.0)

    assert (response.status, response.headers["x-one"], response.text) == (418, "1", "é\ufffd")


def test_a_body_is_read_up_to_its_limit() -> None:
    with HttpReceiver([CannedResponse(body=b"x" * (BODY_LIMIT_BYTES + 1)), CannedResponse()]) as receiver:
        client = HttpClient(1)
        body = client.send(post(receiver.url), 30.0).body
        status = client.send(post(receiver.url), 30.0).status

    assert (len(body), status) == (BODY_LIMIT_BYTES, 200)


def test_a_full_name_is_looked_up_with_its_dot() -> None:
    hosts = []

    def recording_resolver(host: str, port: int, **options: Any) -> list[Any]:
        hosts.append(host)
        return socket.getaddrinfo("127.0.0.1", port, **options)

    with HttpReceiver() as receiver:
        HttpClient(1, recording_resolver).send(post(f"http://nowhere.test.:{receiver.port}/"), 30.0)

    assert hosts == ["nowhere.test."]


def test_dots_and_escapes_of_a_url_stay() -> None:
    with HttpReceiver() as receiver:
        HttpClient(1).send(post(f"{receiver.url}/a/../b%2E/%7E?c=%2F&d"), 30.0)
        paths = [request.path for request in receiver.received]

    assert paths == ["/a/../b%2E/%7E?c=%2F&d"]
