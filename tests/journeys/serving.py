"""A real `hub serve` in a process of its own, and signed events to send to it."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from svix.webhooks import Webhook

from hub import catalog

ROOT = Path(__file__).parents[2]
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PASSWORD = "correct horse battery staple"


@dataclass(frozen=True)
class Serving:
    """A hub that answers at `url`; `log` is where its output goes."""

    url: str
    log: Path

    def send(self, event_type: str, changes: Mapping[str, Any] | None = None) -> tuple[dict[str, Any], bytes]:
        """Post one signed sample; returns the answer, which must be 200, and the bytes that were sent."""
        body = catalog.sample_payload(event_type, changes or {})
        answer = requests.post(f"{self.url}/api/webhooks", data=body, headers=signed(body), timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json(), body

    def api(self, path: str, method: str = "GET") -> Any:
        headers = {"Authorization": f"Bearer {PASSWORD}"}
        answer = requests.request(method, f"{self.url}/api/{path}", headers=headers, timeout=20)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def delivery(self, event: str, state: str, seconds: float = 20) -> dict[str, Any]:
        """The event's only delivery, once it is in a state."""
        deliveries: list[dict[str, Any]] = []

        def is_there() -> bool:
            deliveries[:] = self.api(f"deliveries?event={event}&state={state}")["items"]
            return len(deliveries) == 1

        wait_until(is_there, f"a delivery of {event} to be {state}", seconds)
        return self.api(f"deliveries/{deliveries[0]['id']}")


def signed(body: bytes) -> dict[str, str]:
    """The headers that prove a body, under a message id of its own."""
    message_id, now = f"msg_{secrets.token_hex(8)}", datetime.now(UTC)
    return {
        "svix-id": message_id,
        "svix-timestamp": str(int(now.timestamp())),
        "svix-signature": Webhook(SECRET).sign(message_id, now, body.decode()),
        "content-type": "application/json",
    }


@contextmanager
def serving(
    folder: Path, routes: str, database_url: str, environment: Mapping[str, str]
) -> Iterator[Serving]:
    """`hub serve` with these routes, the templates beside the test, and nothing else of ours."""
    config = folder / "routes.yaml"
    config.write_text(routes)
    log = folder / "hub.log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "hub", "serve"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": database_url,
            "HUB_CONFIG": str(config),
            "HUB_TEMPLATES": str(ROOT / "tests/config/configs/good/templates"),
            "HUB_PASSWORD": PASSWORD,
            "PORT": str(port),
            "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
    )
    hub = Serving(f"http://127.0.0.1:{port}", log)
    try:
        wait_until(lambda: is_ready(hub, process), f"the hub to be ready:\n{log.read_text()}", 30)
        yield hub
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(15)


def is_ready(hub: Serving, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, hub.log.read_text()
    try:
        return requests.get(f"{hub.url}/readyz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def wait_until(condition: Callable[[], bool], awaited: str, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"waited {seconds:g} s for {awaited}"
        time.sleep(0.1)


def as_json(body: bytes) -> Any:
    return json.loads(body)
