"""The page of the routes: which of them take an event, and what is wrong with the files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import given
import pytest
from flask.testing import FlaskClient
from given_web import SECRET, World, destination, payload
from sqlalchemy import update
from test_access import sign_in

from hub.catalog.redaction import Redaction
from hub.config.files import Files
from hub.model.problem import Problem, Severity
from hub.model.routing import Route, Send
from hub.store.tables import events
from hub.web.problem_lines import shown_problems
from hub.web.routes_page import chosen, of_type

ROUTES = (
    given.route("all-users", ("user.*",), "crm"),
    given.route("vip", ("user.created",), "log", when=("data.vip",)),
    given.route("off", ("user.created",), "log", enabled=False),
    given.route("last", ("user.created",), "log", stop=True),
    given.route("never", ("user.created",), "log"),
    given.route("waitlist", ("waitlistEntry.created",), "log"),
)
RULES = given.rules(*ROUTES, destinations=(given.destination(), given.destination("crm")))


def names(asked: str) -> list[str]:
    return [line.name for line in chosen(asked, "", None, RULES).lines]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", [route.name for route in ROUTES]),
        ("WAIT", ["waitlist"]),
        ("VIP", ["vip"]),
        ("crm", ["all-users"]),
        ("user.*", ["all-users", "vip", "off", "last", "never"]),
        ("user.deleted", ["all-users"]),
        ("user.nothing", ["all-users"]),
        ("nobody", []),
    ],
)
def test_routes_are_found_by_name_type_event_condition_and_destination(
    asked: str, expected: list[str]
) -> None:
    assert names(asked) == expected


def test_a_type_has_a_verdict_of_every_route_that_is_for_it() -> None:
    assert [(line.name, line.sign, line.words) for line in of_type("user.created", RULES.config)] == [
        ("all-users", "taken", "takes every one"),
        ("vip", "open", "takes those for which its condition holds"),
        ("off", "not", "is switched off"),
        ("last", "taken", "takes every one"),
        ("never", "not", "is not reached: last stops"),
    ]


@pytest.mark.parametrize("vip", [True, False])
def test_an_event_has_the_verdicts_of_today(vip: bool) -> None:
    event = given.event("user.created", data={"vip": vip})
    lines = chosen("evt_1", "", event, RULES).lines
    own = ("taken", "takes it") if vip else ("not", "does not take it: data.vip: it is False")

    assert [(line.name, line.sign, line.words) for line in lines] == [
        ("all-users", "taken", "takes it"),
        ("vip", *own),
        ("last", "taken", "takes it"),
        ("never", "not", "is not reached: last stops"),
    ]


# -- lines of source --------------------------------------------------------------------------------------

FILE = """version: 1
destinations:
  crm:
    url: https://crm.example.com/T0SECRETPATH   # not-a-comment-to-show
    url2: ${CRM_URL}
    headers: {Authorization: Bearer abcdefghijkl}
    sign_with: "s3,cre t[x"
  - whsec_abcdefghijklmn
routes:
  - name: waitlist
    send: growht-of-many
"""


def lines_at(line: int, file: str = "config/routes.yaml") -> list[tuple[int, str]]:
    files = Files(
        path=Path("config/routes.yaml"),
        templates_folder=Path("templates"),
        content=FILE.encode(),
        templates={"slack/a.j2": b"first\nsecond mysecret"},
    )
    problem = Problem(
        file=file, line=line, column=1, severity=Severity.ERROR, code="unknown-key", message="x"
    )
    (shown,) = shown_problems([problem], files, Redaction(named={"mysecret": "${MINE}"}))
    return [(one.number, one.text) for one in shown.lines]


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (1, [(1, "version: 1"), (2, "destinations:")]),
        (4, [(3, "  crm:"), (4, "    url: …")]),
        (5, [(4, "    url: …"), (5, "    url2: ${CRM_URL}")]),
        (7, [(6, "    headers: …"), (7, "    sign_with: …")]),
        (8, [(7, "    sign_with: …"), (8, "  - …")]),
        (11, [(10, "  - name: waitlist"), (11, "    send: growht-of-many")]),
        (99, []),
    ],
)
def test_a_problem_has_two_lines_of_source_without_what_may_be_secret(line: int, lines: Any) -> None:
    assert lines_at(line) == lines


def test_a_problem_of_a_template_has_its_lines() -> None:
    assert lines_at(2, "templates/slack/a.j2") == [(1, "first"), (2, "second ${MINE}")]


# -- the page ---------------------------------------------------------------------------------------------


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def test_a_route_shows_what_it_sends_without_secrets(world: World, signed_in: FlaskClient) -> None:
    picky = Send(to="log", fields={"text": f"{{{{ data.id }}}} {SECRET}"}, when=("data.vip",))
    world.config = replace(
        world.config, routes=(*world.config.routes, Route(name="vip", events=("user.*",), sends=(picky,)))
    )
    page = signed_in.get("/routes?route=waitlist").text

    assert "the event itself, byte for byte" in page
    assert "{{ data.email_address }} waits" in page
    assert "data.vip" in signed_in.get("/routes?route=vip").text
    assert "There is no route of that name." in signed_in.get("/routes?route=none").text


def test_the_page_counts_leads_on_and_says_what_no_route_takes(world: World, signed_in: FlaskClient) -> None:
    sent = world.send(signed_in, payload(email_address="ada@example.com"))
    page, of_event = signed_in.get("/routes").text, signed_in.get(f"/routes?q={sent['event']}").text
    of_none = signed_in.get("/routes?q=session.created").text

    assert '<a href="/events?route=waitlist&amp;since=24h">1</a>' in page
    assert 'data-copy="address-clerk"' in page
    assert "CLERK_WEBHOOK_SIGNING_SECRET is set" in page
    assert "1 route is for waitlistEntry.created, by today&#39;s rules" in of_event
    assert "takes it" in of_event
    assert "clerk ignores such events" in of_none
    assert "is kept, and nothing is sent" in of_none


def test_an_event_that_is_not_there_or_was_pruned_is_told(world: World, signed_in: FlaskClient) -> None:
    sent = world.send(signed_in, payload())
    world.store.write(
        lambda transaction: transaction.session.connection.execute(update(events).values(payload=None))
    )

    assert "was pruned, so conditions" in signed_in.get(f"/routes?q={sent['event']}").text
    assert "There is no event of that id" in signed_in.get("/routes?q=evt_01").text


def test_every_row_leads_to_its_deliveries_also_before_there_is_one(
    world: World, signed_in: FlaskClient
) -> None:
    to_log = (Send(to="log"),)
    world.config = replace(world.config, unmatched=to_log, problems=to_log)
    for name in ("waitlist", "unmatched", "problems"):
        assert f'href="/deliveries?route={name}"' in signed_in.get(f"/routes?route={name}").text
        assert signed_in.get(f"/deliveries?route={name}").status_code == 200


def test_a_route_to_a_mirror_sends_the_row_of_its_object(world: World, signed_in: FlaskClient) -> None:
    mirror = destination("app-db", None, "database")
    route = Route(name="mirror", events=("user.*",), sends=(Send(to="app-db"),))
    world.config = replace(world.config, destinations={"app-db": mirror}, routes=(route,))

    assert "the row of its object" in signed_in.get("/routes?route=mirror").text
