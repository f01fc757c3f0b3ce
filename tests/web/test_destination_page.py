"""A destination's page: all that is wrong with this one, in one place."""

from __future__ import annotations

import re
from collections.abc import Callable

import given
import pytest
from flask.testing import FlaskClient
from given_web import CRM_URL, World, destination, payload
from sqlalchemy import insert
from test_access import form_token, sign_in

from hub.destinations.http.options import HttpOptions
from hub.model.destination import OnUnknown, RateLimit
from hub.model.routing import Route, Send
from hub.model.stats import Day
from hub.store.tables import destinations
from hub.web.destination_page import bars_of, day_in_words, routes_to, settings_of, strip_of


def day(sent: int = 0, failed: int = 0, unknown: int = 0, at: int = 47) -> Day:
    """A day of which one half hour had something."""
    parts = [tuple(count if place == at else 0 for place in range(48)) for count in (sent, failed, unknown)]
    return Day(sent=parts[0], failed=parts[1], unknown=parts[2])


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, "0 sent"),
        ({"sent": 1200, "failed": 1}, "1,200 sent, 1 failed attempt"),
        (
            {"sent": 3, "failed": 61, "unknown": 2},
            "3 sent, 61 failed attempts, 2 attempts that may have arrived",
        ),
    ],
)
def test_a_day_is_told_in_numbers(parts: dict[str, int], words: str) -> None:
    assert words == day_in_words(day(**parts))


def test_a_strip_shows_few_beside_many_and_stacks_what_failed() -> None:
    parts = {"sent": tuple([0] * 46 + [100, 25]), "failed": tuple([0] * 47 + [0]), "unknown": (0,) * 48}
    bars = bars_of(Day(**parts))
    mixed = bars_of(day(sent=2, failed=1, unknown=1))[-1]

    assert [bar.sent for bar in bars][-3:] == [0, 20, 10]
    assert [bar.x for bar in bars] == list(range(0, 192, 4))
    assert (mixed.sent, mixed.failed, mixed.unknown) == (10, 5, 5)
    assert bars_of(Day(**{**parts, "sent": tuple([10_000] + [0] * 46 + [1])}))[-1].sent == 2


def test_a_strip_is_drawn_from_the_ground_up() -> None:
    strip = strip_of(day(sent=2, failed=1, unknown=1))

    assert strip.sent == "M188 20v-10h3v10z"
    assert strip.failed == "M188 10v-5h3v5z"
    assert strip.unknown == "M188 5v-5h3v5z"
    assert strip.words == "2 sent, 1 failed attempt, 1 attempt that may have arrived"


def test_an_empty_day_has_no_bars() -> None:
    assert {(bar.sent, bar.failed, bar.unknown) for bar in bars_of(day())} == {(0, 0, 0)}


def test_settings_hold_no_secret_and_name_the_variables() -> None:
    config = destination(
        "crm",
        HttpOptions(url=CRM_URL),
        written={
            "url": "https://x.example/SECRET/${CRM_PATH:-y}",
            "method": "PUT",
            "headers": {"X-Key": "${CRM_KEY}", "X-Plain": "secret"},
            "sign_with": ["${CRM_KEY}", "whsec_written_out"],
        },
        rate_limit=RateLimit(count=50, seconds=1),
        on_unknown=OnUnknown.HOLD,
    )
    settings = dict(settings_of(config))

    assert settings == {
        "Type": "http",
        "Sends to": "crm.example.com:8443",
        "At once": "4",
        "At most": "50/s",
        "Time to answer": "10 s",
        "Tries again after": "5 s, 5 min",
        "Gives up after": "3 d",
        "Without an answer": "somebody has to say",
        "url": "${CRM_PATH}",
        "method": "PUT",
        "headers": "X-Key, X-Plain",
        "sign_with": "${CRM_KEY}, ••••••",
    }
    assert settings_of(None) == []


def test_settings_are_known_by_the_keys_that_users_write() -> None:
    config = destination("mail", None, "email", written={"from": "Hub <hub@${DOMAIN}>", "api_key": "secret"})

    assert settings_of(config)[-2:] == [("from", "Hub <hub@${DOMAIN}>"), ("api_key", "••••••")]


def test_routes_are_those_that_send_to_it() -> None:
    routes = (
        Route(name="a", events=("*",), sends=(Send(to="x"), Send(to="crm"))),
        given.route("b", ("*",), "x"),
    )

    assert routes_to("crm", given.config(*routes)) == ["a"]


@pytest.fixture
def read(world: World, client: FlaskClient) -> Callable[[str], str]:
    sign_in(client)
    return lambda name: client.get(f"/destinations/{name}", headers={"Accept": "text/html"}).text


def test_a_page_leads_to_what_failed_and_to_what_waits(
    world: World, client: FlaskClient, read: Callable[[str], str]
) -> None:
    world.send(client, payload())
    claim = given.fail(world.store, "crm", "answered 503 Service Unavailable <b>", status=503)
    page = read("crm")

    assert "24 h: 0 sent, 1 failed attempt · median 100 ms" in page
    assert "503 Service Unavailable &lt;b&gt;" in page
    assert f'href="/deliveries/{claim.id}">Show one</a>' in page
    assert 'href="/deliveries?state=pending&amp;destination=crm">1</a>' in page
    assert "T0SECRET" not in page


def test_a_cause_leads_to_the_list_that_its_messages_are_in(
    world: World, client: FlaskClient, read: Callable[[str], str]
) -> None:
    failures = ("answered 422 Unprocessable Entity", True), ("answered 503 Service Unavailable", False)
    for number, (reason, is_last) in enumerate(failures * 2):
        world.send(client, payload(), f"msg_{number}")
        given.fail(world.store, "crm", reason, is_last=is_last)
    rows = read("crm").partition("What failed, last 24 h")[2].partition("</table>")[0]

    leads = re.findall(r"state failed.>(\d+).*?state=(\w+).>(\w+) .</a>", rows, re.DOTALL)
    assert sorted(leads) == [("422", "dead", "Dead"), ("503", "pending", "Waiting")]


def test_one_that_is_well_says_so(read: Callable[[str], str]) -> None:
    page = read("log")

    assert "Nothing is wrong here." in page
    assert "No attempt failed." in page


def test_one_that_is_not_configured_says_what_to_set(read: Callable[[str], str]) -> None:
    assert "SLACK_WEBHOOK_URL" in read("growth")


def test_one_that_is_gone_is_still_shown_and_one_that_never_was_is_not(
    world: World, read: Callable[[str], str]
) -> None:
    row = insert(destinations).values(name="older")
    world.store.write(lambda transaction: transaction.session.connection.execute(row) and None)

    assert "It is no longer in <code>routes.yaml</code>." in read("older")
    assert "There is no destination &#34;crn&#34;; did you mean &#34;crm&#34;?" in read("crn")


def test_a_pause_leads_back_to_the_page_that_it_was_pressed_on(
    client: FlaskClient, read: Callable[[str], str]
) -> None:
    assert "Nothing is wrong" in read("log")
    token = {"csrf_token": form_token(client, "/")}
    alone = client.post("/destinations/log/pause", data={**token, "back": "/destinations/log"})
    among = client.post("/destinations/log/resume", data=token)

    assert (alone.location, among.location) == ("/destinations/log", "/destinations")


def test_tables_lead_to_each_destination(
    world: World, client: FlaskClient, read: Callable[[str], str]
) -> None:
    assert "crm" in read("crm")
    world.send(client, payload())
    for path in ("/", "/destinations"):
        page = client.get(path).text

        assert '<a href="/destinations/crm"><span class="about">crm</span></a>' in page
        assert page.count('aria-label="Last 24 h: 0 sent"') == 3


def test_a_destination_that_is_paused_can_be_resumed_there(world: World, read: Callable[[str], str]) -> None:
    world.store.write(lambda transaction: transaction.destinations.pause("crm", "invalid_auth"))
    page = read("crm")

    assert "invalid_auth" in page
    assert ">Resume</button>" in page
    assert ">Pause</button>" not in page
