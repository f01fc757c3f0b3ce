"""A destination dies: the hub says so by mail, once; it recovers, and the hub says that too."""

from __future__ import annotations

from pathlib import Path

from journeys.serving import serving
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.program import wait_until
from servers.smtp_server import SmtpServer

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  crm: {type: http, url: "${CRM_URL}", retry: [1s], timeout: 90s}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: hub@example.com, to: team@example.com}
routes:
  - {name: users, events: user.created, send: crm}
problems:
  send: mail
"""


def test_a_dying_destination_is_told_by_mail_once_and_so_is_its_recovery(tmp_path: Path) -> None:
    status = [503]

    def respond(request: ReceivedRequest) -> CannedResponse:
        return CannedResponse(status=status[0])

    with HttpReceiver(respond=respond) as crm, SmtpServer() as smtp:

        def subjects() -> list[str]:
            return [str(mail.message["subject"]) for mail in smtp.mails]

        places = {"CRM_URL": crm.url, "SMTP_URL": smtp.url, "HUB_PUBLIC_URL": "https://hub.example.com"}
        with serving(tmp_path, ROUTES, f"sqlite:///{tmp_path}/hub.db", places) as hub:
            answer, _ = hub.send("user.created")
            hub.delivery(answer["event"], "dead")
            wait_until(lambda: len(subjects()) == 1, "the mail that it died")
            status[0] = 200
            answer, _ = hub.send("user.created")
            hub.delivery(answer["event"], "delivered")
            wait_until(lambda: len(subjects()) == 2, "the mail that it recovered")
            first, second = (str(mail.message) for mail in smtp.mails)

        with serving(tmp_path, ROUTES, f"sqlite:///{tmp_path}/hub.db", places) as hub:
            answer, _ = hub.send("user.created")
            hub.delivery(answer["event"], "delivered")

            assert len(subjects()) == 2

    assert "1 message to crm will not be tried again" in first
    assert "503" in first
    assert "hub retry --state dead --destination crm" in first
    assert "https://hub.example.com" in first
    assert "crm works again" in second
    assert "hub retry --state dead --destination crm" in second
