"""From a signed event through real gunicorn and a real worker to an endpoint that fails first."""

from __future__ import annotations

from pathlib import Path

import pytest
from journeys.serving import serving
from servers.http_receiver import CannedResponse, HttpReceiver

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s]}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}"}
routes:
  - name: to-crm
    events: user.created
    send:
      - to: crm
        json: {id: "{{ data.id }}", at: "{{ event.timestamp }}"}
"""


def test_retries_send_the_same_bytes_under_the_same_id(empty_url: str, tmp_path: Path) -> None:
    with (
        HttpReceiver([CannedResponse(status=500), CannedResponse(status=500)]) as crm,
        serving(tmp_path, ROUTES, empty_url, {"CRM_WEBHOOK_URL": crm.url}) as hub,
    ):
        answer, _ = hub.send("user.created")
        arrived = crm.inbox.wait_for(3, 40)
        delivery = hub.delivery(answer["event"], "delivered")

    assert {request.body for request in arrived} == {arrived[0].body}
    assert {request.headers["webhook-id"] for request in arrived} == {delivery["id"]}
    assert [request.headers["hub-attempt"] for request in arrived] == ["1", "2", "3"]
    tried = [(attempt["outcome"], attempt["status"]) for attempt in delivery["attempt_list"]]
    assert tried == [("failed", 500), ("failed", 500), ("delivered", 200)]


def test_a_dead_delivery_is_retried_from_the_api_and_arrives(empty_url: str, tmp_path: Path) -> None:
    with (
        HttpReceiver([CannedResponse(status=500)] * 3) as crm,
        serving(tmp_path, ROUTES, empty_url, {"CRM_WEBHOOK_URL": crm.url}) as hub,
    ):
        answer, _ = hub.send("user.created")
        dead = hub.delivery(answer["event"], "dead")
        hub.api(f"deliveries/{dead['id']}/retry", "POST")
        delivery = hub.delivery(answer["event"], "delivered")
        arrived = crm.inbox.wait_for(4)

    assert "500" in dead["reason"]
    assert dead["attempts"] == 3
    assert delivery["id"] == dead["id"]
    assert delivery["attempts"] == len(arrived) == 4


@pytest.mark.parametrize("event_type", ["role.created", "session.created"])
def test_what_nothing_is_sent_for_is_answered_all_the_same(
    event_type: str, empty_url: str, tmp_path: Path
) -> None:
    with HttpReceiver() as crm, serving(tmp_path, ROUTES, empty_url, {"CRM_WEBHOOK_URL": crm.url}) as hub:
        answer, _ = hub.send(event_type)
        kept = hub.api("events")["items"]

    assert answer == {"event": kept[0]["id"], "duplicate": False, "routes": [], "deliveries": 0}
    assert crm.inbox.all() == []
