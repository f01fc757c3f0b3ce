"""Edits that rename templates while events come in, and two releases with other templates on one database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.conftest import Count
from faults.hubs import Hub, Receivers, Sender, reckon, settle, wait_until
from sqlalchemy import select

from hub.store.open import open_store
from hub.store.tables import deliveries

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}/crm", concurrency: 16}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: hub@example.com, to: [team@example.com], concurrency: 8}
routes:
  - {name: NAME, events: "*", send: [{to: crm, template: http/NAME}, {to: mail, template: email/NAME}]}
"""
TEMPLATES = {
    "http/NAME.j2": '{"by": "NAME", "id": {{ data.id }}}',
    "email/NAME.txt.j2": "by NAME {% include 'NAME-end.j2' %}",
    "NAME-end.j2": "for {{ data.id }}",
}
EDIT_SECONDS = 2.0
EVENTS = 2000


def edit(folder: Path, name: str, before: str | None = None) -> None:
    """Name the templates and their route anew, as one who renames files in an editor does."""
    for file, text in TEMPLATES.items():
        template = folder / "templates" / file.replace("NAME", name)
        template.parent.mkdir(parents=True, exist_ok=True)
        template.write_text(text.replace("NAME", name))
    written = folder / "routes.yaml.new"
    written.write_text(ROUTES.replace("NAME", name))
    written.replace(folder / "routes.yaml")
    for file in TEMPLATES if before else ():
        (folder / "templates" / file.replace("NAME", str(before))).unlink()


@contextmanager
def edits(*hubs: Hub) -> Iterator[list[str]]:
    """Rename the templates of each hub again and again; yields the names that they had."""
    names, ends = ["first"], threading.Event()

    def run() -> None:
        while not ends.wait(EDIT_SECONDS):
            names.append(f"edit-{len(names)}")
            for number, hub in enumerate(hubs):
                edit(hub.folder, f"{names[-1]}-{number}", f"{names[-2]}-{number}")

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield names
    finally:
        ends.set()
        thread.join()


def prepared(folder: Path, number: int, url: str, receivers: Receivers) -> Hub:
    folder.mkdir()
    environment = {**receivers.environment, "DATABASE_URL": url}
    hub = Hub(folder, environment, "serve")
    edit(folder, f"first-{number}")
    return hub


def rendered_by_others(url: str, receivers: Receivers) -> int:
    """Return how many messages were not made by the templates that their route named, in their words."""
    store = open_store(url)
    with store.read() as snapshot:
        statement = select(deliveries.c.id, deliveries.c.route, deliveries.c.degraded)
        rows = snapshot.session.connection.execute(statement).all()
    store.close()
    routes = {id_: route for id_, route, _ in rows}
    requests = receivers.http.received
    others = [r for r in requests if f'"by": "{routes[r.headers["webhook-id"]]}"'.encode() not in r.body]
    return len(others) + sum(reason is not None for _, _, reason in rows)


def after_all_are_accepted(*senders: Sender) -> None:
    wait_until(lambda: all(len(sender.accepted) == sender.limit for sender in senders), "all events", 300)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_edits_that_rename_templates_kill_nothing(
    sqlite_url: str, tmp_path: Path, receivers: Receivers, count: Count
) -> None:
    with prepared(tmp_path / "one", 0, sqlite_url, receivers) as hub:
        sender = Sender(hub, threads=8, limit=EVENTS)
        with edits(hub) as names, sender:
            after_all_are_accepted(sender)
        settle(sqlite_url, 120)
    reckoning = reckon(sqlite_url, sender, receivers)
    others = rendered_by_others(sqlite_url, receivers)
    count("on SQLite", times=len(names) - 1, **reckoning.numbers(), rendered_by_others=others)

    assert (reckoning.unfinished, reckoning.lost, reckoning.unexplained, others) == ((), (), (), 0)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_it_does_not_matter_which_of_two_releases_claims_what(
    new_postgres_database: Callable[..., str], tmp_path: Path, receivers: Receivers, count: Count
) -> None:
    url = new_postgres_database()
    with (
        prepared(tmp_path / "older", 0, url, receivers) as older,
        prepared(tmp_path / "newer", 1, url, receivers) as newer,
    ):
        senders = [Sender(hub, threads=4, limit=EVENTS // 2) for hub in (older, newer)]
        with edits(older, newer) as names, senders[0], senders[1]:
            after_all_are_accepted(*senders)
        settle(url, 120)
    both = senders[0]
    both.accepted.update(senders[1].accepted)
    reckoning = reckon(url, both, receivers)
    others = rendered_by_others(url, receivers)
    count("on PostgreSQL", times=len(names) - 1, **reckoning.numbers(), rendered_by_others=others)

    assert (reckoning.unfinished, reckoning.lost, reckoning.unexplained, others) == ((), (), (), 0)
