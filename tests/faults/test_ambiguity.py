"""The connection breaks after a message was sent: nobody knows whether it arrived, and the hub says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import requests
from faults.conftest import Count
from faults.hubs import PASSWORD, PATIENCE_SECONDS, Hub, Sender, kill, wait_until
from servers.http_receiver import CannedResponse, Failure, HttpReceiver
from servers.slack_receiver import SlackReceiver
from servers.smtp_server import CLOSE, ReceivedMail, Script, SmtpServer

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s], timeout: 60s}
destinations:
  http: {type: http, url: "${HTTP_URL}", on_unknown: WHAT}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: a@example.com, to: [b@example.com], on_unknown: WHAT}
  slack: {type: slack, webhook_url: "${SLACK_URL}", on_unknown: WHAT}
routes:
  - {name: everything, events: "*", send: [http, mail, slack]}
"""

NAMES = ("http", "mail", "slack")
CUT = CannedResponse(failure=Failure.CLOSE)
"""Read the request to its end, and close instead of answering."""


class World:
    """Three destinations of which each takes the first message and breaks off before it says so."""

    def __init__(self) -> None:
        self.http, self.slack = HttpReceiver([CUT]), SlackReceiver([CUT])
        self.smtp = SmtpServer(script=Script(dot=CLOSE), on_arrival=self._mend)

    def _mend(self, mail: ReceivedMail) -> None:
        """This one is still cut: what it was to be answered was looked up before."""
        self.smtp.script = Script()

    def ids(self) -> dict[str, list[str]]:
        """The deliveries' ids as they arrived; a Slack webhook's request carries none."""
        mails = (str(mail.message["Message-ID"]) for mail in self.smtp.mails)
        return {
            "http": [request.headers["webhook-id"] for request in self.http.received],
            "mail": [re.findall(r"dlv_[0-9a-f]+", message_id)[0] for message_id in mails],
            "slack": ["" for _ in self.slack.http.received],
        }


@pytest.mark.parametrize("on_unknown", ["resend", "hold"])
def test_a_cut_after_sending_is_unknown_and_done_as_on_unknown_says(
    on_unknown: str, tmp_path: Path, count: Count
) -> None:
    world = World()
    with world.http, world.smtp, world.slack:
        environment = {
            "DATABASE_URL": f"sqlite:///{tmp_path / 'hub.db'}",
            "ROUTES": ROUTES.replace("WHAT", on_unknown),
            "HTTP_URL": world.http.url,
            "SMTP_URL": world.smtp.url,
            "SLACK_URL": world.slack.webhook_url,
        }
        with Hub(tmp_path, environment, "serve") as hub, Sender(hub, threads=1, limit=1):
            if on_unknown == "hold":
                for delivery in in_state(hub, "held"):
                    assert len(world.ids()[delivery["destination"]]) == 1
                    post(hub, f"/api/deliveries/{delivery['id']}/resolve?as=retry")
            delivered = in_state(hub, "delivered")
    arrived = world.ids()
    count(deliveries=3, times=3, duplicates=sum(map(len, arrived.values())) - 3)

    for delivery in delivered:
        assert [attempt["outcome"] for attempt in delivery["attempt_list"]] == ["unknown", "delivered"]
        assert len(arrived[delivery["destination"]]) == 2
        assert set(arrived[delivery["destination"]]) <= {delivery["id"], ""}


KILLED_ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s], timeout: 5s}
destinations:
  again: {type: http, url: "${HTTP_URL}/again", on_unknown: resend}
  asks: {type: http, url: "${HTTP_URL}/asks", on_unknown: hold}
routes:
  - {name: everything, events: "*", send: [again, asks]}
"""


@pytest.mark.full
def test_a_worker_killed_while_it_sends_leaves_an_unknown_attempt(tmp_path: Path, count: Count) -> None:
    hangs = CannedResponse(failure=Failure.HANG)
    with HttpReceiver([hangs, hangs]) as receivers:
        environment = {
            "DATABASE_URL": f"sqlite:///{tmp_path / 'hub.db'}",
            "ROUTES": KILLED_ROUTES,
            "HTTP_URL": receivers.url,
        }
        with Hub(tmp_path, environment, "web", "worker") as hub, Sender(hub, threads=1, limit=1):
            receivers.wait_for(2)
            kill(hub.pids()[-1])
            (again,) = in_state(hub, "delivered", 1)
            (asks,) = in_state(hub, "held", 1)
            post(hub, f"/api/deliveries/{asks['id']}/resolve?as=delivered")
            in_state(hub, "delivered", 2)
    arrived = [request.headers["webhook-id"] for request in receivers.received]
    count(deliveries=2, times=1, duplicates=len(arrived) - 2)

    assert [attempt["outcome"] for attempt in again["attempt_list"]] == ["unknown", "delivered"]
    assert [attempt["outcome"] for attempt in asks["attempt_list"]] == ["unknown"]
    assert sorted(arrived) == sorted([again["id"], again["id"], asks["id"]])


def in_state(
    hub: Hub, state: str, count: int = len(NAMES), seconds: float = PATIENCE_SECONDS
) -> list[dict[str, Any]]:
    """The deliveries in a state, once there are so many."""
    deliveries: list[dict[str, Any]] = []

    def are_there() -> bool:
        deliveries[:] = get(hub, f"/api/deliveries?state={state}")["items"]
        return len(deliveries) == count

    wait_until(are_there, f"{count} deliveries to be {state}", seconds, hub.tail)
    return [get(hub, f"/api/deliveries/{delivery['id']}") for delivery in deliveries]


def get(hub: Hub, path: str) -> Any:
    return _call(hub, "GET", path)


def post(hub: Hub, path: str) -> Any:
    return _call(hub, "POST", path)


def _call(hub: Hub, method: str, path: str) -> Any:
    key = {"Authorization": f"Bearer {PASSWORD}"}
    answer = requests.request(method, hub.url + path, headers=key, timeout=PATIENCE_SECONDS)
    assert answer.status_code == 200, answer.text
    return answer.json()
