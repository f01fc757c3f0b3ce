"""Pages of what is odd, and the ways from them: what was not kept, what is over, who did what."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from given_web import World, payload
from sqlalchemy import update
from test_access import form_token, sign_in

from hub import operator
from hub.model.audit import Actor, By
from hub.model.delivery import State
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.tables import audit, deliveries
from hub.web.event_words import became

AT = "2026-06-12 22:30:05"
BY_SOMEBODY = Actor(by=By.SESSION, address="203.0.113.9")


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def owed_to_log(world: World, client: FlaskClient, state: str = "pending", **values: Any) -> DeliveryRecord:
    """Return a delivery to `log` with values that its row is given."""
    world.send(client, payload(email_address="ada@example.com"))
    change = update(deliveries).where(deliveries.c.destination == "log").values(state=state, **values)
    world.store.write(lambda transaction: transaction.session.connection.execute(change) and None)
    with world.store.read() as snapshot:
        return next(one for one in snapshot.delivery_list.records() if one.destination == "log")


def test_a_retry_leads_back_with_the_list_that_led_to_its_delivery(
    world: World, signed_in: FlaskClient
) -> None:
    path = f"/deliveries/{owed_to_log(world, signed_in).id}"
    page = signed_in.get(f"{path}?from=destination%3Dlog").text
    form = page[page.index(f'action="{path}/retry"') :].partition("</form>")[0]
    back = re.findall(r'name="back" value="([^"]+)"', form)
    answer = signed_in.post(f"{path}/retry", data={"csrf_token": form_token(signed_in, "/"), "back": back})

    assert answer.location == f"{path}?from=destination%3Dlog"


def test_no_page_has_two_parts_of_one_name(world: World, signed_in: FlaskClient) -> None:
    one = owed_to_log(world, signed_in, state="dead", reason="no")
    operator.retry(world.store, world.rules(), one.id, BY_SOMEBODY)
    pages = ("/", "/events", "/deliveries", "/destinations", "/destinations/log", "/routes", "/audit", "/try")
    for path in (*pages, f"/events/{one.event}", f"/deliveries/{one.id}"):
        names = Counter(re.findall(r'\bid="([^"]+)"', signed_in.get(path).text))

        assert [name for name, count in names.items() if count > 1] == [], path


def test_who_did_what_is_told_in_the_time_zone_of_the_readers(world: World, signed_in: FlaskClient) -> None:
    world.config = replace(world.config, timezone="Europe/Berlin")
    one = owed_to_log(world, signed_in, state="dead", reason="no")
    operator.retry(world.store, world.rules(), one.id, BY_SOMEBODY)
    at = operator.entry_of(operator.Retry.act, BY_SOMEBODY, one.id).at.replace(
        year=2026, month=6, day=12, hour=20, minute=30, second=5
    )
    change = update(audit).values(at=at)
    world.store.write(lambda transaction: transaction.session.connection.execute(change) and None)
    page = signed_in.get(f"/deliveries/{one.id}").text

    assert f'title="{AT.replace("22:", "20:")} UTC, 22:30:05 CEST">12 Jun 22:30:05</time>' in page


@pytest.mark.parametrize(
    ("state", "attempts", "words"),
    [
        (State.PENDING, 0, ("As it would go out now", "Not sent yet: rendered by")),
        (State.CANCELLED, 0, ("As a retry would send it now", "Not sent yet: rendered by")),
        (State.HELD, 1, ("As it would be rendered now", "What was tried was not kept; this is rendered by")),
        (State.DELIVERED, 1, ("As it would be rendered now", "What was tried was not kept; this is")),
    ],
)
def test_a_message_that_was_not_kept_is_not_said_to_be_what_was_sent(
    world: World, signed_in: FlaskClient, state: State, attempts: int, words: tuple[str, str]
) -> None:
    one = owed_to_log(world, signed_in, state=state, attempts=attempts, reason="it may have arrived")
    page = signed_in.get(f"/deliveries/{one.id}").text

    assert f"<h2>{words[0]}</h2>" in page
    assert words[1] in page


@pytest.mark.parametrize(("state", "text"), [(State.HELD, "ada@example.com waits"), (State.DEAD, "today")])
def test_what_is_held_is_shown_by_its_own_send_block_and_what_is_dead_by_todays(
    world: World, signed_in: FlaskClient, state: State, text: str
) -> None:
    one = owed_to_log(world, signed_in, state=state, reason="no")
    waitlist, invited = world.config.routes
    edited = replace(waitlist, sends=(Send(to="log", fields={"text": "today"}),))
    world.config = replace(world.config, version="2", routes=(edited, invited))

    assert text in signed_in.get(f"/deliveries/{one.id}").text.partition("As ")[2].partition("</section>")[0]


def test_there_are_dead_letters_though_none_is_older(signed_in: FlaskClient) -> None:
    assert "No dead letters." in signed_in.get("/deliveries?state=dead").text
    assert "No older delivery fits state: dead." in signed_in.get("/deliveries?state=dead&before=dlv_0").text


def test_a_day_of_events_is_told_as_events(world: World, signed_in: FlaskClient) -> None:
    world.send(signed_in, payload())

    assert 'aria-label="Last 24 h: 1 event"' in signed_in.get("/").text


def test_what_became_of_an_event_is_told_by_its_own_numbers() -> None:
    event = {"deliveries": {"delivered": 2, "pending": 1_200}, "routes": ["all"]}

    assert became(event, {State.PENDING: ["crm"] * 900}).text == "1,200 wait: crm"
    assert became(event, {}).state == State.PENDING


def test_what_was_canceled_says_by_whom_and_nothing_twice(world: World, signed_in: FlaskClient) -> None:
    one = owed_to_log(world, signed_in)
    operator.cancel(world.store, one.id, BY_SOMEBODY)

    assert "canceled</span> · By an operator.</p>" in signed_in.get(f"/deliveries/{one.id}").text


def test_a_row_about_nobody_says_its_headline_once(world: World, signed_in: FlaskClient) -> None:
    sent = world.send(signed_in, payload("odd.thing"))
    row = signed_in.get("/events").text.partition(f'id="{sent["event"]}"')[2].partition("</tr>")[0]

    assert re.findall(r">(Odd thing|odd\.thing)<", row) == ["Odd thing", "odd.thing"]


def test_what_somebody_found_delivered_is_not_said_to_have_taken_a_time(
    world: World, signed_in: FlaskClient
) -> None:
    one = owed_to_log(world, signed_in, state="held", attempts=1, tries=1, reason="no answer within 3 s")
    operator.resolve(world.store, one.id, "delivered", BY_SOMEBODY)
    by_page = signed_in.get(f"/deliveries/{one.id}").text.partition('class="lead">')[2].partition("</p>")[0]
    line = signed_in.get(f"/events/{one.event}").text.partition(f"/deliveries/{one.id}")[2]

    assert by_page.endswith("sent</span> · An operator found it delivered.")
    assert "an operator found it delivered" in line.partition("</li>")[0]


def test_a_list_says_that_it_was_canceled_once(world: World, signed_in: FlaskClient) -> None:
    one = owed_to_log(world, signed_in)
    operator.cancel(world.store, one.id, BY_SOMEBODY)
    row = signed_in.get("/deliveries").text.partition(f'id="{one.id}"')[2].partition("</tr>")[0]

    assert len(re.findall("cancell?ed", re.sub("<[^>]*>", "", row))) == 1


def test_what_was_done_last_to_destinations_has_a_title_once_there_is_anything(
    world: World, signed_in: FlaskClient
) -> None:
    before = signed_in.get("/destinations").text
    operator.pause(world.store, world.rules(), "crm", BY_SOMEBODY)
    last_done = signed_in.get("/destinations").text.partition("<h2>Last done</h2>")[2].partition("</ul>")[0]

    assert "Last done" not in before
    assert re.findall(r"<span>(\w+): ", last_done) == ["crm"]


@pytest.mark.parametrize("words", ["***", "a b c d e f g h i"])
@pytest.mark.parametrize("path", ["/events", "/deliveries"])
def test_words_that_nothing_is_found_by_are_answered_where_they_were_written(
    world: World, signed_in: FlaskClient, path: str, words: str
) -> None:
    world.send(signed_in, payload())
    answer = signed_in.get(path, query_string={"q": words, "state": "pending"})

    assert answer.status_code == 200
    assert f"<p>&#34;{words}&#34; cannot be searched for.</p>" in answer.text
    assert f'value="{words}"' in answer.text
    assert "No event has come yet" not in answer.text
