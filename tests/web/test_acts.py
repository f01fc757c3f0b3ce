"""Acts by the forms of their dialogs, in place and as pages of their own: what is done is what was said."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient
from given_web import World, destination, payload
from sqlalchemy import update
from test_access import form_token, sign_in
from werkzeug.test import TestResponse

from hub.destinations.email.options import EmailOptions
from hub.model.audit import AuditEntry
from hub.model.delivery import State
from hub.model.filter import Filter
from hub.model.routing import Route, Send
from hub.store.tables import deliveries, events
from hub.web import act_forms, acts

IN_PLACE = {"HX-Request": "true"}
MAIL = EmailOptions.model_validate(
    {"smtp_url": "smtp://127.0.0.1:2525", "from": "hub@example.com", "to": ["team@example.com"]}
)
CODE = Send(to="mail", max_age_seconds=600)
INVITED = Send(to="mail", fields={"recipient": "{{ data.email_address }}", "text": "Welcome"})


class Form(HTMLParser):
    """The values of a page's form of an act, as a browser would send them, and its buttons."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, list[str]] = {}
        self.unticked: list[tuple[str, str]] = []
        self._is_within = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._is_within |= given.get("id") == "act-form"
        if not (self._is_within and tag == "input") or "disabled" in given:
            return
        name, value = str(given["name"]), str(given["value"])
        if given["type"] == "checkbox" and "checked" not in given:
            self.unticked.append((name, value))
        else:
            self.values.setdefault(name, []).append(value)

    def handle_endtag(self, tag: str) -> None:
        self._is_within &= tag != "form"


@pytest.fixture
def signed_in(world: World, client: FlaskClient) -> FlaskClient:
    """A session on a hub that mails the invited, too, and not after ten minutes."""
    mail = destination("mail", MAIL, "email")
    routes = (
        Route(name="waitlist", events=("waitlistEntry.created",), sends=(Send(to="crm"), INVITED)),
        Route(
            name="codes",
            events=("email.created",),
            sends=(Send(to="crm"), Send(to="mail", max_age_seconds=600)),
        ),
    )
    world.config = replace(
        world.config, destinations={**world.config.destinations, "mail": mail}, routes=routes
    )
    sign_in(client)
    form_token(client, "/")
    return client


def owe(world: World, client: FlaskClient, state: str, *emails: str) -> list[str]:
    """Deliveries of an event for each address in a state; their ids, first those to crm, then to mail."""
    for email in emails:
        world.send(client, payload(email_address=email), f"msg_{email}")
    with world.store.read() as snapshot:
        records = snapshot.delivery_list.records(Filter(state=State.PENDING))
    ids = [record.id for record in sorted(records, key=lambda record: record.destination)]
    change(world, deliveries, ids, state=state)
    return ids


def change(world: World, table: Any, ids: list[str], **values: Any) -> None:
    statement = update(table).where(table.c.id.in_(ids)).values(**values)
    world.store.write(lambda transaction: transaction.session.connection.execute(statement) and None)


def states(world: World) -> dict[str, str]:
    with world.store.read() as snapshot:
        return {record.id: record.state.value for record in snapshot.delivery_list.records(limit=500)}


def audit(world: World, *subjects: str) -> list[AuditEntry]:
    with world.store.read() as snapshot:
        return [entry for entry in snapshot.audit.entries(subjects=subjects) if entry.act != "sign-in"]


def words(answer: TestResponse | str) -> str:
    text = answer if isinstance(answer, str) else answer.text
    return " ".join(re.sub(r"<[^>]+>", "", text).split())


def ask(client: FlaskClient, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.text


def confirm(client: FlaskClient, page: str, verb: str, **changes: Any) -> TestResponse:
    """Send the form of a dialog as it stands, in the way that it was asked for."""
    path = re.search(r'action="(/(?:events|deliveries)/acts)"', page)
    assert path
    headers = {} if "<html" in page else IN_PLACE
    data = {**Form(page).values, "verb": verb, **changes}
    return client.post(path[1], data=data, headers=headers)


def test_a_dialog_changes_nothing_and_leaves_people_outside_unticked(
    world: World, signed_in: FlaskClient
) -> None:
    ids = owe(world, signed_in, "dead", "jane@example.com")
    path = "/deliveries/acts?act=retry&" + "&".join(f"id={id_}" for id_ in ids)
    piece, page = ask(signed_in, path, **IN_PLACE), ask(signed_in, path)

    assert ["<html" in text for text in (piece, page)] == [False, True]
    assert "Sends 2 messages again: crm and one to jane@example.com." in words(piece)
    assert "Send 1" in words(piece)
    assert "Send what is ticked" in words(page)
    for text in (piece, page):
        assert Form(text).values["to"] == ["crm"]
        assert Form(text).unticked == [("outside", "mail")]
    assert set(states(world).values()) == {"dead"}


def test_what_is_done_is_what_was_ticked_and_the_answer_stands_in_its_place(
    world: World, signed_in: FlaskClient
) -> None:
    crm, mail = owe(world, signed_in, "dead", "jane@example.com")
    page = ask(signed_in, f"/deliveries/acts?act=retry&id={crm}&id={mail}", **IN_PLACE)
    answer = confirm(signed_in, page, "retry")

    assert "no worker has run yet. 1 was left out, as you chose." in words(answer)
    assert "hub_session=" in answer.headers["Set-Cookie"]
    assert states(world) == {crm: "pending", mail: "dead"}
    assert [(entry.act, entry.subject, entry.changed) for entry in audit(world, crm)] == [("retry", "hub", 1)]
    assert audit(world, mail) == []


def test_without_javascript_a_form_leads_back_with_the_answer(world: World, signed_in: FlaskClient) -> None:
    ids = owe(world, signed_in, "held", "jane@example.com", "ada@example.com")
    page = ask(signed_in, "/deliveries/acts?act=resolve&all=yes&state=held&destination=crm")
    answer = confirm(signed_in, page, "delivered")
    back = signed_in.get(answer.location)

    assert (answer.status_code, answer.location) == (303, "/deliveries?destination=crm&state=held")
    assert "2 are marked as arrived." in words(back)
    assert sorted(states(world)[id_] for id_ in ids) == ["delivered", "delivered", "held", "held"]
    assert [entry.subject for entry in audit(world)] == ["crm"]


@pytest.mark.parametrize(
    ("act", "verb", "before", "after"),
    [
        ("cancel", "cancel", "pending", "cancelled"),
        ("resolve", "delivered", "held", "delivered"),
        ("resolve", "resend", "held", "pending"),
    ],
)
def test_one_is_looked_at_before_it_is_ended_or_decided(
    world: World, signed_in: FlaskClient, act: str, verb: str, before: str, after: str
) -> None:
    crm, mail = owe(world, signed_in, before, "jane@example.com")
    page = ask(signed_in, f"/deliveries/acts?act={act}&id={crm}")
    answer = confirm(signed_in, page, verb)

    assert answer.location == f"/deliveries/{crm}"
    assert states(world) == {crm: after, mail: before}
    assert [entry.subject for entry in audit(world)] == [crm]


def test_a_replay_leaves_out_what_is_too_old_and_says_so(world: World, signed_in: FlaskClient) -> None:
    body = {"object": "event", "type": "email.created", "data": {"to_email_address": "jane@example.com"}}
    event = world.send(signed_in, json.dumps({**body, "timestamp": int(time.time() - 720) * 1000}).encode())[
        "event"
    ]
    page = ask(signed_in, f"/events/acts?act=replay&id={event}", **IN_PLACE)
    answer = confirm(signed_in, page, "replay")

    assert "Sends 1 new message to crm." in words(page)
    assert "1 to mail: too old: it was 12 min old and may be 10." in words(page)
    assert "1 waits: no worker has run yet." in words(answer)
    assert len(states(world)) == 3
    assert [(entry.act, entry.subject, entry.changed) for entry in audit(world)] == [("replay", event, 1)]
    history = words(signed_in.get(f"/events/{event}"))
    assert "Replayed by session, 127.0.0.1: 1 new delivery to crm" in history


def test_an_event_whose_one_time_secrets_are_gone_is_not_replayed(
    world: World, signed_in: FlaskClient
) -> None:
    event = world.send(signed_in, payload())["event"]
    change(world, events, [event], blanked=True)
    page = ask(signed_in, f"/events/acts?act=replay&id={event}")

    assert "its one-time secrets were removed once it was delivered" in words(page)
    assert 'name="verb"' not in page


def test_what_is_found_after_the_dialog_is_left_alone(
    world: World, signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "LISTED_IDS", 0)
    seen = owe(world, signed_in, "dead", "jane@example.com", "ada@example.com")
    page = ask(signed_in, "/deliveries/acts?act=retry&all=yes&state=dead", **IN_PLACE)
    late = owe(world, signed_in, "dead", "late@example.com")
    confirm(signed_in, page, "retry", outside="mail")

    assert "id" not in Form(page).values
    assert {states(world)[id_] for id_ in seen} == {"pending"}
    assert {states(world)[id_] for id_ in late} == {"dead"}


def test_a_large_act_goes_in_parts_that_show_how_far_it_is(
    world: World, signed_in: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "LISTED_IDS", 0)
    monkeypatch.setattr(acts, "PART", 2)
    owe(world, signed_in, "dead", "jane@example.com", "ada@example.com", "eve@example.com")
    page = ask(signed_in, "/deliveries/acts?act=cancel&all=yes&state=dead", **IN_PLACE)
    first = confirm(signed_in, page, "cancel").text
    before = sorted(states(world).values())
    second = confirm(signed_in, first, "cancel").text
    forged = confirm(signed_in, first, "cancel", so_far="e30.forged")
    last = confirm(signed_in, second, "cancel").text

    assert "2 of 6 are done" in words(first)
    assert before == ["cancelled"] * 2 + ["dead"] * 4
    assert forged.status_code == 400
    assert "6 are canceled and will not be sent." in words(last)
    assert set(states(world).values()) == {"cancelled"}
    assert [(entry.act, entry.changed) for entry in audit(world)] == [("cancel", 6)]


def test_what_changed_its_state_meanwhile_is_left_alone(world: World, signed_in: FlaskClient) -> None:
    crm, _ = owe(world, signed_in, "held", "jane@example.com")
    page = ask(signed_in, f"/deliveries/acts?act=cancel&state=held&id={crm}", **IN_PLACE)
    change(world, deliveries, [crm], state="dead")

    assert "Nothing was done. 1 was not: it was held and is dead by now." in words(
        confirm(signed_in, page, "cancel")
    )


def test_nothing_ticked_does_nothing(world: World, signed_in: FlaskClient) -> None:
    crm, _ = owe(world, signed_in, "dead", "jane@example.com")
    page = ask(signed_in, f"/deliveries/acts?act=retry&id={crm}", **IN_PLACE)

    assert "nothing was ticked" in words(confirm(signed_in, page, "retry", to=[]))
    assert set(states(world).values()) == {"dead"}


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "say act=retry or act=cancel or act=resolve"),
        ("act=replay&id=dlv_1", "say act=retry"),
        ("act=retry", "tick the deliveries"),
        ("act=retry&id=evt_1", "one of the ids is none of deliveries"),
        ("act=retry&all=yes", "a filter that has no condition would find everything"),
        ("act=retry&all=yes&state=broken", "it must be one of pending"),
        ("act=retry&all=yes&state=dead&newest=x", "newest is no id of deliveries"),
    ],
)
def test_a_dialog_that_cannot_be_is_refused_in_words(signed_in: FlaskClient, query: str, reason: str) -> None:
    answer = signed_in.get(f"/deliveries/acts?{query}")

    assert answer.status_code == 400
    assert reason in answer.text


def test_ids_of_one_form_are_bounded(signed_in: FlaskClient) -> None:
    ids = " ".join(f"dlv_{number:x}" for number in range(act_forms.LISTED_IDS + 1))
    token = form_token(signed_in, "/")
    answer = signed_in.post("/deliveries/acts", data={"csrf_token": token, "act": "retry", "id": ids})

    assert (answer.status_code, "at most 1,000" in answer.text) == (400, True)


def test_names_of_strangers_do_nothing_in_a_dialog(world: World, signed_in: FlaskClient) -> None:
    hostile = '"><script>alert(1)</script>@example.com'
    ids = owe(world, signed_in, "dead", hostile, "x@example.com")
    change(world, deliveries, ids[:1], destination='"><img src=x onerror=alert(1)>')
    page = ask(signed_in, "/deliveries/acts?act=retry&all=yes&state=dead")

    assert "<img" not in page.replace('<img src="/static/hub.svg"', "")
    assert "<script>" not in page


def test_a_pause_is_undone_from_its_answer(signed_in: FlaskClient) -> None:
    token = {"csrf_token": form_token(signed_in, "/")}
    paused = signed_in.post("/destinations/crm/pause", data={**token, "back": "/destinations/crm"})
    page = signed_in.get(paused.location).text
    elsewhere = signed_in.post("/destinations/crm/resume", data={**token, "back": "//evil.example/"})

    assert "crm is paused: what it is owed waits. Undo" in words(page)
    assert re.search(r'class="flash good"[^§]*?action="/destinations/crm/resume"', page)
    assert elsewhere.location == "/"


def test_a_test_message_is_sent_from_the_destinations_page(world: World, signed_in: FlaskClient) -> None:
    token = {"csrf_token": form_token(signed_in, "/")}
    answer = signed_in.post("/destinations/crm/test", data={**token, "back": "/destinations/crm"})
    page = signed_in.get(answer.location).text
    (delivery_id,) = states(world)

    assert "A message marked [TEST] is owed to crm, and waits: no worker has run yet." in words(page)
    assert f'href="/deliveries/{delivery_id}">See it' in page
