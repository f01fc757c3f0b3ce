"""The SQLite file under a hub that serves: its `-wal` is deleted, then a backup is moved over it."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import requests
from journeys.serving import Serving, serving, signed
from servers.program import PASSWORD, PATIENCE_SECONDS, ROOT, wait_until

from hub import catalog

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  log: {type: console}
routes:
  - {name: first, events: user.created, send: log}
"""
CURE = "stop the hub, restore as docs/deploy.md says under Restore, and start it"


def post(hub: Serving) -> requests.Response:
    body = catalog.sample_payload("user.created", {})
    return requests.post(f"{hub.url}/api/webhooks", data=body, headers=signed(body), timeout=PATIENCE_SECONDS)


def doctor(folder: Path, database_url: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "HUB_CONFIG": str(folder / "routes.yaml"),
    }
    return subprocess.run(
        [sys.executable, "-m", "hub", "doctor"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def page_of(hub: Serving) -> str:
    with requests.Session() as browser:
        form = browser.get(f"{hub.url}/login", timeout=PATIENCE_SECONDS).text
        token = form.partition('name="csrf_token"')[2].partition('value="')[2].partition('"')[0]
        signed_in = {"password": PASSWORD, "csrf_token": token}
        return browser.post(f"{hub.url}/login", data=signed_in, timeout=PATIENCE_SECONDS).text


def refuses(hub: Serving, reason: str) -> None:
    """Hold that the hub takes nothing, and that all who are asked, and web and worker, say why."""
    answers = [post(hub) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503] * 3
    assert "the database's file was replaced while the hub runs" in answers[0].json()["message"]
    ready = requests.get(f"{hub.url}/readyz", timeout=PATIENCE_SECONDS)
    assert ready.status_code == 503
    assert ready.json()["database"].endswith(CURE)
    findings = hub.api("findings")["items"]
    assert "database" in [finding["code"] for finding in findings if finding["severity"] == "bad"]
    assert "was replaced while the hub runs" in page_of(hub)
    for name in ("event.not_stored", "worker.store_unavailable"):
        wait_until(
            lambda name=name: re.search(f"{name}.*{reason}", hub.log.read_text()), f"{name} in the log"
        )


def events(hub: Serving) -> set[str]:
    return {item["id"] for item in hub.api("events?limit=100")["items"]}


def test_no_event_is_acknowledged_into_files_that_nobody_finds_again(tmp_path: Path) -> None:
    path = tmp_path / "hub.db"
    url = f"sqlite:///{path}"
    with serving(tmp_path, ROUTES, url, {}) as hub:
        kept = {hub.send("user.created")[0]["event"] for _ in range(5)}
        for name in ("hub.db-wal", "hub.db-shm"):
            (tmp_path / name).unlink()
        refuses(hub, "hub.db-wal was deleted or moved")
        report = doctor(tmp_path, url)
        assert report.returncode == 1
        assert CURE in report.stdout
    with serving(tmp_path, ROUTES, url, {}) as hub:
        assert kept <= events(hub)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM INTO ?", (str(tmp_path / "backup.db"),))
        for _ in range(3):
            hub.send("user.created")
        (tmp_path / "backup.db").replace(path)
        refuses(hub, "hub.db is another file")
    with serving(tmp_path, ROUTES, url, {}) as hub:
        kept |= {hub.send("user.created")[0]["event"]}

        assert events(hub) >= kept
        assert doctor(tmp_path, url).returncode == 0
