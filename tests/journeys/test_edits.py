"""An edit of a running hub's files: a good one serves at once, a bad one never, and no request is lost."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from journeys.serving import Serving, serving, signed
from servers.program import PASSWORD, wait_until

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
LATEST_SECONDS = 10
"""It takes less than two; the machine may be busy."""


def edit(folder: Path, text: str) -> float:
    """Replace routes.yaml as an editor does; returns when."""
    written = folder / "routes.yaml.new"
    written.write_text(text)
    written.replace(folder / "routes.yaml")
    return time.monotonic()


def routes_of(hub: Serving) -> list[str]:
    return list(hub.send("user.created")[0]["routes"])


def reload_successful(hub: Serving) -> str:
    text = requests.get(
        f"{hub.url}/metrics", headers={"Authorization": f"Bearer {PASSWORD}"}, timeout=20
    ).text
    return re.findall(r"^hub_config_last_reload_successful (\S+)$", text, re.MULTILINE)[0]


@contextmanager
def load_of(hub: Serving) -> Iterator[list[int]]:
    """Events all the time, from several threads; the status of every answer is kept."""
    statuses: list[int] = []
    ends = threading.Event()

    def send() -> None:
        with requests.Session() as session:
            while not ends.is_set():
                body = catalog.sample_payload("user.created", {})
                url = f"{hub.url}/api/webhooks"
                statuses.append(session.post(url, data=body, headers=signed(body), timeout=20).status_code)

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        ends.set()
        for thread in threads:
            thread.join(30)


def test_a_good_edit_serves_without_a_lost_request_and_a_bad_one_is_refused(
    tmp_path: Path, sqlite_url: str
) -> None:
    with serving(tmp_path, ROUTES, sqlite_url, {}) as hub:
        assert routes_of(hub) == ["first"]

        with load_of(hub) as statuses:
            edited_at = edit(tmp_path, ROUTES.replace("first", "second"))
            wait_until(lambda: routes_of(hub) == ["second"], "the edit to serve", LATEST_SECONDS)
            print(f"the edit served after {time.monotonic() - edited_at:.1f} s, {len(statuses)} requests")

        assert set(statuses) == {200}
        hub.delivery(hub.send("user.created")[0]["event"], "delivered")
        assert reload_successful(hub) == "1.0"

        edit(tmp_path, ROUTES.replace("first", "third").replace("send: log", "send: lag"))
        wait_until(lambda: reload_successful(hub) == "0.0", "the edit to be refused", LATEST_SECONDS)

        assert routes_of(hub) == ["second"]
        assert "routes.yaml:7:47: error[unknown-destination]" in hub.log.read_text()
        assert requests.get(f"{hub.url}/readyz", timeout=20).status_code == 200

        # A process that dies is started again, and a bad file does not keep it from serving.
        pid = web_pid(hub)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: web_pid(hub) != pid and answers(hub), "the web process to be back", 20)

        assert routes_of(hub) == ["second"]

    # Nor the whole hub, should it be started again before the file is mended.
    with serving(tmp_path, ROUTES.replace("send: log", "send: lag"), sqlite_url, {}) as hub:
        assert routes_of(hub) == ["second"]
        assert reload_successful(hub) == "0.0"

        edit(tmp_path, ROUTES.replace("first", "fourth"))
        wait_until(lambda: routes_of(hub) == ["fourth"], "the mended file to serve", LATEST_SECONDS)

        assert reload_successful(hub) == "1.0"


def web_pid(hub: Serving) -> int:
    """The web process as the log last named it."""
    started = [
        line for line in hub.log.read_text().splitlines() if "process.started" in line and "web" in line
    ]
    return int(re.findall(r"pid\W+(\d+)", started[-1])[0])


def answers(hub: Serving) -> bool:
    try:
        return requests.get(f"{hub.url}/healthz", timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
