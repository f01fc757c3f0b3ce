"""The hub below a path of HUB_PUBLIC_URL, behind a proxy that takes the path off or leaves it on."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from given_web import KEY, PASSWORD, PATH, World, payload, signed
from test_access import PAGE
from werkzeug.test import Client

PUBLIC = "https://example.com/tools/hub"


def proxied(app: Flask, is_taken_off: bool) -> Callable[..., Any]:
    """The hub behind a proxy that knows it at a path, and takes that off or leaves it on."""

    def proxy(environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        assert path.startswith("/tools/hub"), f"{path} leads out of the hub"
        if is_taken_off:
            environ["PATH_INFO"] = path.removeprefix("/tools/hub") or "/"
        return app(environ, start_response)

    return proxy


@pytest.fixture(params=[True, False], ids=["taken off", "left on"])
def browser(request: pytest.FixtureRequest, world: World) -> Client:
    return Client(proxied(world.app(public_url=PUBLIC), request.param))


def sign_in(browser: Client, path: str) -> str:
    """Ask for a page, sign in at the form that it leads to, and return where that leads."""
    form_at = browser.get(path).headers["Location"]
    form = browser.get(form_at).text
    values = dict(re.findall(r'name="(csrf_token|next)" value="([^"]+)"', form))
    action = re.search(r'action="([^"]+)"', form)
    assert action
    return browser.post(action[1], data={"password": PASSWORD, **values}).headers["Location"]


def test_signing_in_leads_to_the_page_that_was_asked_for(browser: Client) -> None:
    target = sign_in(browser, "/tools/hub/events?type=user.created")

    assert target == "/tools/hub/events?type=user.created"
    assert browser.get(target).status_code == 200


@pytest.mark.parametrize("path", ["/tools/hub", "/tools/hub/", "/tools/hub/events", "/tools/hub/nope"])
def test_no_link_form_or_file_of_a_page_leads_out_of_the_path(browser: Client, path: str) -> None:
    sign_in(browser, "/tools/hub/")
    text = browser.get(path, headers=PAGE, follow_redirects=True).text
    links = re.findall(r'(?:href|src|action|hx-get)="(/[^"]*)"', text)

    assert len(links) > 5
    assert [link for link in links if not link.startswith("/tools/hub/")] == []
    for link in links:
        if "/static/" in link:
            assert browser.get(link).status_code == 200


def test_the_cookie_is_for_the_path_alone(browser: Client) -> None:
    cookie = browser.get("/tools/hub/login").headers["Set-Cookie"]

    assert "Path=/tools/hub;" in cookie


def test_a_login_never_leads_out_of_the_path(browser: Client) -> None:
    token = re.search(r'csrf_token" value="([^"]+)"', browser.get("/tools/hub/login").text)
    assert token
    data = {"password": PASSWORD, "csrf_token": token[1], "next": "/other"}

    assert browser.post("/tools/hub/login", data=data).headers["Location"] == "/tools/hub/"


def test_a_live_page_whose_session_ended_goes_to_the_login_there(browser: Client) -> None:
    answer = browser.get("/tools/hub/", headers={"HX-Request": "true"})

    assert answer.headers["HX-Redirect"] == "/tools/hub/login"


def test_webhooks_api_and_health_are_there_with_and_without_the_path(world: World) -> None:
    client = world.app(public_url=PUBLIC).test_client()
    for number, prefix in enumerate(("", "/tools/hub")):
        body = payload()
        posted = client.post(prefix + PATH, data=body, headers=signed(body, f"msg_{number}"))

        assert posted.status_code == 200
        assert client.get(f"{prefix}/api/stats", headers=KEY).status_code == 200
        assert client.get(f"{prefix}/healthz").status_code == 200
    assert client.get("/tools/hubbub", headers=PAGE).status_code == 404


def test_the_address_to_paste_has_the_path(world: World) -> None:
    browser = Client(proxied(world.app(public_url=PUBLIC), is_taken_off=True))
    sign_in(browser, "/tools/hub/")

    assert f"{PUBLIC}{PATH}" in browser.get("/tools/hub/").text


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "X-Script-Name", "X-Forwarded-Prefix"])
def test_no_header_moves_the_hub(world: World, name: str) -> None:
    client = world.app(trusted_proxies=1).test_client()
    answer = client.get("/", headers={name: "/evil"})

    assert answer.headers["Location"] == "/login"
