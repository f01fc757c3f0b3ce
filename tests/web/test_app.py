"""Paths, methods and bodies that anybody may send: an answer in words to each, never a 5xx."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from given import until
from given_web import KEY, PATH, World, payload, signed
from structlog.testing import capture_logs

from hub.config.values import OWN_API_PAGES, OWN_PAGES
from hub.errors import StoreUnavailable
from hub.health.access import UNTRUSTED_PROXY
from hub.store.open import open_store
from hub.web.app import CONTENT_SECURITY_POLICY
from hub.web.error_handlers import OutageLog


def test_a_genuine_event_is_answered_once_it_is_kept(world: World, client: FlaskClient) -> None:
    answer = world.send(client, payload(email_address="ada@example.com"))

    assert (answer["routes"], answer["deliveries"]) == (["waitlist"], 2)
    with world.store.read() as snapshot:
        assert snapshot.event_list.record(answer["event"]).message_id == "msg_1"


def test_no_source_stands_where_the_hub_has_pages(world: World) -> None:
    """What stays free below /api is the shipped source's: /api/webhooks, and whatever others are called."""
    parts = [(*rule.rule.strip("/").split("/"), "")[:2] for rule in world.app().url_map.iter_rules()]
    firsts = {first for first, _ in parts if first} - {"api", "<path:path>"}

    assert firsts - set(OWN_PAGES) == set()
    assert {second for first, second in parts if first == "api"} - set(OWN_API_PAGES) == set()


def test_flask_reads_no_setting_of_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")

    assert world.app().debug is False


def test_a_source_is_asked_without_session_hook_or_cookie(client: FlaskClient) -> None:
    body = payload()
    answer = client.post(PATH, data=body, headers={**signed(body), "Cookie": "hub_session=garbage"})

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "Content-Security-Policy" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_a_source_takes_post_only(client: FlaskClient, method: str) -> None:
    answer = client.open(PATH, method=method)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"


def test_a_path_that_a_new_configuration_names_is_a_source(world: World, client: FlaskClient) -> None:
    source = replace(world.config.sources["clerk"], path="/hooks/new")
    world.config = replace(world.config, sources={"clerk": source})

    body = payload()
    assert client.post("/hooks/new", data=body, headers=signed(body)).status_code == 200
    assert client.post(PATH, data=body, headers=signed(body)).status_code == 404


@pytest.mark.parametrize("path", ["/webhooks", "/api//webhooks", "/api/webhook", "//api", "/api/events/"])
def test_an_unknown_path_names_the_source_paths(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data=b"{}", base_url="http://localhost")

    if path == "/api/events/":
        assert answer.status_code == 405
    else:
        assert answer.status_code == 404
        assert answer.get_json()["error"] == "not_found"
        assert answer.get_json()["sources"] == [PATH]
        assert PATH in answer.get_json()["message"]


def test_a_browser_is_told_in_a_page(client: FlaskClient) -> None:
    answer = client.get("/nope", headers={"Accept": "text/html,*/*"})

    assert answer.status_code == 404
    assert answer.mimetype == "text/html"
    assert PATH in answer.text


def test_every_answer_but_a_sources_has_the_headers_of_a_safe_page(client: FlaskClient) -> None:
    for path in ("/healthz", "/login", "/nope", "/api/stats"):
        headers = client.get(path).headers

        assert headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cache-Control"] == "no-store"


HOSTILE = [
    {"HTTP_HOST": "a b"},
    {"HTTP_HOST": ""},
    {"HTTP_HOST": "x" * 5000},
    {"HTTP_HOST": "evil.example\u00ff"},
    {"HTTP_HOST": "[::1"},
    {"HTTP_HOST": "localhost:99999999"},
    {"PATH_INFO": "/%"},
    {"PATH_INFO": "/\x00\xff\xfe"},
    {"PATH_INFO": "/events/\x00"},
    {"PATH_INFO": "/api/deliveries/\xed\xa0\x80"},
    {"PATH_INFO": "/static/../app.py"},
    {"PATH_INFO": "/static/%2e%2e/app.py"},
    {"QUERY_STRING": "limit=%ff&before=%00"},
    {"QUERY_STRING": "&&&=&%zz"},
    {"QUERY_STRING": "type=" + "a" * 9000},
    {"CONTENT_LENGTH": "abc"},
    {"CONTENT_LENGTH": "-5"},
    {"CONTENT_LENGTH": "99999999999999999999"},
    {"CONTENT_TYPE": "multipart/form-data; boundary="},
    {"CONTENT_TYPE": "multipart/form-data"},
    {"HTTP_COOKIE": "hub_session=\xff\x00; ==;;;"},
    {"HTTP_COOKIE": "hub_session=" + "e30." * 1000},
    {"HTTP_AUTHORIZATION": "Bearer \xff\xfe"},
    {"HTTP_AUTHORIZATION": "Basic !!!"},
    {"HTTP_AUTHORIZATION": ""},
    {"HTTP_X_FORWARDED_FOR": "1.2.3.4, \xff, <script>"},
    {"HTTP_X_FORWARDED_HOST": "a b, c"},
    {"HTTP_X_FORWARDED_PROTO": "javascript"},
    {"HTTP_ACCEPT": "text/html;q=\xff"},
    {"HTTP_HX_REQUEST": "true"},
    {"REQUEST_METHOD": "\xff"},
    {"REQUEST_METHOD": "GET POST"},
]


@pytest.mark.parametrize("proxies", [0, 1])
@pytest.mark.parametrize(
    "path", [PATH, "/", "/login", "/login/x", "/api/stats", "/metrics", "/healthz", "/nope"]
)
def test_nothing_anybody_sends_gets_a_5xx(world: World, path: str, proxies: int) -> None:
    client = world.app(trusted_proxies=proxies).test_client()
    for hostile in HOSTILE:
        for method in ("GET", "POST"):
            changes = {"REQUEST_METHOD": method, "PATH_INFO": path, **hostile}
            answer = client.open(
                "/", environ_overrides=changes, data=b"\xff{[", headers={"Accept": "text/html"}
            )

            assert answer.status_code < 500, (hostile, method)


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_proxy_that_nobody_told_the_hub_of_is_told_once(world: World, proxies: int) -> None:
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    wait_for_tellers()  # those of other tests
    with capture_logs() as lines:
        for process in (world.app(trusted_proxies=proxies), world.app(trusted_proxies=proxies)):
            for _ in range(3):
                process.test_client().get("/healthz", headers=forwarded)
            until(lambda: proxies or is_proxy_known(world))
            wait_for_tellers()
    names = [line["event"] for line in lines]
    findings = world.app(trusted_proxies=proxies).test_client().get("/api/findings", headers=KEY).get_json()
    codes = [finding["code"] for finding in findings["items"]]

    assert names == ([] if proxies else ["proxy.not_trusted"])
    assert ("untrusted_proxy" in codes) is (proxies == 0)


def wait_for_tellers() -> None:
    for thread in threading.enumerate():
        if thread.name == "untrusted-proxy":
            thread.join()


def is_proxy_known(world: World) -> bool:
    with world.store.read() as snapshot:
        return snapshot.settings.get(UNTRUSTED_PROXY) is not None


def test_without_a_proxy_nothing_is_told_of_one(world: World, client: FlaskClient) -> None:
    client.get("/healthz")
    codes = [finding["code"] for finding in client.get("/api/findings", headers=KEY).get_json()["items"]]

    assert "untrusted_proxy" not in codes


@pytest.mark.parametrize(
    ("password", "host", "public_url", "is_short"),
    [
        ("a", "0.0.0.0", "", True),
        ("eleven-long", "::", "", True),
        ("twelve-longs", "0.0.0.0", "", False),
        ("a", "127.0.0.1", "", False),
        ("a", "::1", "http://localhost:8000", False),
        ("a", "127.0.0.1", "https://hub.example.com", True),
    ],
)
def test_a_short_password_that_others_can_try_is_a_finding(
    world: World, password: str, host: str, public_url: str, is_short: bool
) -> None:
    client = world.app(password=password, host=host, public_url=public_url).test_client()
    answer = client.get("/api/findings", headers={"Authorization": f"Bearer {password}"})
    findings = {finding["code"]: finding["severity"] for finding in answer.get_json()["items"]}

    assert findings.get("password") == ("watch" if is_short else None)


def test_a_page_takes_no_more_than_a_source_does(client: FlaskClient) -> None:
    answer = client.post("/login", data=b"x" * (1024 * 1024 + 1))

    assert answer.status_code == 413
    assert answer.get_json()["error"] == "payload_too_large"


def test_a_store_that_does_not_answer_is_a_log_line_in_ten_seconds_however_many_ask(world: World) -> None:
    world.store = open_store("sqlite:////nowhere/at/all/hub.db")
    client = world.app().test_client()
    with capture_logs() as lines:
        statuses = {client.get(path).status_code for path in ("/login", "/", "/login/x") for _ in range(10)}

    assert statuses == {503}
    assert [(line["event"], line["requests"]) for line in lines] == [("store.unavailable", 1)]


def test_what_was_not_logged_of_an_outage_is_counted_with_the_next() -> None:
    now = [0.0]
    outages = OutageLog(lambda: now[0])
    with capture_logs() as lines:
        for seconds in (0, 1, 2, 11):
            now[0] = seconds
            outages.tell(StoreUnavailable("it does not answer"))

    assert [line["requests"] for line in lines] == [1, 3]


def test_the_app_starts_and_answers_while_the_database_is_down(world: World) -> None:
    world.store = open_store("sqlite:////nowhere/at/all/hub.db")
    client = world.app().test_client()
    body = payload()

    assert client.get("/healthz").status_code == 200
    for answer in (
        client.post(PATH, data=body, headers=signed(body)),
        client.get("/api/stats", headers=KEY),
        client.get("/metrics", headers=KEY),
        client.get("/login", headers={"Accept": "text/html"}),
        client.get("/", headers={"Accept": "text/html"}),
    ):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "nowhere" not in answer.text
