"""From a signed event through real gunicorn and a real worker to an endpoint that fails first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from journeys.serving import Serving, serving
from servers.http_receiver import CannedResponse, HttpReceiver

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s], timeout: 90s}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}"}
routes:
  - name: to-crm
    events: user.created
    send:
      - to: crm
        json: {id: "{{ data.id }}", at: "{{ event.timestamp }}"}
"""


class World(NamedTuple):
    """A hub, and the place that it sends to."""

    hub: Serving
    crm: HttpReceiver

    def fail(self, times: int) -> None:
        """Let the place fail the next requests that come."""
        self.crm.inbox.clear()
        responses = iter([CannedResponse(status=500)] * times)
        self.crm.respond = lambda _: next(responses, CannedResponse())


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("hub")
    url = f"sqlite:///{folder / 'hub.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("new_postgres_database")(None)
    with HttpReceiver() as crm, serving(folder, ROUTES, url, {"CRM_WEBHOOK_URL": crm.url}) as hub:
        yield World(hub, crm)


def test_retries_send_the_same_bytes_under_the_same_id(world: World) -> None:
    world.fail(times=2)
    answer, _ = world.hub.send("user.created")
    arrived = world.crm.wait_for(3)
    delivery = world.hub.delivery(answer["event"], "delivered")

    assert {request.body for request in arrived} == {arrived[0].body}
    assert {request.headers["webhook-id"] for request in arrived} == {delivery["id"]}
    assert [request.headers["hub-attempt"] for request in arrived] == ["1", "2", "3"]
    tried = [(attempt["outcome"], attempt["status"]) for attempt in delivery["attempt_list"]]
    assert tried == [("failed", 500), ("failed", 500), ("delivered", 200)]


def test_a_dead_delivery_is_retried_from_the_api_and_arrives(world: World) -> None:
    world.fail(times=3)
    answer, _ = world.hub.send("user.created")
    dead = world.hub.delivery(answer["event"], "dead")
    world.hub.api(f"deliveries/{dead['id']}/retry", "POST")
    delivery = world.hub.delivery(answer["event"], "delivered")
    arrived = world.crm.wait_for(4)

    assert "500" in dead["reason"]
    assert dead["attempts"] == 3
    assert delivery["id"] == dead["id"]
    assert delivery["attempts"] == len(arrived) == 4


@pytest.mark.parametrize("event_type", ["role.created", "session.created"])
def test_what_nothing_is_sent_for_is_answered_all_the_same(event_type: str, world: World) -> None:
    answer, _ = world.hub.send(event_type)
    kept = world.hub.api("events")["items"]

    assert answer == {"event": kept[0]["id"], "duplicate": False, "routes": [], "deliveries": 0}
    assert world.hub.api(f"deliveries?event={answer['event']}")["items"] == []
