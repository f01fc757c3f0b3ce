"""The page on which events and edited routes are tried."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import given
import pytest
from flask.testing import FlaskClient
from given_web import World, destination, payload
from test_access import form_token, sign_in

from hub.model.routing import Routing
from hub.web.messages import MAIL_POLICY


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def tried(client: FlaskClient, path: str = "/try", **fields: str) -> str:
    token = form_token(client, "/try")
    return client.post(path, data={"csrf_token": token, "which": "served", **fields}).text


def test_a_sample_stands_there_to_begin_with(signed_in: FlaskClient) -> None:
    text = signed_in.get("/try?event=waitlistEntry.created").text

    assert "&#34;type&#34;: &#34;waitlistEntry.created&#34;" in text
    assert "There is no such event" in signed_in.get("/try?event=order.paid").text
    assert "No event has come yet" in signed_in.get("/try?event=last").text


def test_a_stored_event_stands_there_without_its_secrets(world: World, signed_in: FlaskClient) -> None:
    url = "https://accounts.example.com/ticket?t=eyJhbGciOi"
    sent = world.send(signed_in, payload("invitation.created", url=url))

    for chosen in (sent["event"], "last"):
        text = signed_in.get(f"/try?event={chosen}").text
        assert "invitation.created" in text
        assert "eyJhbGciOi" not in text


def test_the_last_event_is_a_senders(world: World, signed_in: FlaskClient) -> None:
    world.send(signed_in, payload(email_address="ada@example.com"))
    own = given.event("hub.problem", source="hub")
    world.store.write(lambda transaction: given.keep(transaction, own, Routing()))

    assert "ada@example.com" in signed_in.get("/try?event=last").text


def test_verdicts_and_messages_are_shown_and_nothing_is_kept(world: World, signed_in: FlaskClient) -> None:
    text = tried(signed_in, payload=payload(email_address="<b>ada@example.com").decode())

    assert "<strong>waitlist</strong>" in text
    assert "&lt;b&gt;ada@example.com waits" in text
    with world.store.read() as snapshot:
        assert snapshot.event_list.records() == []


def test_a_payload_that_is_no_json_is_told_with_its_line(signed_in: FlaskClient) -> None:
    text = tried(signed_in, payload='{"type": "user.created",\n}')

    assert "The payload is not JSON" in text
    assert 'data-field="payload" data-line="2"' in text


def test_what_a_browser_sends_back_stands_there_as_it_was(signed_in: FlaskClient) -> None:
    # Browsers send CR LF for each line of a text field.
    texts = {"payload": '{\r\n  "type": "order.paid"\r\n}', "routes": "version: 1\r\nroutes: []"}
    page = tried(signed_in, **texts)

    assert "{\n  &#34;type&#34;: &#34;order.paid&#34;\n}" in page
    assert "version: 1\nroutes: []" in page


def test_a_mail_is_shown_in_a_frame_that_may_do_nothing(world: World, signed_in: FlaskClient) -> None:
    world.config = replace(
        world.config, destinations={**world.config.destinations, "crm": destination("crm", None, "email")}
    )
    page = tried(signed_in, payload=payload().decode())
    token = form_token(signed_in, "/try")
    fields = {"csrf_token": token, "payload": payload().decode(), "which": "served"}
    answers = [signed_in.post(f"/try/mail/{number}", data=fields) for number in range(3)]

    assert '<iframe class="msg-frame" sandbox name="mail-0" title="The mail"></iframe>' in page
    assert [answer.status_code for answer in answers] == [200, 404, 404]
    assert answers[0].headers["Content-Security-Policy"] == MAIL_POLICY


@pytest.mark.parametrize("path", ["/try", "/try/mail/0"])
def test_only_who_signed_in_can_try(world: World, path: str) -> None:
    client = world.app().test_client()

    assert client.post(path, data={"payload": "{}"}).status_code == 303
    assert Path(client.post(path).headers["Location"]).name.startswith("login")
