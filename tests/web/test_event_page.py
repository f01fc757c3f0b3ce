"""An event's page: why it did, or did not, reach somebody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import given
import pytest
from flask.testing import FlaskClient
from given_web import World, payload
from sqlalchemy import update
from test_access import sign_in

from hub.model.routing import Route, Send
from hub.store.tables import events
from hub.web.event_page import beside_headline


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def test_every_attempt_is_a_mark_that_leads_to_it(world: World, signed_in: FlaskClient) -> None:
    sent = world.send(signed_in, payload(email_address="ada@example.com"))
    tried = given.fail(world.store, "crm", "answered 503 Service Unavailable").id
    page = signed_in.get(f"/events/{sent['event']}").text

    assert f'<a href="/deliveries/{tried}#attempt-1" aria-label="try 1 after' in page
    assert "503 Service Unavailable</title>" in page
    assert 'class="mark failed"' in page
    assert 'class="mark next"' in page
    assert 'id="attempt-1"' in signed_in.get(f"/deliveries/{tried}").text


def test_a_page_tells_the_routes_that_took_it_from_those_that_did_not(
    world: World, signed_in: FlaskClient
) -> None:
    picky = Send(to="log", when=("data.vip",))
    world.config = replace(
        world.config,
        version="2",
        routes=(*world.config.routes, Route(name="vip", events=("waitlistEntry.*",), sends=(picky,))),
    )
    sent = world.send(signed_in, payload(email_address="ada@example.com"))
    page = signed_in.get(f"/events/{sent['event']}").text

    assert page.index("waitlist</a></div>") < page.index("1 other is not for waitlistEntry.created")
    assert '<p class="hint">invited</p>' in page
    assert "<code>log: data.vip</code>" in page


def test_an_event_that_no_route_is_for_says_so(signed_in: FlaskClient, world: World) -> None:
    sent = world.send(signed_in, payload("user.created"))
    page = signed_in.get(f"/events/{sent['event']}").text

    assert "2 routes are not for user.created" in page
    assert "Nothing is owed for this event: no route took it." in page
    assert 'class="line' not in page


def test_routes_of_another_day_are_not_said_to_have_decided(world: World, signed_in: FlaskClient) -> None:
    sent = world.send(signed_in, payload(email_address="ada@example.com"))
    older = update(events).values(version="older")
    world.store.write(lambda transaction: transaction.session.connection.execute(older) and None)

    assert "1 other route of today had no say" in signed_in.get(f"/events/{sent['event']}").text


@pytest.mark.parametrize(
    ("about", "headline", "words"),
    [
        ("Ada Lovelace, ada@example.com", "Ada Lovelace signed up", "ada@example.com"),
        ("Ada Lovelace", "Ada Lovelace signed up", ""),
        ("Ada Lovelace, ada@example.com", "Payment failed", "Ada Lovelace, ada@example.com"),
        ("", "user.created", ""),
    ],
)
def test_what_the_headline_says_is_not_said_again(about: str, headline: str, words: str) -> None:
    assert words == beside_headline(about, headline)


def test_attempts_of_several_deliveries_are_read_at_once(world: World, signed_in: FlaskClient) -> None:
    sent: dict[str, Any] = world.send(signed_in, payload(email_address="ada@example.com"))
    crm, log = (given.fail(world.store, name, "no").id for name in ("crm", "log"))
    with world.store.read() as snapshot:
        attempts = snapshot.attempts.of([crm, log, "dlv_0"])

    assert sent["deliveries"] == 2
    assert {key: [one.number for one in tried] for key, tried in attempts.items()} == {crm: [1], log: [1]}


def test_a_route_that_was_not_asked_says_what_kept_it_from_the_event(
    world: World, signed_in: FlaskClient
) -> None:
    waitlist, invited = world.config.routes
    behind = given.route("behind", ("waitlistEntry.*",), "log")
    off = given.route("off", ("*",), "log", enabled=False)
    elsewhere = given.route("elsewhere", ("*",), "log", sources=("other",))
    routes = (replace(waitlist, stop=True), invited, behind, off, elsewhere)
    world.config = replace(world.config, version="2", routes=routes)
    sent = world.send(signed_in, payload(email_address="ada@example.com"))
    page = signed_in.get(f"/events/{sent['event']}").text

    assert '<p class="missed">is not reached: waitlist stops</p>' in page
    assert '<p class="missed">is switched off</p>' in page
    assert "2 others are not for waitlistEntry.created from clerk" in page
    assert '<p class="hint">invited, elsewhere</p>' in page
