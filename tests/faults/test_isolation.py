"""Destinations in trouble: others do not notice, breakers open and close, and waiting uses no attempt."""

from __future__ import annotations

import secrets
import statistics
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from faults.conftest import Count
from faults.hubs import PATIENCE_SECONDS, Hub, wait_until
from servers.http_receiver import CannedResponse, Failure, HttpReceiver, ReceivedRequest
from signing import headers
from sqlalchemy import insert, select, update

from hub import catalog
from hub.delivery.throttle import FIRST_PROBE_SECONDS
from hub.model.delivery import State
from hub.model.event import new_id
from hub.model.filter import Filter
from hub.store.open import open_store
from hub.store.store import Store, Transaction
from hub.store.tables import attempts, deliveries, destinations

OVERDUE = 10_000

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s], timeout: 300s}
destinations:
  healthy: {type: http, url: "${CRM_WEBHOOK_URL}/healthy"}
  hangs: {type: http, url: "${CRM_WEBHOOK_URL}/hangs", concurrency: 16}
  drips: {type: http, url: "${CRM_WEBHOOK_URL}/drips", concurrency: 16}
  fails: {type: http, url: "${CRM_WEBHOOK_URL}/fails"}
  flooded: {type: http, url: "${CRM_WEBHOOK_URL}/flooded"}
routes:
  - {name: calm, events: user.updated, send: healthy}
  - {name: trouble, events: user.created, send: [hangs, drips, fails, flooded]}
"""

FAULTS = {
    "/hangs": CannedResponse(failure=Failure.CLOSE),
    "/drips": CannedResponse(failure=Failure.DRIP_BODY),
    "/fails": CannedResponse(status=500),
}
"""What hangs does so until the test lets it end, and then nobody was answered."""


@pytest.mark.timeout(600)
def test_destinations_in_trouble_slow_no_other(tmp_path: Path, is_full: bool, count: Count) -> None:
    faults, events = dict(FAULTS), 300 if is_full else 40
    hangs_until = threading.Event()

    def respond(request: ReceivedRequest) -> CannedResponse:
        if request.path == "/flooded":
            time.sleep(0.05)
        if request.path == "/hangs":
            hangs_until.wait()
        return faults.get(request.path, CannedResponse())

    url = f"sqlite:///{tmp_path / 'hub.db'}"
    with HttpReceiver(respond=respond, drip_seconds=1.0) as receiver:
        environment = {"DATABASE_URL": url, "ROUTES": ROUTES, "CRM_WEBHOOK_URL": receiver.url}
        with Hub(tmp_path, environment, "serve") as hub:
            calm, _ = waits(hub, receiver, events)
            event_id = post(hub, "user.created")
            store = open_store(url)
            make_overdue(store, event_id, OVERDUE)
            for _ in range(30):
                post(hub, "user.created")
            troubled, overtaken_by = waits(hub, receiver, events)
            hangs_until.set()
            wait_until(lambda: is_open(store, "fails", "hangs"), "the breakers to open", explain=hub.tail)
            new = post(hub, "user.created")
            before = waited_behind(store, receiver, new)
            to_fails, to_hangs = began_at(store, "fails"), began_at(store, "hangs")
            faults.clear()
            probe_now(store, "fails", "hangs")
            wait_until(lambda: all_delivered(store, "fails", "hangs"), "what waited", 200, hub.tail)
            closed = not is_open(store, "fails") and not is_open(store, "hangs")
            tried = tries(store, "fails")
            arrived = sum(request.path == "/fails" for request in receiver.received)
            store.close()
            # What drips is delivered with that; it would keep the hub from its end.
            receiver.close_connections()
    ratio = statistics.median(troubled) / statistics.median(calm)
    count(
        events=2 * events + 32,
        overdue=OVERDUE,
        median_wait_ratio=f"{ratio:.2f}",
        overtaken_by=max(overtaken_by),
        waited_behind=before,
        sent_to_what_fails=len(to_fails),
    )

    # Behind one that hangs they would not have come at all. In a second 80 go to the one that is flooded.
    assert statistics.median(overtaken_by) < 20
    assert max(overtaken_by) < OVERDUE / 20
    assert before < OVERDUE / 20
    # What was under way when the fifth had failed, of 4 and of 16 at once; and then one at a time.
    assert waits_ever_longer(to_fails[5 + 3 - 1 :])
    assert waits_ever_longer(to_hangs[5 + 15 - 1 :])
    assert sum(tried) == arrived
    assert closed


def post(hub: Hub, event_type: str) -> str:
    body = catalog.sample_payload(event_type, {})
    sent = headers(body, message_id=f"msg_{secrets.token_hex(10)}")
    answer = requests.post(f"{hub.url}/api/webhooks", data=body, headers=sent, timeout=PATIENCE_SECONDS)
    answer.raise_for_status()
    return str(answer.json()["event"])


def waits(hub: Hub, receiver: HttpReceiver, count: int) -> tuple[list[float], list[int]]:
    """Send so many events to the healthy destination, each once the one before has arrived there.

    Return the seconds that each took from POST to arrival, and how many arrived at the flooded destination
    between the answer to its POST and its own arrival.
    """
    seconds, overtaken_by = [], []
    for _ in range(count):
        began = time.monotonic()
        event_id = post(hub, "user.updated")
        already = len(receiver.received)
        while not any(request.headers["hub-event-id"] == event_id for request in receiver.received[-200:]):
            assert time.monotonic() - began < PATIENCE_SECONDS, "it did not arrive at the healthy destination"
            time.sleep(0.002)
        seconds.append(time.monotonic() - began)
        later = receiver.received[already:]
        place = next((n for n, r in enumerate(later) if r.headers["hub-event-id"] == event_id), 0)
        overtaken_by.append(sum(request.path == "/flooded" for request in later[:place]))
    return seconds, overtaken_by


def make_overdue(store: Store, event_id: str, count: int) -> None:
    """Retries to the flooded destination that were due a year ago, by SQL."""

    def work(transaction: Transaction) -> None:
        connection = transaction.session.connection
        one = select(deliveries).where(
            deliveries.c.event_id == event_id, deliveries.c.destination == "flooded"
        )
        row = connection.execute(one).one()._mapping
        due = {"state": "pending", "token": None, "lease_until": None, "delivered_at": None}
        due |= {"finished_at": None, "tries": 1, "attempts": 1, "message": None}
        due |= {"due_at": transaction.now - timedelta(days=365)}
        rows = [
            {**row, **due, "id": new_id("dlv", transaction.now), "position": n} for n in range(1, count + 1)
        ]
        connection.execute(insert(deliveries), rows)

    store.write(work)
    store.wake()


def waited_behind(store: Store, receiver: HttpReceiver, event_id: str) -> int:
    """Return the number of others that arrived at the flooded destination while an event waited."""

    def receivers() -> list[int]:
        at_flooded = [request for request in receiver.received if request.path == "/flooded"]
        return [n for n, request in enumerate(at_flooded) if request.headers["hub-event-id"] == event_id]

    already = sum(request.path == "/flooded" for request in receiver.received)
    wait_until(receivers, "a first attempt beside old retries", 200)
    return receivers()[0] - already


def is_open(store: Store, *names: str) -> bool:
    with store.read() as snapshot:
        states = snapshot.destinations.all()
    return all(states[name].probe_at is not None for name in names)


def began_at(store: Store, name: str) -> Sequence[datetime]:
    """Return when each attempt at a destination began, in their order."""
    statement = select(attempts.c.at).where(attempts.c.destination == name).order_by(attempts.c.at)
    with store.read() as snapshot:
        return snapshot.session.connection.execute(statement).scalars().all()


def tries(store: Store, name: str) -> Sequence[int]:
    """Return the attempts that each delivery to a destination used."""
    with store.read() as snapshot:
        return [
            record.attempts for record in snapshot.delivery_list.records(Filter(destination=name), limit=500)
        ]


def waits_ever_longer(moments: Sequence[datetime]) -> bool:
    """Return True where 5 s at least, then 10 s, and so on twice as long lie between two moments."""
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    return all(gap >= FIRST_PROBE_SECONDS * 2**number for number, gap in enumerate(gaps))


def probe_now(store: Store, *names: str) -> None:
    """Let the time pass until the next probe."""
    store.write(
        lambda t: (
            t.session.connection.execute(
                update(destinations).where(destinations.c.name.in_(names)).values(probe_at=t.now)
            )
            and None
        )
    )
    store.wake()


def all_delivered(store: Store, *names: str) -> bool:
    with store.read() as snapshot:
        records = [
            record
            for name in names
            for record in snapshot.delivery_list.records(Filter(destination=name), limit=500)
        ]
    return all(record.state is State.DELIVERED for record in records)
