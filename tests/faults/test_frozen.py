"""A worker is frozen for longer than its lease, as a machine that was suspended: it comes back too late."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from faults.conftest import Count
from faults.hubs import Hub, Sender, kill, settle, wait_until
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest

from hub.model.delivery import Outcome, State
from hub.store.open import open_store

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s], timeout: 8s}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}"}
routes:
  - {name: everything, events: "*", send: crm}
"""


@pytest.mark.timeout(600)
def test_a_worker_that_was_frozen_cannot_overwrite_its_successor(tmp_path: Path, count: Count) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    workers: list[int] = []

    def freeze_the_first(_: ReceivedRequest) -> CannedResponse:
        if len(crm.received) == 1:
            kill(workers[0], signal.SIGSTOP)
            crm.stopping.wait()
        return CannedResponse()

    with HttpReceiver(respond=freeze_the_first) as crm:
        url = f"sqlite:///{tmp_path / 'hub.db'}"
        environment = {"DATABASE_URL": url, "ROUTES": ROUTES, "CRM_WEBHOOK_URL": crm.url}
        with Hub(folders[0], environment, "web", "worker") as first:
            workers.append(first.pids()[-1])
            with Sender(first, threads=1, limit=1) as sender:
                crm.wait_for(1)
            with Hub(folders[1], environment, "serve"):
                crm.wait_for(2)
                kill(workers[0], signal.SIGCONT)
                wait_until(
                    lambda: "delivery.late" in first.tail(), "the first to be late", explain=first.tail
                )
                settle(url, 90)
    (answer,) = sender.accepted.values()
    store = open_store(url)
    with store.read() as snapshot:
        (listed,) = snapshot.delivery_list.records(event=answer["event"])
        record = snapshot.delivery_list.record(listed.id)
    store.close()
    count(times=1, events=1, deliveries=1, duplicates=len(crm.received) - 1)

    assert record.state is State.DELIVERED
    assert [attempt.outcome for attempt in record.attempt_list] == [Outcome.UNKNOWN, Outcome.DELIVERED]
    assert len(crm.received) == 2
