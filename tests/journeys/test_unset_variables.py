"""A bad value stops nothing: the hub starts, says what it lacks, and sends once that is mended."""

from __future__ import annotations

import json
from pathlib import Path

import given
import pytest
import requests
from journeys.serving import serving, signed
from servers.http_receiver import HttpReceiver
from servers.program import PATIENCE_SECONDS

from hub import catalog

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
  other: {type: clerk, path: "${OTHER_PATH:-/api/other}", signing_secret: "${OTHER_SECRET}"}
defaults: {timeout: "${TIMEOUT}"}
destinations:
  crm: {type: http, url: "${CRM_URL}"}
  pager: {type: http, url: "${PAGER_URL}"}
routes:
  - {name: to-crm, events: user.created, send: crm}
  - name: page
    events: user.created
    send: {to: pager, json: {routing_key: "${PD_KEY}"}}
  - {name: admins, events: user.created, when: "data.id != ${ADMIN}", send: crm}
"""


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hub.db'}"


def test_a_bad_value_lets_things_wait_until_it_is_mended(database_url: str, tmp_path: Path) -> None:
    body = catalog.sample_payload("user.created", {})
    headers = signed(body)
    with HttpReceiver() as crm, HttpReceiver() as pager:
        bad = {
            "CRM_URL": crm.url.removeprefix("http://"),
            "PAGER_URL": pager.url,
            "OTHER_SECRET": f"{given.SECRET[:20]}\n{given.SECRET[20:]}",
            "OTHER_PATH": "healthz",
            "TIMEOUT": "soon",
            "HUB_PUBLIC_URL": "hub.example.com",
        }
        with serving(tmp_path, ROUTES, database_url, bad) as hub:
            answer = requests.post(
                f"{hub.url}/api/webhooks", data=body, headers=headers, timeout=PATIENCE_SECONDS
            ).json()
            other = requests.post(
                f"{hub.url}/api/other", data=body, headers=headers, timeout=PATIENCE_SECONDS
            )
            items = hub.api(f"deliveries?event={answer['event']}")["items"]
            findings = {item["subject"]: item for item in hub.api("findings")["items"]}
            log = hub.log.read_text()
        mended = {"CRM_URL": crm.url, "PAGER_URL": pager.url, "PD_KEY": "k3y", "ADMIN": "nobody"}
        with serving(tmp_path, ROUTES, database_url, mended) as hub:
            (page,) = pager.inbox.wait_for(1)
            resent = requests.post(
                f"{hub.url}/api/webhooks", data=body, headers=headers, timeout=PATIENCE_SECONDS
            ).json()
            arrived = crm.inbox.wait_for(2)

    assert (answer["routes"], answer["deliveries"]) == (["to-crm", "page"], 2)
    assert (other.status_code, other.json()["error"]) == (503, "not_configured")
    assert sorted((item["route"], item["attempts"], item["why"]["code"]) for item in items) == [
        ("page", 0, "not_configured"),
        ("to-crm", 0, "not_configured"),
    ]
    assert findings["crm"]["reason"].startswith(
        'CRM_URL cannot be used: "url" must be a URL that starts with'
    )
    assert crm.url.removeprefix("http://") not in log + json.dumps(findings)
    assert "OTHER_PATH cannot be used" in log
    assert "HUB_PUBLIC_URL cannot be used" in log
    assert json.loads(page.body) == {"routing_key": "k3y"}
    assert (resent["duplicate"], resent["deliveries"]) == (True, 1)
    assert [request.body for request in arrived] == [body, body]
