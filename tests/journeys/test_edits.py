"""An edit of a running hub's files: a good one serves at once, a bad one never, and no request is lost."""

from __future__ import annotations

import itertools
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from journeys.serving import Serving, serving, signed
from servers.http_receiver import CannedResponse, HttpReceiver
from servers.program import PASSWORD, PATIENCE_SECONDS, wait_until

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
LOAD_THREADS = 4


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
        f"{hub.url}/metrics", headers={"Authorization": f"Bearer {PASSWORD}"}, timeout=PATIENCE_SECONDS
    ).text
    return re.findall(r"^hub_config_last_reload_successful (\S+)$", text, re.MULTILINE)[0]


@contextmanager
def load_of(hub: Serving, per_second: float = float("inf")) -> Iterator[list[int]]:
    """Events all the time, from several threads; the status of every answer is kept."""
    pause_seconds = LOAD_THREADS / per_second
    statuses: list[int] = []
    ends = threading.Event()

    def send() -> None:
        with requests.Session() as session:
            while not ends.is_set():
                body = catalog.sample_payload("user.created", {})
                url = f"{hub.url}/api/webhooks"
                statuses.append(
                    session.post(url, data=body, headers=signed(body), timeout=PATIENCE_SECONDS).status_code
                )
                time.sleep(pause_seconds)

    threads = [threading.Thread(target=send) for _ in range(LOAD_THREADS)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        ends.set()
        for thread in threads:
            thread.join()


def test_a_good_edit_serves_without_a_lost_request_and_a_bad_one_is_refused(
    tmp_path: Path, sqlite_url: str
) -> None:
    with serving(tmp_path, ROUTES, sqlite_url, {}) as hub:
        assert routes_of(hub) == ["first"]

        with load_of(hub) as statuses:
            edited_at = edit(tmp_path, ROUTES.replace("first", "second"))
            wait_until(lambda: routes_of(hub) == ["second"], "the edit to serve")
            print(f"the edit served after {time.monotonic() - edited_at:.1f} s, {len(statuses)} requests")

        assert set(statuses) == {200}
        hub.delivery(hub.send("user.created")[0]["event"], "delivered")
        assert reload_successful(hub) == "1.0"

        edit(tmp_path, ROUTES.replace("first", "third").replace("send: log", "send: lag"))
        wait_until(lambda: reload_successful(hub) == "0.0", "the edit to be refused")

        assert routes_of(hub) == ["second"]
        problem = "routes.yaml:7:47: error[unknown-destination]"
        wait_until(lambda: problem in hub.log.read_text(), "its problem in the log")
        assert requests.get(f"{hub.url}/readyz", timeout=PATIENCE_SECONDS).status_code == 200

        # A process that dies is started again, and a bad file does not keep it from serving.
        pid = web_pid(hub)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: web_pid(hub) != pid and answers(hub), "the web process to be back")

        assert routes_of(hub) == ["second"]

    # Nor the whole hub, should it be started again before the file is mended.
    with serving(tmp_path, ROUTES.replace("send: log", "send: lag"), sqlite_url, {}) as hub:
        assert routes_of(hub) == ["second"]
        assert reload_successful(hub) == "0.0"

        edit(tmp_path, ROUTES.replace("first", "fourth"))
        wait_until(lambda: routes_of(hub) == ["fourth"], "the mended file to serve")

        assert reload_successful(hub) == "1.0"


RENAMED = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}", timeout: 90s}
routes:
  - {name: NAME, events: user.created, send: [{to: crm, template: http/NAME}]}
"""


def rename(folder: Path, name: str, before: str = "") -> None:
    """Rename the template, and name it so in its route."""
    templates = folder / "templates/http"
    templates.mkdir(parents=True, exist_ok=True)
    (templates / f"{name}.j2").write_text(f'{{"by": "{name}"}}')
    edit(folder, RENAMED.replace("NAME", name))
    (templates / f"{before}.j2").unlink(missing_ok=True)


def test_edits_that_rename_a_template_kill_no_delivery(tmp_path: Path, sqlite_url: str) -> None:
    names = ["a", "b", "c", "d"]
    rename(tmp_path, names[0])
    slow = HttpReceiver(respond=lambda request: time.sleep(0.05) or CannedResponse())
    with slow as receiver:
        environment = {"HUB_TEMPLATES": str(tmp_path / "templates"), "CRM_WEBHOOK_URL": receiver.url}
        routes = RENAMED.replace("NAME", names[0])
        with serving(tmp_path, routes, sqlite_url, environment) as hub:
            with load_of(hub, per_second=100) as statuses:
                for before, name in itertools.pairwise(names):
                    wait_for_more(statuses, 50)
                    rename(tmp_path, name, before)
                    wait_until(lambda name=name: routes_of(hub) == [name], "the edit")
            states = lambda: hub.api("stats")["deliveries"]  # noqa: E731
            wait_until(lambda: not states()["pending"] + states()["sending"], "all to be sent", 200)
            owed, counted = {}, states()
            for item in all_of(hub, "deliveries"):
                owed[item["id"]] = f'{{"by": "{item["route"]}"}}'.encode()
    sent = {request.headers["webhook-id"]: request.body for request in receiver.received}
    print(f"{len(statuses)} requests")

    assert set(statuses) == {200}
    assert (counted["dead"], counted["delivered"]) == (0, len(owed))
    assert sent == owed
    assert set(owed.values()) == {f'{{"by": "{name}"}}'.encode() for name in names}


def wait_for_more(answers: list[int], count: int) -> None:
    enough = len(answers) + count
    wait_until(lambda: len(answers) >= enough, f"{count} more answers")


def all_of(hub: Serving, noun: str) -> Iterator[dict[str, Any]]:
    before = ""
    while before is not None:
        page = hub.api(f"{noun}?limit=500&before={before}" if before else f"{noun}?limit=500")
        yield from page["items"]
        before = page["next"]


def web_pid(hub: Serving) -> int:
    """The web process as the log last named it."""
    started = [
        line for line in hub.log.read_text().splitlines() if "process.started" in line and "web" in line
    ]
    return int(re.findall(r"pid\W+(\d+)", started[-1])[0])


def answers(hub: Serving) -> bool:
    try:
        return requests.get(f"{hub.url}/healthz", timeout=PATIENCE_SECONDS).status_code == 200
    except requests.ConnectionError:
        return False
