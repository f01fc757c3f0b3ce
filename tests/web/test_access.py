"""The ways in, and their ends: the password, the one-time link, the key."""

from __future__ import annotations

import re
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from given_web import KEY, PASSWORD, World
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from hub.web import new_link
from hub.web.links import take_link
from hub.web.sessions import LONGEST_LIFETIME

PAGE = {"Accept": "text/html"}


def form_token(client: FlaskClient, path: str = "/login") -> str:
    matched = re.search(r'name="csrf_token" value="([^"]+)"', client.get(path, headers=PAGE).text)
    assert matched
    return matched[1]


def sign_in(client: FlaskClient, password: str = PASSWORD, **form: str) -> TestResponse:
    data = {"password": password, "csrf_token": form_token(client), **form}
    return client.post("/login", data=data, headers=PAGE)


def is_in(client: FlaskClient) -> bool:
    return client.get("/").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/events",
        "/events/evt_00",
        "/events/acts",
        "/deliveries",
        "/deliveries/dlv_00",
        "/deliveries/acts",
        "/destinations",
        "/routes",
    ],
)
def test_every_page_leads_to_the_login(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/login")


def test_the_password_opens_the_page_that_was_asked_for(client: FlaskClient) -> None:
    asked = client.get("/events?type=user.created").headers["Location"]
    answer = sign_in(client, next="/events?type=user.created")

    assert asked == "/login?next=/events?type%3Duser.created"
    assert answer.headers["Location"] == "/events?type=user.created"
    assert is_in(client)


@pytest.mark.parametrize(
    "target", ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil", ""]
)
def test_a_login_never_leads_elsewhere(client: FlaskClient, target: str) -> None:
    assert sign_in(client, next=target).headers["Location"] == "/"


def test_a_wrong_password_is_told_and_opens_nothing(client: FlaskClient) -> None:
    answer = sign_in(client, "wrong")

    assert answer.status_code == 401
    assert "That is not the password" in answer.text
    assert not is_in(client)


def test_a_login_without_its_forms_token_is_refused(client: FlaskClient) -> None:
    answer = client.post("/login", data={"password": PASSWORD}, headers=PAGE)

    assert answer.status_code == 400
    assert "out of date" in answer.text
    assert not is_in(client)


WRONG = {"Authorization": "Bearer no"}


def test_wrong_passwords_are_told_to_wait_from_the_eleventh_in_a_minute(client: FlaskClient) -> None:
    token = form_token(client)
    wrong = {"password": "no", "csrf_token": token}
    statuses = [client.post("/login", data=wrong).status_code for _ in range(11)]
    answer = client.post("/login", data=wrong, headers=PAGE)

    assert statuses == [401] * 10 + [429]
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert "wait a minute" in answer.text


def test_a_right_password_or_key_is_never_refused_for_wrong_ones(client: FlaskClient) -> None:
    wrong = [client.get("/api/stats", headers=WRONG).status_code for _ in range(15)]

    assert wrong == [401] * 10 + [429] * 5
    assert client.get("/api/stats", headers=KEY).status_code == 200
    assert sign_in(client).status_code == 303
    assert is_in(client)


def test_wrong_keys_are_counted_for_all_processes_and_for_each_address(world: World) -> None:
    first, second = world.app().test_client(), world.app().test_client()
    wrong = [client.get("/api/stats", headers=WRONG).status_code for client in [first, second] * 6]
    other = second.get("/api/stats", headers=WRONG, environ_base={"REMOTE_ADDR": "192.0.2.9"})

    assert wrong == [401] * 10 + [429] * 2
    assert other.status_code == 401


def test_links_that_open_nothing_are_limited_like_wrong_passwords(client: FlaskClient) -> None:
    statuses = [client.get(f"/login/guess-{number}").status_code for number in range(11)]

    assert statuses == [410] * 10 + [429]


def test_nothing_is_written_for_a_link_that_is_none(read_only_world: World) -> None:
    assert not take_link(read_only_world.store, "guess")


def test_the_password_opens_a_hub_whose_database_takes_no_writes(read_only_world: World) -> None:
    client = read_only_world.app().test_client()
    with capture_logs() as lines:
        answer = sign_in(client)
    acts = [line for line in lines if line["event"] == "operator.acted"]

    assert answer.status_code == 303
    assert is_in(client)
    assert [(line["act"], "error" in line) for line in acts] == [("sign-in", True)]
    assert client.get("/api/stats", headers=WRONG).status_code == 401


@pytest.mark.parametrize(
    "header", ["", PASSWORD, f"Basic {PASSWORD}", "Bearer", "Bearer ", "Bearer wrong", f"Bearer {PASSWORD}x"]
)
def test_nothing_but_the_password_is_the_key(client: FlaskClient, header: str) -> None:
    answer = client.get("/api/stats", headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.get_json()["error"] == "unauthorized"


def test_without_a_password_no_key_opens_the_api(world: World) -> None:
    client = world.app(password=None).test_client()
    for header in ("Bearer ", "Bearer None", f"Bearer {PASSWORD}"):
        assert client.get("/api/stats", headers={"Authorization": header}).status_code == 401


def test_a_session_reads_the_api_and_acts_with_the_forms_token(client: FlaskClient) -> None:
    sign_in(client)
    token = form_token(client, "/")

    assert client.get("/api/stats").status_code == 200
    assert client.post("/api/destinations/crm/pause").status_code == 400
    assert client.post("/api/destinations/crm/pause", headers={"X-CSRFToken": token}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/events/acts",
        "/deliveries/acts",
        "/deliveries/dlv_00/retry",
        "/destinations/crm/pause",
        "/destinations/crm/resume",
        "/destinations/crm/test",
        "/logout",
    ],
)
def test_no_button_works_without_its_forms_token(client: FlaskClient, path: str) -> None:
    sign_in(client)

    assert client.post(path).status_code == 400
    assert is_in(client)


def test_a_link_signs_in_once_in_any_process(world: World) -> None:
    link = new_link(world.store)
    first, second = (world.app(password=None).test_client() for _ in range(2))

    assert re.fullmatch(r"/login/[\w-]{43}", link)
    assert first.head(link).status_code == 410
    assert first.get(link).headers["Location"] == "/"
    assert is_in(first)
    assert first.get(link).status_code == 303
    assert second.get(link).status_code == 410
    assert not is_in(second)


def test_a_session_is_good_in_every_process(world: World) -> None:
    first, second = world.app().test_client(), world.app().test_client()
    sign_in(first)
    cookie = first.get_cookie("hub_session")
    assert cookie is not None
    second.set_cookie("hub_session", cookie.value)

    assert is_in(second)


def test_a_link_is_given_to_one_of_many_who_come_at_once(world: World) -> None:
    token = new_link(world.store).rpartition("/")[2]
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.append(take_link(world.store, token))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == [False] * 7 + [True]


def test_a_link_ends_with_its_lifetime(world: World) -> None:
    link = new_link(world.store, lifetime=timedelta(0))

    assert not take_link(world.store, link.rpartition("/")[2])


def test_the_store_holds_no_token(world: World) -> None:
    token = new_link(world.store).rpartition("/")[2]
    path = world.store.url.removeprefix("sqlite:///")

    for name in (path, f"{path}-wal"):
        with open(name, "rb") as file:  # noqa: PTH123
            assert token.encode() not in file.read()


def test_without_a_password_the_login_names_the_link(world: World) -> None:
    text = world.app(password=None).test_client().get("/login", headers=PAGE).text

    assert "one-time link" in text
    assert "<form" not in text


def test_signing_out_ends_the_session(client: FlaskClient) -> None:
    sign_in(client)
    client.post("/logout", data={"csrf_token": form_token(client, "/")})

    assert not is_in(client)


def test_a_session_that_was_signed_out_is_over_in_every_process(world: World) -> None:
    client, other = world.app().test_client(), world.app().test_client()
    sign_in(client)
    cookie = client.get_cookie("hub_session")
    assert cookie is not None
    other.set_cookie("hub_session", cookie.value)
    was_in = is_in(other)
    client.post("/logout", data={"csrf_token": form_token(client, "/")})
    other.set_cookie("hub_session", cookie.value)

    assert was_in
    assert not is_in(other)
    assert other.get("/api/stats").status_code == 401


def test_another_session_goes_on_when_one_is_signed_out(world: World) -> None:
    one, other = world.app().test_client(), world.app().test_client()
    sign_in(one)
    sign_in(other)
    one.post("/logout", data={"csrf_token": form_token(one, "/")})

    assert is_in(other)


def test_a_page_that_only_refreshes_itself_does_not_keep_its_session_alive(client: FlaskClient) -> None:
    sign_in(client)
    looked, refreshed = client.get("/"), client.get("/", headers={"HX-Request": "true"})

    assert refreshed.status_code == 200
    assert "hub_session=" in "".join(looked.headers.getlist("Set-Cookie"))
    assert "Set-Cookie" not in refreshed.headers


def test_a_new_password_ends_every_session(world: World) -> None:
    client = world.app().test_client()
    sign_in(client)
    other = world.app(password="another").test_client()
    cookie = client.get_cookie("hub_session")
    assert cookie is not None
    other.set_cookie("hub_session", cookie.value)

    assert not is_in(other)


def test_a_session_ends_after_a_week(client: FlaskClient) -> None:
    sign_in(client)
    with client.session_transaction() as session:
        session["since"] = int(time.time() - LONGEST_LIFETIME.total_seconds() - 1)

    assert not is_in(client)


def cookie_of(answer: TestResponse) -> str:
    return next(
        cookie for cookie in answer.headers.getlist("Set-Cookie") if cookie.startswith("hub_session=")
    )


@pytest.mark.parametrize(
    ("proxies", "headers", "secure"),
    [
        (0, {}, False),
        (0, {"X-Forwarded-Proto": "https"}, False),
        (1, {"X-Forwarded-Proto": "https"}, True),
        (1, {"X-Forwarded-Proto": "http"}, False),
    ],
)
def test_the_cookie_is_secure_where_a_trusted_proxy_says_https(
    world: World, proxies: int, headers: dict[str, Any], secure: bool
) -> None:
    answer = world.app(trusted_proxies=proxies).test_client().get("/login", headers=headers)
    cookie = cookie_of(answer)

    assert ("Secure" in cookie) is secure
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


@pytest.mark.parametrize(
    ("proxies", "headers", "only_https"),
    [
        (1, {"X-Forwarded-Proto": "https"}, "max-age=31536000"),
        (1, {"X-Forwarded-Proto": "http"}, None),
        (0, {"X-Forwarded-Proto": "https"}, None),
    ],
)
def test_a_browser_that_came_by_https_is_to_come_by_nothing_else(
    world: World, proxies: int, headers: dict[str, Any], only_https: str | None
) -> None:
    client = world.app(trusted_proxies=proxies).test_client()
    for path in ("/login", "/healthz", "/nope"):
        answer = client.get(path, headers=headers)

        assert answer.headers.get("Strict-Transport-Security") == only_https


def test_a_live_page_whose_session_ended_goes_to_the_login(client: FlaskClient) -> None:
    answer = client.get("/", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/login")
