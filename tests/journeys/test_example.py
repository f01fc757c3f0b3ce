"""The routes of the documented example, and an alert for failed payments: from signed event to message."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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

DATABASE = """
  app-db: {type: database, url: "${APP_DATABASE_URL}", tables: [organizations]}

routes:
  - {name: mirror, events: organization.*, send: app-db}
  - name: own-table
    events: organization.*
    send:
      - to: app-db
        table: teams
        key: {clerk_id: "{{ data.id }}"}
        set: {title: "{{ data.name }}"}
        on_delete: delete
"""


@dataclass(frozen=True)
class World:
    """A hub that serves the example, and the places that it sends to; `folder` has the database `app.db`."""

    hub: Serving
    slack: SlackReceiver
    mail: SmtpServer
    crm: HttpReceiver
    folder: Path

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "app.db")) as connection:
            return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("example")
    with SlackReceiver() as slack, SmtpServer() as mail, HttpReceiver() as crm:
        example = (ROOT / "tests/config/configs/good/example.yaml").read_text()
        routes = example.replace("https://crm.example.com", crm.url)
        routes = routes.replace("    channel: sales", f"    api_url: {slack.api_url}\n    channel: sales")
        routes = routes.replace("\nunmatched:", f"{PAYMENTS}\nunmatched:").replace("\nroutes:\n", DATABASE)
        with closing(sqlite3.connect(folder / "app.db")) as connection:
            connection.execute("create table teams (clerk_id text, title text)")
        environment = {
            "SLACK_WEBHOOK_URL": slack.webhook_url,
            "SLACK_BOT_TOKEN": "xoxb-journey",
            "SMTP_URL": mail.url,
            "CRM_SIGNING_SECRET": given.SECRET,
            "APP_DATABASE_URL": f"sqlite:///{folder}/app.db",
        }
        with serving(folder, routes, f"sqlite:///{folder}/hub.db", environment) as hub:
            yield World(hub, slack, mail, crm, folder)


def texts(slack: SlackReceiver) -> str:
    return "\n".join(message.text for message in slack.messages)


def test_a_waitlist_entry_becomes_the_built_in_slack_message(world: World) -> None:
    answer, _ = world.hub.send("waitlistEntry.created", {"data.email_address": "wait@example.com"})

    assert answer["routes"] == ["waitlist"]
    wait_until(lambda: "wait@example.com" in str([m.body for m in world.slack.messages]), "slack")


def test_an_accepted_invitation_reaches_slack_and_mail(world: World) -> None:
    answer, _ = world.hub.send("invitation.accepted", {"data.email_address": "ada@example.com"})

    assert (answer["routes"], answer["deliveries"]) == (["accepted"], 2)
    wait_until(lambda: ":tada: *ada@example.com* accepted" in texts(world.slack), "slack")
    subject = "ada@example.com accepted"
    wait_until(lambda: subject in [mail.message["subject"] for mail in world.mail.mails], "the mail")


def test_a_new_user_is_welcomed_at_the_primary_address(world: World) -> None:
    _, body = world.hub.send("user.created")
    user = as_json(body)["data"]
    primary = next(
        address["email_address"]
        for address in user["email_addresses"]
        if address["id"] == user["primary_email_address_id"]
    )

    wait_until(lambda: [primary] in [list(mail.recipients) for mail in world.mail.mails], "the mail")


def test_a_user_without_an_address_is_not_welcomed(world: World) -> None:
    answer, _ = world.hub.send("user.created", {"data.email_addresses": []})
    event = world.hub.api(f"events/{answer['event']}")

    verdict = next(verdict for verdict in event["verdicts"] if verdict["route"] == "welcome")
    assert not verdict["matched"]
    assert verdict["condition"] == "data | primary_email"


def test_a_membership_reaches_the_crm_rendered_and_byte_for_byte(world: World) -> None:
    _, body = world.hub.send("organizationMembership.deleted", {"data.role": "org:admin"})
    user_id = as_json(body)["data"]["public_user_data"]["user_id"]
    rendered, raw = sorted(world.crm.inbox.wait_for(2), key=lambda request: request.method, reverse=True)

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

    wait_until(lambda: text in texts(world.slack), "slack")


def test_an_event_that_no_route_wants_is_logged(world: World) -> None:
    answer, _ = world.hub.send("role.created")

    assert (answer["routes"], answer["deliveries"]) == ([], 1)
    delivery = world.hub.delivery(answer["event"], "delivered")
    assert (delivery["route"], delivery["destination"]) == ("unmatched", "log")


def settled(world: World, event: str) -> list[dict[str, Any]]:
    """Return the deliveries of an event by their routes, once none is on its way."""

    def finished() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = world.hub.api(f"deliveries?event={event}")["items"]
        return [] if any(item["state"] in ("pending", "sending") for item in items) else items

    items = wait_until(finished, f"the deliveries of {event}")
    return [world.hub.api(f"deliveries/{item['id']}") for item in sorted(items, key=lambda one: one["route"])]


def test_an_organization_is_a_row_in_the_mirror_and_in_a_table_of_ones_own(world: World) -> None:
    def receipts(event_type: str, changes: dict[str, Any]) -> list[str]:
        facts = {"instance_id": "ins_ours", "data.id": "org_1", **changes}
        deliveries = settled(world, world.hub.send(event_type, facts)[0]["event"])
        return [delivery["attempt_list"][-1]["detail"] for delivery in deliveries]

    name = {"data.name": "Old", "data.updated_at": 1780000000000}
    new = {"data.name": "New", "data.updated_at": 1780000000001}
    seen = [receipts("organization.updated", changes) for changes in (name, new, name)]
    rows = world.rows("select name from clerk_organizations"), world.rows("select title from teams")
    seen.append(receipts("organization.deleted", {}))

    ends = ["inserted", "updated", "kept the newer one", "deleted"]
    assert seen == [[f"organizations: {end}", f"teams: {end}"] for end in ends]
    assert rows == ([("New",)], [("New",)])
    assert world.rows("select deleted_at is not null from clerk_organizations") == [(1,)]
    assert world.rows("select * from teams") == []


def test_a_sample_stays_out_of_the_mirror_and_says_why(world: World) -> None:
    deliveries = settled(world, world.hub.send("organization.created")[0]["event"])

    assert (deliveries[0]["state"], deliveries[0]["reason"].partition(":")[0]) == ("dead", "a sample")
