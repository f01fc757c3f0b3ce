"""The API, field by field, through the real app on a real store."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import given
import pytest
from flask.testing import FlaskClient
from given_web import CRM_URL, KEY, World, payload
from sqlalchemy import update

from hub import catalog
from hub.delivery import retry
from hub.maintenance.index import Indexer
from hub.model.delivery import Receipt
from hub.store.tables import deliveries
from hub.web.parameters import FILTERS

ADDRESS = {"CRM_WEBHOOK_URL": CRM_URL}

A_TYPE = "say one type such as user.created, or a pattern such as user.*, where * stands for any characters"

DELIVERY_KEYS = [
    "id",
    "event",
    "type",
    "about",
    "headline",
    "tone",
    "route",
    "destination",
    "state",
    "reason",
    "why",
    "attempts",
    "due_at",
    "created_at",
    "delivered_at",
    "degraded",
    "message",
]


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.get(path, headers=KEY)
    assert answer.status_code == status, answer.text
    return answer.get_json()


def post(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.post(path, headers=KEY)
    assert answer.status_code == status, answer.text
    return answer.get_json()


def change(world: World, delivery_id: str, **values: Any) -> None:
    statement = update(deliveries).where(deliveries.c.id == delivery_id).values(**values)
    world.store.write(lambda transaction: transaction.session.connection.execute(statement))


def one(client: FlaskClient, destination: str) -> str:
    return str(get(client, f"/api/deliveries?destination={destination}")["items"][0]["id"])


def test_a_delivery_has_the_fields_that_are_promised(world: World, client: FlaskClient) -> None:
    sent = world.send(client, payload(email_address="ada@example.com"))
    listed = get(client, "/api/deliveries?state=pending&destination=crm")["items"][0]
    alone = get(client, f"/api/deliveries/{listed['id']}")

    assert list(listed) == DELIVERY_KEYS
    assert alone == {**listed, "attempt_list": []}
    assert listed["event"] == sent["event"]
    assert (listed["type"], listed["route"], listed["destination"]) == (
        "waitlistEntry.created",
        "waitlist",
        "crm",
    )
    assert (listed["state"], listed["attempts"], listed["degraded"]) == ("pending", 0, False)
    assert listed["about"] == "ada@example.com"
    assert listed["headline"] == "ada@example.com joined the waitlist"
    assert listed["tone"] == "good"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", listed["created_at"])


def test_deliveries_in_another_form_are_a_list_of_their_own(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    change(world, degraded := one(client, "crm"), degraded="template failed: no")
    listed = get(client, "/api/deliveries?degraded=true")["items"]
    refused = client.get("/api/deliveries?degraded=yes", headers=KEY)

    assert [(item["id"], item["degraded"], item["reason"]) for item in listed] == [
        (degraded, True, "template failed: no")
    ]
    assert get(client, "/api/deliveries?degraded=true&destination=log")["items"] == []
    assert len(get(client, "/api/deliveries?degraded=false")["items"]) > 1
    assert refused.status_code == 400
    assert "it must be true or false" in refused.text


def test_an_attempt_has_the_start_of_its_answer(world: World) -> None:
    world.config = replace(world.config, environment=ADDRESS, secrets=tuple(ADDRESS))
    client = world.app().test_client()
    world.send(client, payload())
    (claim,) = given.claim(world.store, "crm")
    answer = f"you asked {CRM_URL} for <b>this</b>"
    settlement = retry.after_receipt(claim, Receipt(detail="answered 200 OK", status=200, answer=answer), 0.5)
    world.store.write(lambda transaction: transaction.queue.settle([settlement]))
    (attempt,) = get(client, f"/api/deliveries/{claim.id}")["attempt_list"]

    assert list(attempt) == ["at", "seconds", "outcome", "status", "detail", "answer"]
    assert attempt["answer"] == "you asked ${CRM_WEBHOOK_URL} for <b>this</b>"


def test_a_delivery_says_why_it_waits(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    crm = one(client, "crm")
    assert get(client, f"/api/deliveries/{crm}")["why"]["code"] == "no_worker"
    world.store.write(
        lambda transaction: transaction.workers.beat("w", transaction.now, forget_after=timedelta(hours=1))
    )
    assert get(client, f"/api/deliveries/{crm}")["why"]["code"] == "due"
    due_at = (datetime.now(UTC) + timedelta(minutes=4)).replace(microsecond=0)
    change(world, crm, due_at=due_at, reason="HTTP 503")

    scheduled = {
        "code": "schedule",
        "text": "try 1 of 3 in 3 min, after HTTP 503",
        "until": due_at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    (listed,) = get(client, "/api/deliveries?destination=crm")["items"]
    assert listed["why"] == get(client, f"/api/deliveries/{crm}")["why"] == scheduled
    change(world, crm, state="dead")
    assert get(client, f"/api/deliveries/{crm}")["why"] is None


def test_the_answer_to_a_retry_says_why_it_waits(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    post(client, "/api/destinations/crm/pause")
    retried = post(client, f"/api/deliveries/{one(client, 'crm')}/retry")

    assert retried["why"] == {
        "code": "paused",
        "text": "crm is paused (paused by an operator); sent once it is resumed",
        "until": None,
    }


def test_a_destination_says_why_all_that_it_is_owed_waits(client: FlaskClient) -> None:
    codes = {item["name"]: item["why"]["code"] for item in get(client, "/api/destinations")["items"]}

    assert codes == {"crm": "no_worker", "log": "no_worker", "growth": "not_configured"}


def test_events_and_deliveries_say_what_happened_without_secrets(world: World, client: FlaskClient) -> None:
    url = "https://accounts.example.com/accept?ticket=abc"
    sent = world.send(
        client, payload("waitlistEntry.created", email_address=f"see {url}", invitation={"url": url})
    )
    words = {"about": "see ••••••", "headline": "see •••••• joined the waitlist", "tone": "good"}

    for path in ("/api/events", "/api/deliveries"):
        (item, *_) = get(client, path)["items"]
        assert {key: item[key] for key in words} == words
    assert get(client, f"/api/events/{sent['event']}")["headline"] == words["headline"]


def test_an_event_tells_why_a_route_did_not_take_it(world: World, client: FlaskClient) -> None:
    sent = world.send(client, payload("invitation.created", status="pending"))
    event = get(client, f"/api/events/{sent['event']}")

    assert event["routes"] == []
    assert event["verdicts"] == [
        {
            "route": "invited",
            "matched": False,
            "condition": "data.status == 'accepted'",
            "value": 'data.status is "pending"',
            "unowed": None,
            "sends": [],
        }
    ]
    assert event["version"] == world.config.version
    assert event["deliveries"] == {}
    assert event["payload"]["data"] == {"status": "pending"}
    assert "payload" not in get(client, "/api/events")["items"][0]


def test_lists_are_newest_first_and_lead_on(world: World, client: FlaskClient) -> None:
    ids = [world.send(client, payload("user.created"), f"msg_{n}")["event"] for n in range(5)]
    first = get(client, "/api/events?limit=2")
    second = get(client, f"/api/events?limit=2&before={first['next']}")
    third = get(client, f"/api/events?limit=2&before={second['next']}")

    assert [item["id"] for page in (first, second, third) for item in page["items"]] == ids[::-1]
    assert third["next"] is None
    assert get(client, "/api/events?limit=5")["next"] is None


def test_a_limit_above_the_largest_is_cut(client: FlaskClient) -> None:
    assert get(client, "/api/events?limit=99999") == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/events?limit=0", "limit is '0'; it must be a whole number from 1 to 500"),
        ("/api/events?limit=ten", "limit is 'ten'; it must be a whole number from 1 to 500"),
        ("/api/events?limit=1e9", "limit is '1e9'; it must be a whole number from 1 to 500"),
        ("/api/events?before=%00", "before must be at most 300 printable characters"),
        ("/api/events?before=yesterday", "before is 'yesterday'; it must be the next of the page before"),
        (
            "/api/deliveries?state=lost",
            "state is 'lost'; it must be one of pending, sending, delivered, dead, held, cancelled",
        ),
        (
            "/api/deliveries?stat=dead",
            f"there is no parameter 'stat'; this takes {', '.join(FILTERS)}, event, limit, before",
        ),
        (
            "/api/events?type=user.%3F",
            f"type is 'user.?'; {A_TYPE}",
        ),
        (
            "/api/events?type=*a*a*a*a*a*a*a*a*",
            "type is '*a*a*a*a*a*a*a*a*'; a pattern has at most 8 *",
        ),
        (
            "/api/deliveries?until=soon",
            "until is 'soon'; say a time such as 2026-01-31T12:00:00Z or a duration such as 2h",
        ),
        (
            "/api/deliveries?since=2h&until=3h",
            "until is not later than since; nothing lies between them",
        ),
        ("/api/stats?x=1", "there is no parameter 'x'; this takes no parameters"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused_in_words(
    client: FlaskClient, path: str, words: str
) -> None:
    assert get(client, path, 400) == {"error": "bad_request", "message": words}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/retry?since=soon", "say a time such as 2026-01-31T12:00:00Z or a duration such as 2h"),
        ("/api/retry?destinaton=crm", "there is no parameter 'destinaton'"),
        ("/api/deliveries/dlv_00/resolve", "say as=delivered or as=retry"),
        ("/api/deliveries/dlv_00/resolve?as=lost", "say as=delivered or as=retry"),
    ],
)
def test_an_act_that_is_misspelt_does_nothing(client: FlaskClient, path: str, words: str) -> None:
    assert words in post(client, path, 400)["message"]


@pytest.mark.parametrize("path", ["/api/events/evt_00", "/api/deliveries/dlv_00", "/api/deliveries/%00x"])
def test_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert get(client, path, 404)["error"] == "not_found"


@pytest.mark.parametrize(
    "path",
    [
        "/api/events/evt_00/replay",
        "/api/deliveries/dlv_00/retry",
        "/api/deliveries/dlv_00/cancel",
        "/api/deliveries/dlv_00/resolve?as=retry",
        "/api/destinations/nobody/pause",
        "/api/destinations/nobody/resume",
        "/api/retry?destination=nobody",
    ],
)
def test_an_act_on_what_is_not_there_is_not_found(client: FlaskClient, path: str) -> None:
    assert post(client, path, 404)["error"] == "not_found"


def test_a_dead_delivery_is_retried_and_cancelled(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    crm = one(client, "crm")
    change(world, crm, state="dead", reason="answered 410 Gone")

    assert get(client, f"/api/deliveries/{crm}")["reason"] == "answered 410 Gone"
    assert get(client, f"/api/deliveries/{crm}")["due_at"] is None
    retried = post(client, f"/api/deliveries/{crm}/retry")
    assert (retried["state"], retried["reason"]) == ("pending", None)
    assert post(client, f"/api/deliveries/{crm}/cancel")["state"] == "cancelled"
    refused = post(client, f"/api/deliveries/{crm}/cancel", 409)
    assert refused == {"error": "conflict", "message": "it cannot be cancelled: it is cancelled"}


@pytest.mark.parametrize(("decision", "state"), [("delivered", "delivered"), ("retry", "pending")])
def test_a_held_delivery_is_resolved(world: World, client: FlaskClient, decision: str, state: str) -> None:
    world.send(client, payload())
    crm = one(client, "crm")
    post(client, f"/api/deliveries/{crm}/resolve?as={decision}", 409)
    change(world, crm, state="held")

    assert post(client, f"/api/deliveries/{crm}/resolve?as={decision}")["state"] == state


def test_replay_routes_an_event_again(world: World, client: FlaskClient) -> None:
    sent = world.send(client, payload())
    replayed = post(client, f"/api/events/{sent['event']}/replay")

    assert replayed == {"event": sent["event"], "routes": ["waitlist"], "deliveries": 2}
    assert get(client, f"/api/events/{sent['event']}")["deliveries"] == {"pending": 4}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 3),
        ("?state=dead", 3),
        ("?state=cancelled", 0),
        ("?destination=crm", 3),
        ("?destination=log", 0),
        ("?since=2h", 3),
        ("?since=2099-01-01T00:00:00Z", 0),
        ("?since=2020-01-01T00:00:00%2B02:00", 3),
        ("?since=2020-01-01T00:00:00+02:00", 3),
        ("?since=2020-01-01", 3),
    ],
)
def test_many_are_retried_at_once(world: World, client: FlaskClient, query: str, count: int) -> None:
    for n in range(3):
        world.send(client, payload(), f"msg_{n}")
    for item in get(client, "/api/deliveries?destination=crm")["items"]:
        change(world, item["id"], state="dead")

    assert post(client, f"/api/retry{query}") == {"retried": count}


def test_what_is_not_dead_is_not_retried_together(client: FlaskClient) -> None:
    assert post(client, "/api/retry?state=delivered", 409)["error"] == "conflict"


def test_destinations_say_what_to_do(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    post(client, "/api/destinations/crm/pause")
    answer = get(client, "/api/destinations")
    crm, log, growth = answer["items"]

    assert answer["next"] is None
    assert (crm["name"], crm["type"], crm["state"]) == ("crm", "http", "paused")
    assert crm["paused_reason"] == "paused by an operator"
    assert (crm["reason"], crm["since"]) == ("crm is paused by an operator", crm["paused_at"])
    assert (log["reason"], growth["reason"]) == (None, "SLACK_WEBHOOK_URL is not set")
    assert crm["sends_to"] == "crm.example.com:8443"
    assert (crm["pending"], crm["dead"]) == (1, 0)
    assert crm["oldest_due_seconds"] >= 0
    assert (log["state"], log["sends_to"]) == ("ok", "standard output")
    assert (growth["state"], growth["missing"]) == ("not_configured", ["SLACK_WEBHOOK_URL"])
    assert post(client, "/api/destinations/crm/resume")["state"] == "ok"


def test_findings_are_those_of_the_page(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    post(client, "/api/destinations/crm/pause")
    answer = get(client, "/api/findings")
    by_subject = {item["subject"]: item for item in answer["items"]}

    assert answer["next"] is None
    assert {(item["code"], item["severity"]) for item in answer["items"]} == {
        ("no_worker", "bad"),
        ("paused", "bad"),
        ("not_configured", "note"),
    }
    assert list(by_subject["crm"]) == [
        "code",
        "severity",
        "subject",
        "headline",
        "reason",
        "since",
        "count",
        "cure",
    ]
    assert by_subject["crm"]["headline"] == "crm is paused by an operator"
    assert by_subject["crm"]["count"] == 1
    assert by_subject["hub"]["cure"].startswith("`hub serve` starts one")


def test_a_proxy_in_the_environment_is_a_finding(world: World) -> None:
    client = world.app(environment={"https_proxy": "http://user:sesame@proxy.test:3128"}).test_client()
    (proxy,) = [item for item in get(client, "/api/findings")["items"] if item["code"] == "proxy"]

    assert (proxy["severity"], proxy["subject"]) == ("note", "hub")
    assert proxy["headline"].startswith("https_proxy in the environment")
    assert "sesame" not in str(proxy)


@pytest.mark.parametrize(("path", "key"), [("findings", "headline"), ("destinations", "paused_reason")])
def test_the_hubs_own_words_stay_whatever_a_secret_holds(world: World, path: str, key: str) -> None:
    world.config = replace(world.config, environment={"TOKEN": "the webhook was removed"}, secrets=("TOKEN",))
    client = world.app().test_client()
    world.store.write(lambda transaction: transaction.destinations.pause("crm", "the webhook was removed"))
    reasons = [item[key] or "" for item in get(client, f"/api/{path}")["items"]]

    assert any("the webhook was removed" in reason for reason in reasons)


def test_a_destination_that_is_gone_is_shown_while_it_is_owed_to(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    world.config = type(world.config)(version="2", sources=world.config.sources, destinations={}, routes=())

    states = {item["name"]: item["state"] for item in get(client, "/api/destinations")["items"]}

    assert states == {"crm": "removed", "log": "removed"}


def test_stats_count_by_state_and_destination(world: World, client: FlaskClient) -> None:
    world.send(client, payload())
    stats = get(client, "/api/stats")

    assert (stats["events"], stats["events_last_day"]) == (1, 1)
    assert stats["deliveries"]["pending"] == 2
    assert stats["by_destination"] == {"crm": {"pending": 1}, "log": {"pending": 1}}
    assert stats["worker_beat_seconds"] is None


def test_the_code_of_the_catalogs_own_sample_is_no_secret(world: World, client: FlaskClient) -> None:
    sample = world.send(client, catalog.sample_payload("email.created"), "msg_sample")
    real = catalog.sample_payload("email.created", {"data.id": "ema_real", "data.data.otp_code": "918273"})
    event = world.send(client, real, "msg_real")

    shown = get(client, f"/api/events/{sample['event']}")["payload"]["data"]
    masked = get(client, f"/api/events/{event['event']}")["payload"]["data"]
    assert (shown["data"]["otp_code"], shown["subject"]) == ("514982", "514982 is your verification code")
    assert masked["data"]["otp_code"] == masked["subject"] == catalog.MASK


def test_no_answer_shows_a_one_time_secret_or_a_destinations_address(
    world: World, client: FlaskClient
) -> None:
    secret = "https://accounts.example.com/join?a=1&__clerk_ticket=eyJhbGciOiJSUzI1NiJ9abcdef"
    escaped = secret.replace("&", "&amp;")
    world.config = replace(world.config, environment=ADDRESS, secrets=tuple(ADDRESS))
    client = world.app().test_client()
    sent = world.send(client, payload("invitation.accepted", status="accepted", url=secret))
    log = one(client, "log")
    change(
        world,
        log,
        message={
            "text": f"{secret} {CRM_URL}",
            "html": f"<a href='{escaped}'>",
            "body": f'{{"u": "{secret}"}}',
        },
        reason=f"could not send {secret}",
    )

    for path in (
        f"/api/events/{sent['event']}",
        "/api/events",
        "/api/deliveries",
        f"/api/deliveries/{log}",
        "/api/destinations",
    ):
        text = client.get(path, headers=KEY).text
        assert "ticket" not in text, path
        assert "verysecret" not in text, path
    message = get(client, f"/api/deliveries/{log}")["message"]
    assert message["text"] == "•••••• ${CRM_WEBHOOK_URL}"
    assert message["html"] == "<a href='••••••'>"


def test_events_come_with_their_payloads_where_they_are_asked_for(world: World, client: FlaskClient) -> None:
    for number in range(3):
        body = payload("invitation.created", id=f"inv_{number}", url="https://x/?t=s3cr3t")
        world.send(client, body, f"msg_{number}")
    page = client.get("/api/events?payload=true&limit=2", headers=KEY).get_json()
    rest = client.get(f"/api/events?payload=true&before={page['next']}", headers=KEY).get_json()
    ids = [item["payload"]["data"]["id"] for item in (*page["items"], *rest["items"])]

    assert sorted(ids) == ["inv_0", "inv_1", "inv_2"]
    assert "s3cr3t" not in json.dumps(page)
    assert "payload" not in client.get("/api/events", headers=KEY).get_json()["items"][0]
    assert client.get("/api/events?payload=yes", headers=KEY).status_code == 400


def test_events_since_a_moment(world: World, client: FlaskClient) -> None:
    world.send(client, payload())

    assert len(client.get("/api/events?since=1h", headers=KEY).get_json()["items"]) == 1
    assert client.get("/api/events?since=2999-01-01", headers=KEY).get_json()["items"] == []
    assert client.get("/api/events?since=soon", headers=KEY).status_code == 400


FITS = {
    "type=waitlistEntry.*": 1,
    "type=user.created": 0,
    "source=clerk": 1,
    "source=hub": 0,
    "route=waitlist&destination=crm": 1,
    "destination=growth": 0,
    "state=pending&since=1h": 1,
    "state=dead": 0,
    "until=1h": 0,
    "degraded=true": 0,
}


@pytest.mark.parametrize(("query", "count"), FITS.items())
@pytest.mark.parametrize("kind", ["events", "deliveries"])
def test_lists_have_what_fits_all_parameters(
    world: World, client: FlaskClient, kind: str, query: str, count: int
) -> None:
    sent = world.send(client, payload())
    items = get(client, f"/api/{kind}?{query}")["items"]

    assert {item["id" if kind == "events" else "event"] for item in items} == (
        {sent["event"]} if count else set()
    )


@pytest.mark.parametrize("kind", ["events", "deliveries"])
def test_lists_are_searched(world: World, client: FlaskClient, kind: str) -> None:
    sent = world.send(client, payload(email_address="ada.lovelace@example.com"))
    Indexer(world.store).run()
    of_event = get(client, f"/api/{kind}?q=Lovelace+ada.&type=*")["items"]
    delivery = get(client, "/api/deliveries")["items"][0]["id"]

    assert {item["id" if kind == "events" else "event"] for item in of_event} == {sent["event"]}
    assert len(get(client, f"/api/{kind}?q={delivery}")["items"]) == 1
    assert "read_until" not in get(client, f"/api/{kind}?q={delivery}")
    assert get(client, f"/api/{kind}?q=lovelace+bob")["items"] == []
    assert "say 1 to 8 words" in get(client, f"/api/{kind}?q=!", 400)["message"]


@pytest.mark.parametrize("kind", ["events", "deliveries"])
@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("source=clark", "there is no source 'clark'; did you mean \"clerk\"?"),
        ("route=wait", "there is no route 'wait'"),
        ("destination=crn", 'there is no destination "crn"; did you mean "crm"?'),
    ],
)
def test_a_name_that_never_was_is_not_found(client: FlaskClient, kind: str, query: str, words: str) -> None:
    answer = get(client, f"/api/{kind}?{query}", 404)

    assert answer["message"].startswith(words)
