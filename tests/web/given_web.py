"""The ground of the web's tests: a configuration, genuine requests, and the app on a real store."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import given
from flask import Flask
from flask.testing import FlaskClient
from pydantic import BaseModel

from hub.destinations.console import ConsoleOptions
from hub.destinations.http.options import HttpOptions
from hub.ingest.route import Rules, load_rules
from hub.model.config import Config
from hub.model.destination import DestinationConfig
from hub.model.problem import Problem
from hub.model.routing import Route, Send
from hub.rules.reload import Serving
from hub.settings import Settings
from hub.store.store import Store
from hub.web import create_app
from hub.web.app import Hub

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PASSWORD = "correct horse battery"
KEY = {"Authorization": f"Bearer {PASSWORD}"}
PATH = "/api/webhooks"
SINCE = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)
CRM_URL = "https://crm.example.com:8443/hooks/T0SECRET?token=verysecret"


def destination(name: str, options: BaseModel | None, type_: str = "http", **more: Any) -> DestinationConfig:
    return DestinationConfig(
        name=name,
        type=type_,
        options=options,
        retry_seconds=(5.0, 300.0),
        timeout_seconds=10.0,
        give_up_after_seconds=259200.0,
        concurrency=4,
        **more,
    )


def a_config(**changes: Any) -> Config:
    clerk = given.source(path=PATH, ignore=("session.*",))
    config = Config(
        version="1",
        sources={"clerk": clerk},
        destinations={
            "crm": destination("crm", HttpOptions(url=CRM_URL)),
            "log": destination("log", ConsoleOptions(), "console"),
            "growth": destination("growth", None, "slack", missing=("SLACK_WEBHOOK_URL",)),
        },
        routes=(
            Route(
                name="waitlist",
                events=("waitlistEntry.created",),
                sends=(Send(to="crm"), Send(to="log", fields={"text": "{{ data.email_address }} waits"})),
            ),
            Route(
                name="invited",
                events=("invitation.*",),
                when=("data.status == 'accepted'",),
                sends=(Send(to="log"),),
            ),
        ),
    )
    return replace(config, **changes)


def signed(body: bytes, message_id: str = "msg_1", *, at: float | None = None) -> dict[str, str]:
    timestamp = str(int(at if at is not None else time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    content = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"svix-id": message_id, "svix-timestamp": timestamp, "svix-signature": f"v1,{signature}"}


def payload(type_: str = "waitlistEntry.created", **data: Any) -> bytes:
    body = {"object": "event", "type": type_, "timestamp": 1700000000000, "data": data}
    return json.dumps(body).encode()


@dataclass
class World:
    """The app with everything it stands on; `config` may be changed while it runs."""

    store: Store
    config: Config
    settings: Settings
    refused: tuple[Problem, ...] = ()
    _rules: dict[int, Rules] = field(default_factory=dict)
    _apps: list[Hub] = field(default_factory=list)

    def serving(self) -> Serving:
        return Serving(rules=self.rules(), since=SINCE, refused=self.refused)

    def rules(self) -> Rules:
        if id(self.config) not in self._rules:
            self._rules[id(self.config)] = load_rules(self.config)
        return self._rules[id(self.config)]

    def app(self, **changes: Any) -> Flask:
        app = create_app(self.store, self.serving, replace(self.settings, **changes))
        self._apps.append(app)
        return app

    def close(self) -> None:
        """End what the apps have begun in the background."""
        for app in self._apps:
            app.close()

    def send(self, client: FlaskClient, body: bytes, message_id: str = "msg_1") -> dict[str, Any]:
        """One genuine event through the front door; returns what was answered."""
        answer = client.post(PATH, data=body, headers=signed(body, message_id))
        assert answer.status_code == 200, answer.text
        return dict(answer.get_json())
