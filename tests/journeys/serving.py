"""A real `hub serve` in a process of its own, and signed events to send to it."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import given
import requests
from servers.program import PASSWORD, PATIENCE_SECONDS, ROOT, Program, free_port, wait_until
from signing import headers

from hub import catalog


@dataclass(frozen=True)
class Serving:
    """A hub that serves at `url`; `log` is the file of its output."""

    url: str
    log: Path

    def send(self, event_type: str, changes: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], bytes]:
        """Post one signed sample; return the response, which must be 200, and the bytes that were sent."""
        body = catalog.sample_payload(event_type, changes or {})
        response = requests.post(
            f"{self.url}/api/webhooks", data=body, headers=signed(body), timeout=PATIENCE_SECONDS
        )
        assert response.status_code == 200, response.text
        return response.json(), body

    def api(self, path: str, method: str = "GET") -> Any:
        authorization = {"Authorization": f"Bearer {PASSWORD}"}
        response = requests.request(
            method, f"{self.url}/api/{path}", headers=authorization, timeout=PATIENCE_SECONDS
        )
        assert response.status_code == 200, response.text
        return response.json()

    def delivery(self, event: str, state: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Return the event's only delivery, once it is in a state."""

        def one() -> list[dict[str, Any]]:
            items = self.api(f"deliveries?event={event}&state={state}")["items"]
            return items if len(items) == 1 else []

        (item,) = wait_until(one, f"a delivery of {event} to be {state}", seconds)
        return self.api(f"deliveries/{item['id']}")


def signed(body: bytes) -> dict[str, str]:
    """Return the headers that prove a body, under a message id of its own."""
    return {**headers(body, message_id=f"msg_{secrets.token_hex(8)}"), "content-type": "application/json"}


@contextmanager
def serving(
    folder: Path, routes: str, database_url: str, environment: Mapping[str, str]
) -> Iterator[Serving]:
    """Run `hub serve` with these routes, the templates beside the test, and nothing else of ours."""
    config = folder / "routes.yaml"
    config.write_text(routes)
    port = free_port()
    hub_environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "HUB_CONFIG": str(config),
        "HUB_TEMPLATES": str(ROOT / "tests/config/configs/good/templates"),
        "HUB_PASSWORD": PASSWORD,
        "PORT": str(port),
        "CLERK_WEBHOOK_SIGNING_SECRET": given.SECRET,
        **environment,
    }
    with Program(["serve"], folder, hub_environment) as program:
        url = f"http://127.0.0.1:{port}"
        program.wait_until_ready(url)
        yield Serving(url, program.output)


def as_json(body: bytes) -> Any:
    return json.loads(body)
