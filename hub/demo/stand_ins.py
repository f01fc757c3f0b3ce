"""Slack, a mail server and an HTTP endpoint on loopback, with the environment that points a hub at them."""

from __future__ import annotations

import base64
import re
import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

from hub.demo.http_receiver import HttpReceiver, Received
from hub.demo.slack_receiver import SlackMessage, SlackReceiver
from hub.demo.smtp_server import Mail, SmtpServer


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A message that reached a stand-in of this type, as one line for people.

    `delivery` is its id; Slack's protocol carries none, there `text` tells which message it is.
    """

    type: str
    line: str
    delivery: str = ""
    text: str = ""


class StandIns:
    """All three, to be used in a `with`."""

    def __init__(self) -> None:
        self.slack = SlackReceiver()
        self.mail = SmtpServer()
        self.http = HttpReceiver()
        self._running = ExitStack()

    def __enter__(self) -> StandIns:
        with ExitStack() as starting:
            for server in (self.slack, self.mail, self.http):
                starting.enter_context(server)
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def environment(self) -> dict[str, str]:
        """Every variable that the shipped routes.yaml names."""
        return {
            "CLERK_WEBHOOK_SIGNING_SECRET": new_signing_secret(),
            "SLACK_WEBHOOK_URL": self.slack.webhook_url,
            "SMTP_URL": self.mail.url,
            "EMAIL_FROM": "The hub <hub@example.com>",
            "EMAIL_TO": "team@example.com",
            "CRM_WEBHOOK_URL": f"{self.http.url}/crm",
        }

    @property
    def addresses(self) -> frozenset[str]:
        """Host and port of each: the only places that a demo may send to."""
        urls = (self.slack.http.url, self.mail.url, self.http.url)
        return frozenset(urlsplit(url).netloc for url in urls)

    def arrivals(self) -> list[Arrival]:
        """Everything that arrived, by stand-in and then in order."""
        return [
            *map(_slack_arrival, self.slack.messages),
            *map(_mail_arrival, self.mail.mails),
            *map(_http_arrival, self.http.received),
        ]


def new_signing_secret() -> str:
    """A signing secret as a sender hands it out, good for this demo alone."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _slack_arrival(message: SlackMessage) -> Arrival:
    return Arrival(type="slack", line=_read_aloud(message.text), text=message.text)


def _read_aloud(mrkdwn: str) -> str:
    """Slack's text as its reader sees it: a link's label instead of its address, characters unescaped."""
    labels = re.sub(r"<[^<>|]*\|([^<>]*)>", r"[\1]", mrkdwn)
    return labels.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _mail_arrival(mail: Mail) -> Arrival:
    message_id = str(mail.message["Message-ID"] or "")
    return Arrival(type="email", line=mail.describe(), delivery=message_id.strip("<> ").partition("@")[0])


def _http_arrival(request: Received) -> Arrival:
    line = f"{request.method} {request.path} 200, {len(request.body):,} bytes"
    return Arrival(type="http", line=line, delivery=request.headers.get("webhook-id", ""))
