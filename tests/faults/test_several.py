"""Several machines on one PostgreSQL: processes of their own, whose clocks differ by minutes."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path

import pytest
from faults.conftest import Count
from faults.databases import Postgres, Way
from faults.hubs import LEASE_SECONDS, ROOT, Hub, Sender, settle, wait_until
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from sqlalchemy import select, update

from hub.model.delivery import Outcome, State
from hub.model.filter import Filter
from hub.model.moments import LONGEST_PROBE_SECONDS
from hub.store.open import open_store
from hub.store.store import Store, Transaction
from hub.store.tables import attempts, deliveries, destinations, events

CONCURRENCY, PER_SECOND = 3, 10

ROUTES = f"""\
version: 1
sources:
  clerk: {{type: clerk, path: /api/webhooks, signing_secret: "${{CLERK_WEBHOOK_SIGNING_SECRET}}"}}
defaults: {{retry: [1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s], timeout: 90s}}
destinations:
  crm: {{type: http, url: "${{CRM_WEBHOOK_URL}}/crm", concurrency: {CONCURRENCY}}}
  paced: {{type: http, url: "${{CRM_WEBHOOK_URL}}/paced", rate_limit: {PER_SECOND}/s, concurrency: 16}}
  broken: {{type: http, url: "${{CRM_WEBHOOK_URL}}/broken"}}
routes:
  - {{name: everything, events: "*", send: [crm, paced, broken]}}
"""

CUT_ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s], timeout: 1s}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}"}
routes:
  - {name: everything, events: "*", send: crm}
"""

# Read by Python when a process begins, before the hub's modules take their clocks from these two.
CLOCK = """\
import datetime, time

SECONDS = {seconds}
real_time, real_datetime = time.time, datetime.datetime
time.time = lambda: real_time() + SECONDS


class Kind(type):
    def __instancecheck__(cls, value):
        return isinstance(value, real_datetime)


class Shifted(real_datetime, metaclass=Kind):
    @classmethod
    def now(cls, tz=None):
        return real_datetime.now(tz) + datetime.timedelta(seconds=SECONDS)


datetime.datetime = Shifted
"""

AHEAD, BEHIND = 200, -200
"""Seconds: each within a sender's tolerance of five minutes, and more than that apart."""


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


class Ledger:
    """Answers slowly and keeps when each request began and ended, by path and by `webhook-id`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.began: dict[str, list[float]] = defaultdict(list)
        self.most: dict[str, int] = defaultdict(int)
        self.overlaps = 0
        self.arrivals: dict[str, int] = defaultdict(int)
        self._now: dict[str, int] = defaultdict(int)
        self._sending: set[str] = set()
        self.is_broken = True

    def __call__(self, request: ReceivedRequest) -> CannedResponse:
        path, id_ = request.path, request.headers["webhook-id"]
        with self._lock:
            self.began[path].append(time.monotonic())
            self.arrivals[id_] += 1
            self.overlaps += id_ in self._sending
            self._sending.add(id_)
            self._now[path] += 1
            self.most[path] = max(self.most[path], self._now[path])
        time.sleep(0.15)
        with self._lock:
            self._sending.discard(id_)
            self._now[path] -= 1
        return CannedResponse(status=500 if path == "/broken" and self.is_broken else 200)


def hub(folder: Path, url: str, receiver: HttpReceiver, clock: int, *programs: str) -> Hub:
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CLOCK.format(seconds=clock))
    environment = {
        "DATABASE_URL": url,
        "ROUTES": ROUTES,
        "CRM_WEBHOOK_URL": receiver.url,
        "PYTHONPATH": f"{folder}:{ROOT}",
    }
    return Hub(folder, environment, *programs)


@pytest.mark.timeout(600)
def test_machines_share_the_work_and_its_limits(
    new_postgres_database: Callable[..., str], tmp_path: Path, is_full: bool, count: Count
) -> None:
    ledger, url, events = Ledger(), new_postgres_database(), 400 if is_full else 60
    workers = ("worker",) * (3 if is_full else 2)
    with (
        HttpReceiver(respond=ledger) as receiver,
        hub(tmp_path / "ahead", url, receiver, AHEAD, "web", *workers) as ahead,
        hub(tmp_path / "behind", url, receiver, BEHIND, "web", *workers) as behind,
    ):
        began_at = time.monotonic()
        senders = [Sender(machine, pause_seconds=0.0, limit=events) for machine in (ahead, behind)]
        with senders[0], senders[1]:
            wait_until(lambda: all(len(sender.accepted) == events for sender in senders), "all events", 200)
        before = await_open(url, ledger)
        opened_for, probed_at = time.monotonic() - began_at, time.monotonic()
        probe_now(url)
        wait_until(lambda: len(ledger.began["/broken"]) > before, "a probe")
        wait_until(lambda: settled(url, "paced") and settled(url, "crm"), "all but broken", events + 120)
        probed = len(ledger.began["/broken"])
        probed_for = time.monotonic() - probed_at
        ledger.is_broken = False
        probe_now(url)
        settle(url, 120)
    count(
        events=2 * events,
        deliveries=len(ledger.arrivals),
        duplicates=sum(ledger.arrivals.values()) - len(ledger.arrivals) - probed,
        workers=2 * len(workers),
        overlaps=ledger.overlaps,
        most_at_once=ledger.most["/crm"],
        most_in_2_s=most_within(2, claimed_at(url, "paced")),
        sent_before_it_opened=before,
        probes=probed - before,
    )

    assert [len(sender.accepted) for sender in senders] == [events, events]
    assert len(ledger.arrivals) == 6 * events
    assert ledger.overlaps == 0
    assert len(ledger.began["/crm"]) == len(ledger.began["/paced"]) == 2 * events
    assert ledger.most["/crm"] <= CONCURRENCY
    # By the database's clock, which decides; one that comes late may be made up for.
    assert most_within(2, claimed_at(url, "paced")) <= 2 * PER_SECOND + 2
    # Five open it, while three more may be under way; then come the probes.
    assert before <= 5 + 3 + probes_within(opened_for, 5)
    assert 1 <= probed - before <= 1 + probes_within(probed_for, 10)
    assert clocks_apart(url) > 300


def probes_within(seconds: float, first_after_seconds: float) -> int:
    """The probes that may go in so long, each after twice the wait of the one before."""
    waits = accumulate(min(first_after_seconds * 2**number, 300) for number in range(12))
    return sum(1 for moment in waits if moment <= seconds)


def claimed_at(url: str, destination: str) -> list[datetime]:
    """Return when each attempt at a destination was claimed, in their order."""
    statement = select(attempts.c.at).where(attempts.c.destination == destination).order_by(attempts.c.at)
    with opened(url) as store, store.read() as snapshot:
        return list(snapshot.session.connection.execute(statement).scalars())


def most_within(seconds: float, moments: Sequence[datetime]) -> int:
    """Return the most of the moments that lie within any so many seconds."""
    span = timedelta(seconds=seconds)
    return max(sum(1 for later in moments if first <= later < first + span) for first in moments)


def await_open(url: str, ledger: Ledger) -> int:
    """Return the number of requests by the time that the breaker was open and nothing under way.

    The next probe is put off until the test lets it go.
    """

    def is_open(transaction: Transaction) -> bool:
        waiting = transaction.queue.lock(due_of=["broken"]).waiting["broken"]
        probe = select(destinations.c.probe_at).where(destinations.c.name == "broken")
        if waiting.in_flight or transaction.session.connection.execute(probe).scalar_one() is None:
            return False
        put_probe(transaction, transaction.now + timedelta(seconds=LONGEST_PROBE_SECONDS))
        return True

    with opened(url) as store:
        wait_until(lambda: store.write(is_open), "the breaker to be open")
    return len(ledger.began["/broken"])


def put_probe(transaction: Transaction, at: datetime) -> None:
    """Let the next probe be due at a moment."""
    broken = update(destinations).where(destinations.c.name == "broken")
    transaction.session.connection.execute(broken.values(probe_at=at))


def probe_now(url: str) -> None:
    """Let the time pass until the next probe."""
    with opened(url) as store:
        store.write(lambda transaction: put_probe(transaction, transaction.now))
        store.wake()


def settled(url: str, destination: str) -> bool:
    with opened(url) as store, store.read() as snapshot:
        return not snapshot.delivery_list.records(
            Filter(destination=destination, state=State.PENDING)
        ) and not (snapshot.delivery_list.records(Filter(destination=destination, state=State.SENDING)))


def clocks_apart(url: str) -> float:
    """Return the distance, in seconds, between clocks of web processes at one time of the database."""

    def work(transaction: object) -> list[float]:
        apart = select(events.c.received_at, deliveries.c.created_at).join(
            deliveries, deliveries.c.event_id == events.c.id
        )
        rows = transaction.session.connection.execute(apart)  # type: ignore[attr-defined]
        return [(row.received_at - row.created_at).total_seconds() for row in rows]

    with opened(url) as store:
        ahead = store.write(work)
    return max(ahead) - min(ahead)


class opened:  # noqa: N801 - reads as a function
    def __init__(self, url: str) -> None:
        self._store = open_store(url)

    def __enter__(self) -> Store:
        return self._store

    def __exit__(self, *_: object) -> None:
        self._store.close()


@pytest.mark.full
@pytest.mark.timeout(300)
def test_a_worker_that_was_cut_off_cannot_overwrite_its_successor(
    postgres: Postgres, tmp_path: Path, count: Count
) -> None:
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()

    def slowly(_: ReceivedRequest) -> CannedResponse:
        time.sleep(0.7)
        return CannedResponse()

    with HttpReceiver(respond=slowly) as crm, Way(postgres.socket_path) as way:
        environment = {"ROUTES": CUT_ROUTES, "CRM_WEBHOOK_URL": crm.url}
        cut = {"DATABASE_URL": f"postgresql://postgres@127.0.0.1:{way.port}/postgres", **environment}
        with Hub(folders[0], cut, "web", "worker") as first, Sender(first, threads=1, limit=1) as sender:
            crm.wait_for(1, 60)
            way.hang()
            # The answer to the sender may be cut off too; it sends again once the way is open.
            with Hub(folders[1], {"DATABASE_URL": postgres.url, **environment}, "serve"):
                crm.wait_for(2, LEASE_SECONDS + 40)
                way.go_on()
                wait_until(
                    lambda: "delivery.late" in first.tail(), "the first to be late", explain=first.tail
                )
                sender.finish()
                settle(postgres.url, 120)
    (answer,) = sender.accepted.values()
    with opened(postgres.url) as store, store.read() as snapshot:
        (listed,) = snapshot.delivery_list.records(event=answer["event"])
        record = snapshot.delivery_list.record(listed.id)
    count(times=1, events=1, deliveries=1, duplicates=len(crm.received) - 1)

    assert record.state is State.DELIVERED
    assert [attempt.outcome for attempt in record.attempt_list] == [Outcome.UNKNOWN, Outcome.DELIVERED]
    assert len(crm.received) == 2
