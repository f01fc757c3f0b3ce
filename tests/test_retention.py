"""A worker removes by itself what is older than the retention, and only what is owed to nobody."""

from __future__ import annotations

import threading
from datetime import timedelta

import given

from hub.deliver import Worker
from hub.fanout import fan_out
from hub.models import Send
from hub.store.store import Store


def test_a_worker_removes_what_is_older_than_the_retention(store: Store) -> None:
    places = (given.destination("crm"), given.destination("waits", options=None, missing=("CRM_URL",)))
    rules = given.rules(given.route("owed", ("user.created",), Send(to="waits")), destinations=places)
    owed = given.event(type_="user.created", received_at=given.NOON - timedelta(days=3))
    old = given.event(type_="role.created", received_at=given.NOON - timedelta(days=3))
    for event in (owed, old):
        fan_out(event, rules, store)
    worker = Worker(store, lambda: rules, threads=2, retention=timedelta(days=2))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        with_payload = given.until(lambda: payloads(store) if len(payloads(store)) < 2 else [])
    finally:
        worker.stop()
        thread.join(10)

    assert with_payload == [owed.id]


def payloads(store: Store) -> list[str]:
    with store.read() as reading:
        return [record.id for record in reading.events() if record.payload is not None]
