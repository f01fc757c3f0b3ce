"""No secret of the environment is kept or shown: in the database, on a page, in an answer, in a line."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import given
import psycopg
import requests
from journeys.serving import Serving, serving
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.program import PASSWORD, ROOT
from servers.smtp_server import Script, SmtpServer

ROUTES = """\
version: 1
sources:
  clerk:
    type: clerk
    path: /api/webhooks
    signing_secret: ["${CLERK_WEBHOOK_SIGNING_SECRET}", "${OLD_SECRET}"]
defaults: {retry: []}
destinations:
  crm:
    type: http
    url: "${CRM_URL}"
    headers: {Authorization: "Bearer ${CRM_TOKEN}"}
    sign_with: "${CRM_SIGNING}"
  team: {type: slack, webhook_url: "${TEAM_URL}"}
  mail: {type: email, smtp_url: "${MAIL_URL}", from: hub@example.com, to: [ada@example.com]}
  log: {type: console}
routes:
  - name: all
    events: user.created
    when: ["${ONLY} != data.id", "data.id != '${ONLY}'"]
    send:
      - to: crm
        path: /x/${IN_PATH}
        query: {key: "${IN_QUERY}"}
        headers: {X-Key: "${IN_HEADER}"}
        json: {routing_key: "${IN_JSON}", other: "${IN_EVENT}", id: "{{ data.id }}"}
      - {to: crm, form: {key: "${IN_FORM}"}}
      - {to: crm, body: "<key>${IN_BODY}</key>", content_type: application/xml}
      - to: team
        text: "hello ${IN_TEXT}"
        blocks: [{type: section, text: {type: mrkdwn, text: "${IN_BLOCK}"}}]
      - {to: mail, subject: "about ${IN_SUBJECT}", html: "<p title='${IN_HTML}'>hi</p>"}
      - {to: log, text: "{{ data.id }}"}
  - name: failing
    events: user.created
    when: "data.id + ${FAILING} + 1"
    send: log
"""
VARIABLES = sorted(set(re.findall(r"\$\{(\w+)\}", ROUTES)) - {"CLERK_WEBHOOK_SIGNING_SECRET"})
SECRET_OF = {name: f"s3cret-of_{name.lower()}<&'é" for name in VARIABLES} | {"IN_EVENT": "s4cret-of_event"}


def environment(crm: HttpReceiver, mail: SmtpServer) -> dict[str, str]:
    """Values that are known again, whatever part of them comes out."""
    host = crm.url.removeprefix("http://")
    quoted = {name: quote(secret, safe="") for name, secret in SECRET_OF.items()}
    return {
        **SECRET_OF,
        "OLD_SECRET": "whsec_" + base64.b64encode(b"s3cret-of_old_secret and more").decode(),
        "CRM_URL": f"http://hub:{quoted['CRM_URL']}@{host}/hooks",
        "CRM_TOKEN": "s3cret-of_crm_token",
        "CRM_SIGNING": "whsec_" + base64.b64encode(b"s3cret-of_crm_signing and more").decode(),
        "TEAM_URL": f"http://{host}/services/s3cret-of_team_url",
        "MAIL_URL": f"{mail.url.replace('smtp://', 'smtp://hub:s3cret-of_mail_url@')}?starttls=never",
    }


def repeat(request: ReceivedRequest) -> CannedResponse:
    """Refuse a request with all that was in it; of a message to people the words may be shown."""
    if request.path.startswith("/services/"):
        return CannedResponse(status=400, body=request.path.encode())
    parts = [request.path, json.dumps(dict(request.headers)), request.body.decode()]
    return CannedResponse(status=400, body=" | ".join(parts).encode())


def in_database(url: str) -> bytes:
    """All that the database holds: SQLite's files, or every row of PostgreSQL."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*") if file.is_file())
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [
            connection.execute(f"SELECT to_jsonb({name})::text FROM {name}").fetchall() for (name,) in tables
        ]
        payloads = connection.execute("SELECT payload FROM events").fetchall()
    return f"{rows}".encode() + b"".join(bytes(payload) for (payload,) in payloads)


def shown(hub: Serving) -> Iterator[tuple[str, str]]:
    """Every page and answer of a hub."""
    deliveries = hub.api("deliveries?limit=500")["items"]
    event = deliveries[0]["event"]
    paths = ["events", "deliveries?limit=500", "destinations", "stats", "findings", f"events/{event}"]
    for path in [*paths, *(f"deliveries/{delivery['id']}" for delivery in deliveries)]:
        yield path, json.dumps(hub.api(path), ensure_ascii=False)
    with requests.Session() as browser:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get(f"{hub.url}/login").text)
        assert token is not None
        form = {"password": PASSWORD, "csrf_token": token[1]}
        assert browser.post(f"{hub.url}/login", data=form).url == f"{hub.url}/"
        pages = ["", "events", "deliveries", "destinations", "routes", f"events/{event}"]
        for path in [*pages, *(f"deliveries/{delivery['id']}" for delivery in deliveries)]:
            page = browser.get(f"{hub.url}/{path}")
            assert page.status_code == 200, path
            yield f"/{path}", page.text


def printed(folder: Path, variables: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Whatever commands print of the routes and of one message of each."""
    folder.joinpath("routes.test.yaml").write_text("- {name: a, event: user.created, expect: []}\n")
    env = {
        "PYTHONPATH": str(ROOT),
        "HUB_CONFIG": str(folder / "routes.yaml"),
        "HUB_TEMPLATES": str(folder),
        "CLERK_WEBHOOK_SIGNING_SECRET": given.SECRET,
        **variables,
    }
    for command in (["preview", "user.created"], ["preview", "user.created", "--json"], ["test"], ["check"]):
        done = subprocess.run(
            [sys.executable, "-m", "hub", *command], env=env, capture_output=True, text=True, check=False
        )
        yield " ".join(command), done.stdout + done.stderr


def test_no_secret_of_the_environment_is_kept_or_shown(empty_url: str, tmp_path: Path) -> None:
    script = Script(rcpt={"ada@example.com": "550 no such key: s3cret-of_mail_url"})
    login = ("hub", "s3cret-of_mail_url")
    with HttpReceiver(respond=repeat) as crm, SmtpServer(script=script, login=login) as mail:
        variables = environment(crm, mail)
        with serving(tmp_path, ROUTES, empty_url, variables) as hub:
            answer, _ = hub.send("user.created", {"data.first_name": SECRET_OF["IN_EVENT"]})
            event = answer["event"]
            given.until(lambda: len(hub.api(f"deliveries?event={event}&state=dead")["items"]) == 5)
            outputs = dict(shown(hub))
            outputs["log"] = hub.log.read_text()
            outputs |= dict(printed(tmp_path, variables))
            kept = in_database(empty_url)
        requests_ = crm.inbox.wait_for(4)

    sent = "".join(f"{request.path} {request.headers} {request.body.decode()}" for request in requests_)
    assert all(f"in_{place}" in sent for place in ("path", "query", "header", "json", "form", "body", "text"))
    assert "s4cret" not in "".join(outputs.values())
    # What an event says is kept as it came, and masked where it is shown.
    outputs["database"] = kept.decode("latin-1")
    for name, text in outputs.items():
        assert re.findall(r"s3cret.{0,20}", text) == [], name
        for part in (b"hub:s3cre", b"s3cret-of"):
            assert base64.b64encode(part).decode() not in text, name
    assert "${IN_JSON}" in outputs["preview user.created"]
    assert "${IN_HEADER}" in "".join(outputs.values())
