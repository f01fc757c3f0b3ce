"""The routes of the documented example, and an alert for failed payments: from signed event to message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import given
import pytest
from journeys.serving import Serving, as_json, serving
from servers.http_receiver import HttpReceiver
from servers.program import ROOT, wait_until
from servers.slack_receiver import SlackReceiver
from servers.smtp_server import SmtpServer

PAYMENTS = """
  - name: failed-payment
    events: paymentAttempt.updated
    when: data.status == "failed"
    send:
      - to: growth
        text: "Payment of {{ data.payer.email }} failed: {{ data.failed_reason.code }}"
"""


@dataclass(frozen=True)
class World:
    """A hub that serves the example, and the places that it sends to."""

    hub: Serving
    slack: SlackReceiver
    mail: SmtpServer
    crm: HttpReceiver


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("example")
    with SlackReceiver() as slack, SmtpServer() as mail, HttpReceiver() as crm:
        example = (ROOT / "tests/config/configs/good/example.yaml").read_text()
        routes = example.replace("https://crm.example.com", crm.url)
        routes = routes.replace("    channel: sales", f"    api_url: {slack.api_url}\n    channel: sales")
        routes = routes.replace("\nunmatched:", f"{PAYMENTS}\nunmatched:")
        environment = {
            "SLACK_WEBHOOK_URL": slack.webhook_url,
            "SLACK_BOT_TOKEN": "xoxb-journey",
            "SMTP_URL": mail.url,
            "CRM_SIGNING_SECRET": given.SECRET,
        }
        with serving(folder, routes, f"sqlite:///{folder}/hub.db", environment) as hub:
            yield World(hub, slack, mail, crm)


def texts(slack: SlackReceiver) -> str:
    return "\n".join(message.text for message in slack.messages)


def test_a_waitlist_entry_becomes_the_built_in_slack_message(world: World) -> None:
    answer, _ = world.hub.send("waitlistEntry.created", {"data.email_address": "wait@example.com"})

    assert answer["routes"] == ["waitlist"]
    wait_until(lambda: "wait@example.com" in str([m.body for m in world.slack.messages]), "slack", 40)


def test_an_accepted_invitation_reaches_slack_and_mail(world: World) -> None:
    answer, _ = world.hub.send("invitation.accepted", {"data.email_address": "ada@example.com"})

    assert (answer["routes"], answer["deliveries"]) == (["accepted"], 2)
    wait_until(lambda: ":tada: *ada@example.com* accepted" in texts(world.slack), "slack", 40)
    subject = "ada@example.com accepted"
    wait_until(lambda: subject in [mail.message["subject"] for mail in world.mail.mails], "the mail", 40)


def test_a_new_user_is_welcomed_at_the_primary_address(world: World) -> None:
    _, body = world.hub.send("user.created")
    user = as_json(body)["data"]
    primary = next(
        address["email_address"]
        for address in user["email_addresses"]
        if address["id"] == user["primary_email_address_id"]
    )

    wait_until(lambda: [primary] in [list(mail.recipients) for mail in world.mail.mails], "the mail", 40)


def test_a_user_without_an_address_is_not_welcomed(world: World) -> None:
    answer, _ = world.hub.send("user.created", {"data.email_addresses": []})
    event = world.hub.api(f"events/{answer['event']}")

    verdict = next(verdict for verdict in event["verdicts"] if verdict["route"] == "welcome")
    assert not verdict["matched"]
    assert verdict["condition"] == "data | primary_email"


def test_a_membership_reaches_the_crm_rendered_and_byte_for_byte(world: World) -> None:
    _, body = world.hub.send("organizationMembership.deleted", {"data.role": "org:admin"})
    user_id = as_json(body)["data"]["public_user_data"]["user_id"]
    rendered, raw = sorted(world.crm.inbox.wait_for(2, 40), key=lambda request: request.method, reverse=True)

    assert (rendered.method, rendered.path) == ("PUT", f"/hooks/contacts/{user_id}")
    assert as_json(rendered.body) == {"admin": True, "removed": True}
    assert (raw.method, raw.path, raw.body) == ("POST", "/hooks", body)
    assert rendered.headers["x-team"] == "growth"
    assert re.fullmatch(r"v1,[A-Za-z0-9+/]{43}=", raw.headers["webhook-signature"])
    assert rendered.headers["webhook-id"] != raw.headers["webhook-id"]


def test_a_failed_payment_is_told(world: World) -> None:
    _, body = world.hub.send("paymentAttempt.updated")
    data = as_json(body)["data"]
    text = f"Payment of {data['payer']['email']} failed: {data['failed_reason']['code']}"

    wait_until(lambda: text in texts(world.slack), "slack", 40)


def test_an_event_that_no_route_wants_is_logged(world: World) -> None:
    answer, _ = world.hub.send("role.created")

    assert (answer["routes"], answer["deliveries"]) == ([], 1)
    delivery = world.hub.delivery(answer["event"], "delivered")
    assert (delivery["route"], delivery["destination"]) == ("unmatched", "log")
