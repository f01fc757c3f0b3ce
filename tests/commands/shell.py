"""The environments in which commands run, and the hub that they speak to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from click.testing import Result
from servers.http_receiver import HttpReceiver, ReceivedRequest
from servers.program import PASSWORD, ROOT

Run = Callable[..., Result]
"""Runs a command in this process."""

ROUTES = """\
version: 1
sources:
  clerk:
    type: clerk
    path: /api/webhooks
    signing_secret: ${CLERK_WEBHOOK_SIGNING_SECRET}
    ignore: [session.*]
  partner:
    type: svix
    path: /api/partner
    signing_secret: ${PARTNER_SECRET}
destinations:
  crm:
    type: http
    url: ${CRM_WEBHOOK_URL}/crm
  gone:
    type: http
    url: ${CRM_WEBHOOK_URL}/gone
  team:
    type: slack
    webhook_url: ${SLACK_WEBHOOK_URL}
routes:
  - {name: to-crm, events: user.created, send: crm}
  - {name: to-gone, events: user.deleted, send: gone}
"""


def bare_environment(**more: str) -> dict[str, str]:
    """Return an environment in which nothing is set but what Python needs."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def shipped_environment(**more: str) -> dict[str, str]:
    """Return the same with the shipped routes and templates."""
    files = {"HUB_CONFIG": str(ROOT / "config/routes.yaml"), "HUB_TEMPLATES": str(ROOT / "templates")}
    return bare_environment(**files, **more)


@dataclass
class Served:
    """A hub that serves, web and worker, and the endpoint that its destinations share."""

    url: str
    environment: dict[str, str]
    receiver: HttpReceiver
    statuses: dict[str, int] = field(default_factory=dict)

    def arrival_of(self, event_id: str) -> ReceivedRequest:
        """Return the first request about an event, as soon as it has arrived."""

        def of_event(requests: list[ReceivedRequest]) -> list[ReceivedRequest]:
            return [request for request in requests if request.headers.get("hub-event-id") == event_id]

        return of_event(self.receiver.inbox.wait_until(lambda requests: bool(of_event(requests)), event_id))[
            0
        ]

    @property
    def remote(self) -> dict[str, str]:
        """The environment of somebody who operates it from another machine."""
        return bare_environment(HUB_PASSWORD=PASSWORD)
