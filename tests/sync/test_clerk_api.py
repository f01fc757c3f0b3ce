"""Clerk's Backend API, read: paced, patient, and without its key in any error."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest
from servers.backend_api import SECRET_KEY
from servers.http_receiver import CannedResponse, Failure, HttpReceiver

from hub.errors import ClerkError
from hub.model.config import BackendAccess
from hub.sync.api import API_VERSION, BackendApi, requests_per_second

GOOD = CannedResponse(body=b'{"id": "ins_1"}', headers={"Date": "Mon, 04 May 2026 12:00:00 GMT"})
MONDAY_MS = 1777896000000


@pytest.fixture
def ask() -> Callable[..., object]:
    """Ask for the instance once, from a server with these responses; returns answer, waits, requests."""

    def asked(*responses: CannedResponse, key: str = SECRET_KEY, is_sought: bool = False):
        waits: list[float] = []
        with HttpReceiver(responses) as server:
            api = BackendApi(
                BackendAccess(secret_key=key, api_url=f"{server.url}/v1"),
                wait=lambda seconds: waits.append(seconds) if seconds else None,
                rate=1e9,
            )
            try:
                answer = api.find("/users/1") if is_sought else api.get("/instance", {"a": "+b"})
            finally:
                api.close()
            return answer, waits, server.received

    return asked


def test_a_request_has_key_version_and_parameters_and_is_a_get(ask: Callable[..., object]) -> None:
    answer, waits, (request,) = ask(GOOD)

    assert answer.value == {"id": "ins_1"}
    assert answer.answered_at_ms == MONDAY_MS
    assert MONDAY_MS - 600_000 < answer.began_at_ms < MONDAY_MS
    assert (request.method, request.path) == ("GET", "/v1/instance?a=%2Bb")
    assert request.headers["authorization"] == f"Bearer {SECRET_KEY}"
    assert request.headers["clerk-api-version"] == API_VERSION
    assert waits == []


@pytest.mark.parametrize(
    ("response", "least"),
    [
        (CannedResponse(status=429, headers={"Retry-After": "7"}), 7),
        (CannedResponse(status=429), 1),
        (CannedResponse(status=500), 1),
        (CannedResponse(status=503), 1),
        (CannedResponse(failure=Failure.CLOSE), 1),
        (CannedResponse(body=b'{"id": "ins_', failure=Failure.BREAK_BODY), 1),
    ],
    ids=["rest", "busy", "broken", "unavailable", "cut", "broken off"],
)
def test_what_asks_for_time_gets_it_and_is_asked_again(
    ask: Callable[..., object], response: CannedResponse, least: float
) -> None:
    answer, waits, received = ask(response, response, GOOD)

    assert answer.value == {"id": "ins_1"}
    assert len(received) == 3
    assert waits == [max(least, 1), max(least, 2)]


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        (
            [CannedResponse(status=401, body=b'{"errors": [{"message": "Invalid \\u001b[31mkey"}]}')],
            "Clerk answered 401 Unauthorized at /instance: Invalid [31mkey; secret_key is not one",
        ),
        (
            [CannedResponse(status=400, body=json.dumps({"errors": [{"message": SECRET_KEY}]}).encode())],
            "Clerk answered 400 Bad Request at /instance: ",
        ),
        ([CannedResponse(status=422, body=b"[]")], "Clerk answered 422 Unprocessable Entity at /instance"),
        (
            [CannedResponse(status=429, headers={"Retry-After": "9999"})],
            "Clerk asks at /instance to wait for 9999 s (429); try again after that",
        ),
        ([CannedResponse(body=b"<html>")] * 8, "Clerk's answer at /instance is not JSON, or was cut off"),
        ([CannedResponse(status=500)] * 8, "Clerk answered 500 Internal Server Error at /instance"),
    ],
)
def test_what_gives_nothing_is_one_sentence_without_the_key(
    ask: Callable[..., object], responses: list[CannedResponse], message: str
) -> None:
    with pytest.raises(ClerkError) as caught:
        ask(*responses)

    assert str(caught.value).startswith(message)
    assert SECRET_KEY not in repr(caught.value.__cause__) + str(caught.value)


def test_the_reason_of_a_rest_is_told() -> None:
    reasons: list[tuple[str, float]] = []
    with HttpReceiver([CannedResponse(status=429, headers={"Retry-After": "7"}), GOOD]) as server:
        access = BackendAccess(secret_key=SECRET_KEY, api_url=server.url)
        api = BackendApi(access, wait=lambda _: None, on_retry=lambda *why: reasons.append(why))
        api.get("/instance")
        api.close()

    assert reasons == [("Clerk answered 429 Too Many Requests at /instance", 7)]


@pytest.mark.parametrize("status", [404, 403])
def test_only_clerk_says_that_something_is_not_there(ask: Callable[..., object], status: int) -> None:
    words = b'{"errors": [{"message": "not found"}]}'
    with pytest.raises(ClerkError) as clerks:
        ask(CannedResponse(status=status, body=words))
    with pytest.raises(ClerkError) as others:
        ask(CannedResponse(status=status, body=b"<html>no such host</html>"), is_sought=True)

    assert (clerks.value.status, others.value.status) == (status, None)
    assert str(others.value).endswith(
        " at /users/1; not in Clerk's words: is api_url right, or does a proxy answer?"
    )


def test_what_clerk_says_to_be_gone_is_none(ask: Callable[..., object]) -> None:
    gone, _, _ = ask(
        CannedResponse(status=404, body=b'{"errors": [{"message": "not found"}]}'), is_sought=True
    )

    assert gone.value is None


def test_a_rest_until_a_date_is_reckoned_by_the_clock_of_the_answer(ask: Callable[..., object]) -> None:
    dates = {"Date": "Mon, 04 May 2026 12:00:00 GMT", "Retry-After": "Mon, 04 May 2026 12:05:00 GMT"}
    _, (wait,), _ = ask(CannedResponse(status=429, headers=dates), GOOD)

    assert 1 < wait <= 300


@pytest.mark.parametrize("zone", ["GMT", "-0000", ""])
def test_a_date_is_utc_whatever_this_machine_has(
    ask: Callable[..., object], zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        date = f"Mon, 04 May 2026 12:00:00 {zone}".strip()
        answer, _, _ = ask(CannedResponse(body=b"{}", headers={"Date": date}))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert answer.answered_at_ms == MONDAY_MS


@pytest.mark.parametrize(("key", "rate"), [("sk_live_x", 5.0), ("sk_test_x", 0.5), ("sk_x", 0.5)])
def test_a_twentieth_of_what_clerk_grants_is_asked_for(key: str, rate: float) -> None:
    assert requests_per_second(BackendAccess(secret_key=key, api_url="http://127.0.0.1:9")) == rate


def test_requests_are_paced() -> None:
    waits: list[float] = []
    with HttpReceiver([GOOD] * 3) as server:
        access = BackendAccess(secret_key=SECRET_KEY, api_url=server.url)
        api = BackendApi(access, wait=waits.append, rate=0.01)
        began = time.monotonic()
        for _ in range(3):
            api.get("/instance")
        took = time.monotonic() - began
        api.close()

    assert waits[0] == 0
    assert all(100 - took < wait <= 100 for wait in waits[1:])
    assert len(waits) == 3


def test_a_page_of_500_users_is_read_whole() -> None:
    page = json.dumps([{"id": f"user_{n}", "text": "x" * 12_000} for n in range(500)]).encode()
    with HttpReceiver([CannedResponse(body=page)]) as server:
        api = BackendApi(BackendAccess(secret_key=SECRET_KEY, api_url=server.url))
        users = api.get("/users").value
        api.close()

    assert len(users) == 500
