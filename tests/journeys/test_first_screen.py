"""The first screen of a real hub: how to begin; for each destination in trouble what, why and what to do."""

from __future__ import annotations

import html
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import given
import pytest
import requests
from journeys.serving import Serving, serving
from servers.http_receiver import CannedResponse, Failure, HttpReceiver
from servers.program import PASSWORD, PATIENCE_SECONDS, ROOT, wait_until
from servers.smtp_server import Script, SmtpServer

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1h], timeout: 60s}
destinations:
  crm: {type: http, url: "${CRM_URL}"}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: hub@example.com, to: team@example.com}
  alerts: {type: slack, bot_token: "${SLACK_BOT_TOKEN}", channel: alerts, api_url: "${SLACK_API}"}
  warehouse: {type: http, url: "${WAREHOUSE_URL}", on_unknown: hold, timeout: 1s}
  partner: {type: http, url: "${PARTNER_URL}"}
routes:
  - {name: waitlist, events: waitlistEntry.created, send: partner}
  - {name: users, events: user.created, send: [crm, mail, alerts, warehouse]}
"""
FIRE = CannedResponse(status=500, body=b"boom: database is on fire")
REVOKED = CannedResponse(body=b'{"ok": false, "error": "invalid_auth"}')
HANGING = CannedResponse(failure=Failure.HANG)
EVENTS = 6
"""One more than open a breaker."""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("hub")
    with ExitStack() as stack:
        crm, slack, warehouse = (
            stack.enter_context(HttpReceiver(respond=lambda request, answer=answer: answer))
            for answer in (FIRE, REVOKED, HANGING)
        )
        smtp = stack.enter_context(SmtpServer(script=Script(mail="451 4.7.1 Greylisted, try again later")))
        places = {
            "HUB_BIND": "127.0.0.1",
            "CRM_URL": crm.url,
            "SMTP_URL": smtp.url,
            "SLACK_API": slack.url,
            "SLACK_BOT_TOKEN": "xoxb-revoked-1234",
            "WAREHOUSE_URL": warehouse.url,
        }
        yield stack.enter_context(serving(folder, ROUTES, f"sqlite:///{folder}/hub.db", places))


@pytest.fixture(scope="module")
def reader(hub: Serving) -> requests.Session:
    """Somebody who is signed in."""
    session = requests.Session()
    form = session.get(f"{hub.url}/login", timeout=PATIENCE_SECONDS).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token
    data = {"password": PASSWORD, "csrf_token": token[1]}
    session.post(f"{hub.url}/login", data=data, headers={"Referer": hub.url}, timeout=PATIENCE_SECONDS)
    return session


def screen(hub: Serving, reader: requests.Session, folded: bool = False) -> str:
    """The words of the first screen, a line for each block; what is folded is left out."""
    page = reader.get(hub.url, timeout=PATIENCE_SECONDS).text.partition('<div id="live">')[2]
    if not folded:
        page = re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    lines = re.split(r"</(?:h1|h2|p|li|strong|td|tr)>", re.sub(r"\s+", " ", page))
    text = (html.unescape(re.sub(r"<[^>]+>", "", line)).strip() for line in lines)
    return "\n".join(filter(None, text))


def test_an_empty_hub_says_what_to_do_next_and_its_commands_work_as_printed(
    hub: Serving, reader: requests.Session
) -> None:
    text = screen(hub, reader)

    assert "3 steps to the first message" in text
    assert f"clerk webhooks listen --forward-to {hub.url}/api/webhooks" in text

    requests.post(f"{hub.url}/api/webhooks", json={}, timeout=PATIENCE_SECONDS)  # as anything that reaches it
    wait_until(lambda: "hub trigger" in screen(hub, reader), "the tick of a request")
    command = re.search(r"^hub trigger \S+(?: --url \S+)?", screen(hub, reader), re.MULTILINE)
    assert command
    program = [sys.executable, "-m", *shlex.split(command[0])]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HUB_CONFIG": str(hub.log.parent / "routes.yaml"),
        "CLERK_WEBHOOK_SIGNING_SECRET": given.SECRET,
    }
    subprocess.run(program, env=environment, cwd=hub.log.parent, check=True, timeout=PATIENCE_SECONDS)
    text = screen(hub, reader)

    assert "1 step to the first message" in text
    assert "partner waits for PARTNER_URL" in text


def test_for_each_of_four_in_trouble_the_first_screen_says_what_why_since_when_and_what_to_do(
    hub: Serving, reader: requests.Session
) -> None:
    for _ in range(EVENTS):
        hub.send("user.created")
    wait_until(lambda: _is_settled(hub), "four destinations in trouble")
    findings = {
        "crm answers 500 Internal Server Error": (
            '"boom: database is on fire" · 6 wait, nothing is lost · next try in 1 s · '
            "Look at crm; the rest is sent by itself."
        ),
        "mail: 127.0.0.1 does not take mail now (451)": (
            '"4.7.1 Greylisted, try again later" · 6 wait, nothing is lost · next try in 1 s · '
            "Usually over in an hour."
        ),
        "alerts is paused: Slack says invalid_auth, the token is not valid": (
            "6 wait · Put a new token into SLACK_BOT_TOKEN, restart, then resume."
        ),
        "6 messages to warehouse may have arrived": (
            "The request went out, no answer came within 1 s · "
            "Look there for webhook-id; then mark each as arrived or send it again."
        ),
    }
    wanted = [f"{first}\nsince 00:00, 1 s {second}" for first, second in findings.items()]

    def lacking() -> list[str]:
        """What the screen does not say, as while a probe is under way."""
        text = re.sub(r"\d+:\d\d, \d+ (?:s|min|h)", "00:00, 1 s", screen(hub, reader))
        text = re.sub(r"next try (in \d+ (?:s|min)|now)", "next try in 1 s", text)
        return [words for words in ("4 things need you", *wanted) if words not in text]

    wait_until(lambda: not lacking(), "the first screen to say it", explain=lambda: str(lacking()))
    assert "partner is not configured (PARTNER_URL)" in screen(hub, reader, folded=True)


def _is_settled(hub: Serving) -> bool:
    states = {item["name"]: item for item in hub.api("destinations")["items"]}
    return (
        states["crm"]["state"] == states["mail"]["state"] == "failing"
        and states["alerts"]["state"] == "paused"
        and states["warehouse"]["held"] == EVENTS
    )
