"""Clerk's own mail and SMS by the shipped routes, once their lines are no comments."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import given
import pytest
from servers.smtp_server import Script, SmtpServer
from servers.twilio_server import TwilioServer
from sqlalchemy import text
from working import working

from hub import catalog
from hub.errors import Conflict
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules, load_rules, match
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.records import DeliveryRecord
from hub.operator import replay, retry
from hub.rules.load import read_config
from hub.store.store import Store

ROOT = Path(__file__).parents[2]
CODE = "728193"
"""No code of a sample: those are no secrets."""

RELAYS = re.compile(r"^  # (?:relay(?:-sms)?:|- name: clerk-(?:mail|sms)).*\n(?:  #   .*\n)+", re.MULTILINE)
ENVIRONMENT = {
    "CLERK_WEBHOOK_SIGNING_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/x",
    "SMTP_URL": "smtp://mail.example.com:587",
    "EMAIL_FROM": "hub@example.com",
    "EMAIL_TO": "team@example.com",
    "CRM_WEBHOOK_URL": "https://crm.example.com/hooks",
    "TWILIO_ACCOUNT_SID": "AC1",
    "TWILIO_AUTH_TOKEN": "0123456789abcdef",
    "TWILIO_FROM": "MG1",
}


@pytest.fixture(scope="module")
def shipped() -> str:
    """The shipped routes with those of the relay switched on."""
    written = (ROOT / "config/routes.yaml").read_text(encoding="utf-8")
    routes, count = RELAYS.subn(lambda lines: re.sub("^  # ", "  ", lines[0], flags=re.MULTILINE), written)
    assert count == 4
    return routes


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def relayed(tmp_path: Path, routes: str, server: SmtpServer, **environment: str) -> Rules:
    file = tmp_path / "routes.yaml"
    file.write_text(routes, encoding="utf-8")
    values = {**ENVIRONMENT, "SMTP_URL": server.url, **environment}
    config, _ = read_config(file, ROOT / "templates", values)
    return load_rules(config)


def event(type_: str = "email.created", minutes_ago: float = 0, **data: Any) -> Event:
    sample = catalog.sample_payload(type_).decode()
    body = json.loads(re.sub("514982|730416", CODE, sample))
    body["timestamp"] = int((time.time() - 60 * minutes_ago) * 1000)
    body["data"] |= {"delivered_by_clerk": False, **data}
    return given.event(type_, payload=json.dumps(body).encode())


def settled(store: Store, rules: Rules, *events: Event) -> list[DeliveryRecord]:
    """The deliveries of events once all of them have ended."""

    def records() -> list[DeliveryRecord]:
        with store.read() as snapshot:
            page = snapshot.delivery_list.records(limit=100)
        is_over = page and all(record.state in (State.DELIVERED, State.DEAD) for record in page)
        return page if is_over else []

    with working(store, rules):
        for one in events:
            fan_out(one, rules, store)
        return given.until(records)  # type: ignore[no-any-return]


def kept_anywhere(store: Store, secret: str) -> list[str]:
    """The tables and columns that hold a secret."""
    with store.read() as snapshot:
        connection = snapshot.session.connection
        columns = [
            (table, column)
            for table, column in (("events", "payload"), ("deliveries", "message"), ("attempts", "answer"))
        ]
        return [
            f"{table}.{column}"
            for table, column in columns
            for (value,) in connection.execute(text(f"SELECT {column} FROM {table}"))
            if secret in (value.decode() if isinstance(value, bytes | memoryview) else json.dumps(value))
        ]


def test_the_routes_pass_the_strict_check(tmp_path: Path, shipped: str) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text(shipped, encoding="utf-8")
    command = [sys.executable, "-m", "hub", "check", "--strict", str(file)]
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)

    assert done.stdout == f"{file}: 11 routes, 6 destinations, no problems\n"
    assert done.returncode == 0


def test_a_code_goes_out_as_clerk_wrote_it_and_is_blanked(
    tmp_path: Path, shipped: str, server: SmtpServer, store: Store
) -> None:
    code = event(from_email_name="hello", reply_to_email_name="support")
    (record,) = settled(store, relayed(tmp_path, shipped, server), code)
    (mail,) = server.wait_for(1)
    html = mail.message.get_body(("html",))

    assert (record.state, record.destination) == (State.DELIVERED, "relay")
    assert mail.recipients == ("mara.lindqvist@example.com",)
    assert [str(mail.message[name]) for name in ("From", "Reply-To", "Subject")] == [
        "Example <hello@example.com>",
        "support@example.com",
        f"{CODE} is your verification code",
    ]
    assert html is not None
    assert f"<strong>{CODE}</strong>" in html.get_content()
    assert given.until(lambda: kept_anywhere(store, CODE) == [])


def test_a_code_that_has_expired_is_never_sent_and_blanked(
    tmp_path: Path, shipped: str, server: SmtpServer, store: Store
) -> None:
    rules = relayed(tmp_path, shipped, server)
    (record,) = settled(store, rules, event(minutes_ago=11))

    assert record.state is State.DEAD
    assert "too old" in (record.reason or "")
    assert (server.mails, server.connections) == ([], 0)
    assert given.until(lambda: kept_anywhere(store, CODE) == [])
    with pytest.raises(Conflict, match="secret"):
        replay(record.event, rules, store)
    with pytest.raises(Conflict, match="too old"):
        retry(store, rules, record.id)


def test_a_code_that_the_server_refuses_for_now_expires_in_time(
    tmp_path: Path, shipped: str, store: Store
) -> None:
    with SmtpServer(script=Script(mail="451 4.3.0 later")) as server:
        routes = shipped.replace("max_age: 10m", "max_age: 3s").replace(
            "[2s, 5s, 15s,", "[1s, 1s, 1s, 1s, 1s,"
        )
        (record,) = settled(store, relayed(tmp_path, routes, server), event())

    assert record.state is State.DEAD
    assert "too old" in (record.reason or "")
    assert server.mails == []
    assert given.until(lambda: kept_anywhere(store, CODE) == [])


def test_a_mail_that_clerk_sends_or_that_is_for_nobody_is_not_relayed(
    tmp_path: Path, shipped: str, server: SmtpServer
) -> None:
    rules = relayed(tmp_path, shipped, server)
    cases: list[dict[str, Any]] = [
        {},
        {"delivered_by_clerk": True},
        {"to_email_address": None},
        {"to_email_address": ""},
    ]

    assert ["clerk-mail" in match(rules, event(**data)).routes for data in cases] == [True, *[False] * 3]


def test_a_text_message_goes_out_with_what_is_left_of_its_life(
    tmp_path: Path, shipped: str, server: SmtpServer, store: Store
) -> None:
    with TwilioServer(account_sid="AC1", auth_token=ENVIRONMENT["TWILIO_AUTH_TOKEN"]) as twilio:
        routes = shipped.replace("    provider: twilio\n", f"    api_url: {twilio.api_url}\n")
        late, fresh = event("sms.created", minutes_ago=11), event("sms.created", minutes_ago=4)
        records = settled(store, relayed(tmp_path, routes, server), late, fresh)
        (form,) = twilio.messages

    assert sorted(record.state for record in records) == [State.DEAD, State.DELIVERED]
    assert (form["To"], form["MessagingServiceSid"]) == ("+15555550142", "MG1")
    assert form["Body"] == f"{CODE} is your verification code. Do not share it."
    assert 0 < int(form["ValidityPeriod"]) <= 360
    assert given.until(lambda: kept_anywhere(store, CODE) == [])
