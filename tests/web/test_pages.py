"""The pages' words, where a browser is not needed to see them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import given
import pytest
from flask.testing import FlaskClient
from given_web import KEY, World, destination, payload
from sqlalchemy import insert, update
from test_access import form_token, sign_in

from hub import __version__
from hub.delivery import retry
from hub.errors import Reject
from hub.model.filter import Filter
from hub.model.problem import Problem, Severity
from hub.store.tables import deliveries, destinations, events
from hub.web.messages import MAIL_POLICY


@pytest.fixture
def signed_in(client: FlaskClient) -> FlaskClient:
    sign_in(client)
    return client


def test_every_page_has_words_while_there_is_nothing(signed_in: FlaskClient) -> None:
    for path, words in {
        "/": "Let Clerk reach it",
        "/events": "No event has come yet",
        "/events?type=usr.created": "No event fits type: usr.created; did you mean &#34;user.created&#34;?",
        "/deliveries": "Nothing is owed yet",
        "/deliveries?state=dead": "No dead letters",
        "/deliveries?state=held&destination=crm": "No delivery fits destination: crm, state: held.",
        "/audit": "Kept for 90 days",
        "/audit?act=pause": "Nobody did that",
    }.items():
        assert words in signed_in.get(path).text


def test_a_first_deploy_shows_what_to_paste_and_what_to_set(world: World) -> None:
    source = given.source(secrets=(), missing=("CLERK_WEBHOOK_SIGNING_SECRET",))
    world.config = replace(world.config, sources={"clerk": source})
    client = world.app(public_url="https://hub.example.com").test_client()
    sign_in(client)
    text = client.get("/").text

    assert "https://hub.example.com/api/webhooks" in text
    assert "CLERK_WEBHOOK_SIGNING_SECRET" in text


def test_an_event_shows_verdicts_and_masks_its_secrets(world: World, signed_in: FlaskClient) -> None:
    url = "https://accounts.example.com/ticket?t=eyJhbGciOi"
    sent = world.send(signed_in, payload("invitation.created", status="pending", url=url))
    text = signed_in.get(f"/events/{sent['event']}").text

    assert "data.status == &#39;accepted&#39;" in text
    assert "data.status is &#34;pending&#34;" in text
    assert "eyJhbGciOi" not in text
    assert "••••••" in text


def test_an_event_alone_is_told_with_what_was_heard_of_its_object_before(
    world: World, signed_in: FlaskClient
) -> None:
    world.send(signed_in, payload("user.created", id="user_1", first_name="Ada"), "msg_created")
    sent = world.send(signed_in, payload("user.deleted", id="user_1", deleted=True), "msg_deleted")
    path = f"/events/{sent['event']}"

    assert "<h1>Ada&#39;s account was deleted</h1>" in signed_in.get(path).text
    assert signed_in.get(f"/api{path}", headers=KEY).get_json()["about"] == "Ada"


def test_event_and_delivery_name_the_version_that_decided(world: World, signed_in: FlaskClient) -> None:
    sent = world.send(signed_in, payload(email_address="ada@example.com"))
    version = world.config.version
    world.config = replace(world.config, version="another")
    with world.store.read() as snapshot:
        delivery = snapshot.delivery_list.records(event=sent["event"])[0]

    pages = [signed_in.get(path).text for path in (f"/events/{sent['event']}", f"/deliveries/{delivery.id}")]

    assert f'<code title="{version}">{version}</code>' in pages[0]
    assert f"<code>{version}</code>" in pages[1]
    assert all(f"hub {__version__}<" in page for page in pages)


def test_a_pruned_event_says_so_and_has_no_replay(world: World, signed_in: FlaskClient) -> None:
    sent = world.send(signed_in, payload("user.created"))
    world.store.write(
        lambda transaction: transaction.session.connection.execute(update(events).values(payload=None))
    )
    text = signed_in.get(f"/events/{sent['event']}").text

    assert "was pruned" in text
    assert "Replay" not in text


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        ("pending", ["Retry now", "Cancel…"]),
        ("sending", []),
        ("delivered", []),
        ("dead", ["Retry", "Cancel…"]),
        ("held", ["Resolve…", "Cancel…"]),
        ("cancelled", ["Retry"]),
    ],
)
def test_a_delivery_has_the_buttons_that_its_state_allows(
    world: World, signed_in: FlaskClient, state: str, buttons: list[str]
) -> None:
    world.send(signed_in, payload())
    with world.store.read() as snapshot:
        delivery_id = snapshot.delivery_list.records()[0].id
    world.store.write(
        lambda transaction: transaction.session.connection.execute(update(deliveries).values(state=state))
    )
    text = signed_in.get(f"/deliveries/{delivery_id}").text

    present = [
        name
        for name in ("Retry now", "Retry", "Resolve…", "Cancel…")
        if re.search(f">{name}</(button|a)>", text)
    ]
    assert sorted(present) == sorted(buttons)


def test_a_button_says_why_it_did_nothing(world: World, signed_in: FlaskClient) -> None:
    world.send(signed_in, payload())
    with world.store.read() as snapshot:
        delivery_id = snapshot.delivery_list.records()[0].id
    world.store.write(
        lambda transaction: transaction.session.connection.execute(
            update(deliveries).values(state="delivered")
        )
    )
    token = {"csrf_token": form_token(signed_in, "/")}
    answer = signed_in.post(f"/deliveries/{delivery_id}/retry", data=token, follow_redirects=True)

    assert answer.status_code == 200
    assert "It cannot be retried: it was delivered;" in answer.text


def beat(world: World) -> None:
    world.store.write(
        lambda transaction: transaction.workers.beat("w", transaction.now, forget_after=timedelta(hours=1))
    )


def test_pages_say_why_a_delivery_waits(world: World, signed_in: FlaskClient) -> None:
    beat(world)
    sent = world.send(signed_in, payload())
    world.store.write(lambda transaction: transaction.destinations.pause("crm", "invalid_auth"))
    with world.store.read() as snapshot:
        delivery_id = snapshot.delivery_list.records(Filter(destination="crm"))[0].id

    for path in ("/deliveries?destination=crm", f"/deliveries/{delivery_id}", f"/events/{sent['event']}"):
        words = "crm is paused (invalid_auth); sent once it is resumed"
        assert words in signed_in.get(path).text, path


@pytest.mark.parametrize(
    ("is_paused", "words"),
    [
        (False, "It will be sent again now, rendered by today&#39;s rules."),
        (True, "It is owed again, and waits: crm is paused (invalid_auth); sent once it is resumed"),
    ],
)
def test_a_retry_is_answered_with_why_it_waits(
    world: World, signed_in: FlaskClient, is_paused: bool, words: str
) -> None:
    beat(world)
    world.send(signed_in, payload())
    with world.store.read() as snapshot:
        delivery_id = snapshot.delivery_list.records(Filter(destination="crm"))[0].id
    if is_paused:
        world.store.write(lambda transaction: transaction.destinations.pause("crm", "invalid_auth"))
    token = {"csrf_token": form_token(signed_in, "/")}
    answer = signed_in.post(f"/deliveries/{delivery_id}/retry", data=token, follow_redirects=True)

    assert words in answer.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crm", "crm goes on: what it is owed is sent now."),
        (
            "growth",
            "waits: SLACK_WEBHOOK_URL is not set.",
        ),
    ],
)
def test_a_resume_is_answered_with_why_what_is_owed_waits(
    world: World, signed_in: FlaskClient, name: str, words: str
) -> None:
    beat(world)
    lacking = insert(destinations).values(name="growth", configured=False)
    world.store.write(lambda transaction: transaction.session.connection.execute(lacking))
    token = {"csrf_token": form_token(signed_in, "/")}
    answer = signed_in.post(f"/destinations/{name}/resume", data=token, follow_redirects=True)

    assert words in answer.text


def test_lists_lead_on_to_older_ones_and_back(world: World, signed_in: FlaskClient) -> None:
    for n in range(51):
        world.send(signed_in, payload("user.created"), f"msg_{n}")
    text = signed_in.get("/events").text
    older = text.rpartition("before=")[2].partition('"')[0]

    assert text.count("/events/evt_") == 50
    page = signed_in.get(f"/events?before={older}").text
    assert page.count("/events/evt_") == 1
    assert ">Newest</a>" in page
    assert ">Older</a>" not in page


def test_a_list_of_messages_in_another_form_says_so(world: World, signed_in: FlaskClient) -> None:
    world.send(signed_in, payload())
    page = signed_in.get("/deliveries?degraded=true").text

    assert "No message went out in another form than its route has." in page
    assert 'aria-label="Remove degraded"' in page


def test_half_a_surrogate_pair_does_not_break_a_page(world: World, signed_in: FlaskClient) -> None:
    sent = world.send(signed_in, payload(email_address="a\ud800b@example.com"))

    for path in ("/", "/events", f"/events/{sent['event']}", "/deliveries"):
        assert signed_in.get(path).status_code == 200
    assert "a\\ud800b@example.com" in signed_in.get(f"/events/{sent['event']}").text


def test_pages_say_which_version_serves_since_when_and_why_an_edit_does_not(
    world: World, signed_in: FlaskClient
) -> None:
    version = world.config.version
    status, routes = signed_in.get("/").text, signed_in.get("/routes").text

    assert f'<code>{version[:4]}</code></a> <span title="2026-01-30 12:00:00 UTC">since 30 Jan' in status
    assert f'Version <code title="{version}">{version[:4]}</code> serves since' in routes
    assert "refused" not in status + routes

    world.refused = (
        Problem(
            file="config/routes.yaml",
            line=14,
            column=9,
            severity=Severity.ERROR,
            code="unknown-key",
            message="there is no <b>key</b>",
        ),
    )

    assert "routes.yaml:14 there is no &lt;b&gt;key&lt;/b&gt; · Version" in signed_in.get("/").text
    refused = signed_in.get("/routes").text
    assert "was refused</span>" in refused
    assert '<code class="place">routes.yaml:14</code> there is no &lt;b&gt;key' in refused


@pytest.mark.parametrize(
    "path", ["/events/evt_00", "/deliveries/dlv_00", "/events/nonsense", "/deliveries?state=x"]
)
def test_what_is_not_there_is_told_in_a_page(signed_in: FlaskClient, path: str) -> None:
    answer = signed_in.get(path, headers={"Accept": "text/html"})

    assert answer.status_code in (400, 404)
    assert answer.mimetype == "text/html"
    assert "There is no" in answer.text or "State is" in answer.text


def test_a_delivery_shows_what_came_back(world: World, signed_in: FlaskClient) -> None:
    world.send(signed_in, payload())
    (claim,) = given.claim(world.store, "crm")
    error = Reject("answered 410 Gone", status=410, answer="<b>moved</b> away")
    settlement = retry.after_error(
        claim, error, given.destination("crm"), now=given.NOON, chance=0.5, seconds=0.5
    )
    world.store.write(lambda transaction: transaction.queue.settle([settlement]))
    page = signed_in.get(f"/deliveries/{claim.id}").text

    assert "410 Gone: &#34;&lt;b&gt;moved&lt;/b&gt; away&#34;. It is not tried again by itself." in page
    assert '<p class="answer">&lt;b&gt;moved&lt;/b&gt; away</p>' in page


def test_an_event_says_that_what_it_matched_is_switched_off(world: World, client: FlaskClient) -> None:
    off = {name: replace(config, enabled=False) for name, config in world.config.destinations.items()}
    world.config = replace(world.config, destinations=off)
    sent = world.send(client, payload())
    sign_in(client)
    text = client.get(f"/events/{sent['event']}").text
    (verdict,) = client.get(f"/api/events/{sent['event']}").get_json()["verdicts"]

    assert (sent["routes"], sent["deliveries"]) == (["waitlist"], 0)
    assert "crm and log are switched off" in text
    assert "no route took it" not in text
    assert (verdict["matched"], verdict["unowed"]) == (True, "crm and log are switched off")


def test_pages_say_what_waits_for_a_destination_that_is_switched_off(
    world: World, signed_in: FlaskClient
) -> None:
    world.send(signed_in, payload())
    off = {**world.config.destinations, "crm": replace(world.config.destinations["crm"], enabled=False)}
    world.config = replace(world.config, destinations=off)

    assert "crm is switched off" in signed_in.get("/").text
    assert "1 waits · Switch it on, or cancel them." in signed_in.get("/").text
    assert "switched off" in signed_in.get("/destinations").text


def test_an_unknown_destination_is_told_with_the_one_that_is_meant(signed_in: FlaskClient) -> None:
    answer = signed_in.get("/deliveries?destination=crn", headers={"Accept": "text/html"})

    assert answer.status_code == 404
    assert "There is no destination &#34;crn&#34;; did you mean &#34;crm&#34;?" in answer.text


def test_a_mail_stands_in_a_frame_that_may_do_nothing(world: World, signed_in: FlaskClient) -> None:
    world.config = replace(
        world.config, destinations={**world.config.destinations, "crm": destination("crm", None, "email")}
    )
    sent = world.send(signed_in, payload())
    mail = {"from": "h@a.example", "to": ["b@a.example"], "subject": "Hi", "html": "<p>\u202eHi"}
    world.store.write(
        lambda transaction: transaction.session.connection.execute(
            update(deliveries).where(deliveries.c.destination == "crm").values(message=mail)
        )
    )
    with world.store.read() as snapshot:
        owed = {one.destination: one.id for one in snapshot.delivery_list.records(event=sent["event"])}
    page = signed_in.get(f"/deliveries/{owed['crm']}").text
    frame = signed_in.get(f"/deliveries/{owed['crm']}/mail")

    assert f'<iframe class="msg-frame" sandbox title="The mail" src="/deliveries/{owed["crm"]}/mail">' in page
    assert frame.text == "<p>\\u202eHi"
    assert frame.headers["Content-Security-Policy"] == MAIL_POLICY
    assert signed_in.get(f"/deliveries/{owed['log']}/mail").status_code == 404
    assert world.app().test_client().get(f"/deliveries/{owed['crm']}/mail").status_code in (302, 303)
