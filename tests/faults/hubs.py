"""A hub of real processes that may be killed at any time, and a sender that behaves as Svix does."""

from __future__ import annotations

import contextlib
import os
import random
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import given
import requests
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.program import PASSWORD, PATIENCE_SECONDS, ROOT, free_port, is_ready, wait_until
from servers.smtp_server import SmtpServer
from signing import headers

from hub import catalog
from hub.model.delivery import Outcome, State
from hub.model.records import DeliveryRecord
from hub.store.open import open_store

LEASE_SECONDS = 1 + 15
"""The time-out of an attempt in these routes, and what the worker adds to it."""

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s, 1s, 2s, 2s, 5s, 5s, 5s, 5s], timeout: 1s}
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}/crm", concurrency: 8}
  audit: {type: http, url: "${CRM_WEBHOOK_URL}/audit", concurrency: 8}
  mail: {type: email, smtp_url: "${SMTP_URL}", from: hub@example.com, to: [team@example.com]}
routes:
  - {name: everything, events: "*", send: [{to: crm}, {to: audit, json: {id: "{{ data.id }}"}}]}
  - {name: waitlist, events: waitlistEntry.created, send: mail}
"""

EVENT_TYPES = ("user.created", "waitlistEntry.created", "user.updated")


class Hub:
    """Programs of the hub that are started again whenever they end, as a platform does."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *programs: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        (folder / "routes.yaml").write_text(environment.get("ROUTES", ROUTES))
        (folder / "templates").mkdir(exist_ok=True)
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HUB_CONFIG": str(folder / "routes.yaml"),
            "HUB_TEMPLATES": str(folder / "templates"),
            "HUB_PASSWORD": PASSWORD,
            "HUB_LOG_LEVEL": "warning",
            "HUB_LOG_FORMAT": "text",
            "PORT": str(self.port),
            "CLERK_WEBHOOK_SIGNING_SECRET": given.SECRET,
            **{name: value for name, value in environment.items() if name != "ROUTES"},
        }
        self._programs = programs
        self._running: list[subprocess.Popen[bytes]] = []
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep_running, daemon=True)
        self.log = folder / "hub.log"

    def __enter__(self) -> Hub:
        self._running = [self._start(name) for name in self._programs]
        self._keeper.start()
        with contextlib.ExitStack() as unless_ready:
            unless_ready.callback(self.stop)
            wait_until(self.is_ready, "the hub to be ready", explain=self.tail)
            unless_ready.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._keeper.join()
        for process in self._running:
            process.terminate()
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_SECONDS)
            for pid in _session(process.pid):
                kill(pid)
            process.wait()

    def is_ready(self) -> bool:
        return is_ready(self.url)

    def pids(self) -> list[int]:
        """Every process of every program, in the order in which they were started."""
        return [pid for process in list(self._running) for pid in _session(process.pid)]

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self) -> None:
        """End all in good order."""
        self.__exit__()

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "hub", name],
                cwd=self.folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _keep_running(self) -> None:
        while not self._stopping.wait(0.1):
            for number, process in enumerate(self._running):
                if process.poll() is not None and not _session(process.pid):
                    self._running[number] = self._start(self._programs[number])


def _session(leader: int) -> list[int]:
    """The living processes of a session, the oldest, which leads it, first."""
    began = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                values = (entry / "stat").read_text().rpartition(")")[2].split()
                state, session, started_at = values[0], int(values[3]), int(values[19])
                if session == leader and state != "Z":
                    began[int(entry.name)] = started_at
    return sorted(began, key=lambda pid: (pid != leader, began[pid], pid))


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@dataclass
class Sender:
    """Sends signed events all the time; what is not answered 200 is sent again under the same message id.

    `accepted` has the answer to each message id that was answered 200, `refused` counts other answers, and
    0 stands for no answer at all.
    """

    hub: Hub
    threads: int = 4
    pause_seconds: float = 0.05
    limit: int | None = None
    event_types: tuple[str, ...] = EVENT_TYPES
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    _sent: int = 0

    def __post_init__(self) -> None:
        self._ends = threading.Event()
        self._counting = threading.Lock()
        self._pool = [threading.Thread(target=self._run, daemon=True) for _ in range(self.threads)]

    def __enter__(self) -> Sender:
        for thread in self._pool:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self, seconds: float = 180) -> None:
        """Begin no new event, and go on until each that was begun is answered 200."""
        self._ends.set()
        deadline = time.monotonic() + seconds
        for thread in self._pool:
            thread.join(max(deadline - time.monotonic(), 0))
            if thread.is_alive():
                self.faults.append(f"events were not accepted within {seconds:g} s of the last fault")

    def wait_for_accepted(self, count: int, seconds: float = 120) -> None:
        """Return once so many more events were answered 200."""
        self.wait_for_all(len(self.accepted) + count, seconds)

    def wait_for_all(self, enough: int, seconds: float = 120) -> None:
        """Return once so many events were answered 200, since the first."""
        wait_until(lambda: len(self.accepted) >= enough, "events to be accepted", seconds, self.hub.tail)

    def _run(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._ends.is_set() and self._takes_number():
                event_type = random.choice(self.event_types)
                body, message_id = catalog.sample_payload(event_type, {}), f"msg_{secrets.token_hex(10)}"
                while not self._send(session, body, message_id):
                    time.sleep(0.2)
                time.sleep(self.pause_seconds)

    def _takes_number(self) -> bool:
        with self._counting:
            self._sent += 1
            return self.limit is None or self._sent <= self.limit

    def _send(self, session: requests.Session, body: bytes, message_id: str) -> bool:
        began = time.monotonic()
        try:
            answer = session.post(
                f"{self.hub.url}/api/webhooks",
                data=body,
                headers=headers(body, message_id=message_id),
                timeout=PATIENCE_SECONDS,
            )
        except requests.RequestException:
            self._refuse(0)
            return False
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - began)
        if answer.status_code != 200:
            if answer.status_code == 503 and "Retry-After" not in answer.headers:
                self.faults.append("a 503 had no Retry-After")
            self._refuse(answer.status_code)
            return False
        self.accepted[message_id] = answer.json()
        return True

    def _refuse(self, status: int) -> None:
        with self._counting:
            self.refused[status] += 1


@dataclass
class Receivers:
    """The destinations: the number of arrivals of each delivery, by its id. Those that fail get a 503.

    They answer as slowly as far-away places, so that some messages are under way whenever something breaks;
    those over HTTP not before they `may_answer`.
    """

    http: HttpReceiver
    smtp: SmtpServer
    fails: Callable[[ReceivedRequest], bool] = lambda request: False
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.http.respond = self._respond
        self.may_answer.set()

    def __enter__(self) -> Receivers:
        self.http.__enter__()
        self.smtp.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.may_answer.set()
        self.smtp.__exit__()
        self.http.__exit__()

    def _respond(self, request: ReceivedRequest) -> CannedResponse:
        self.may_answer.wait()
        time.sleep(random.uniform(0, 0.2))
        return CannedResponse(status=503 if self.fails(request) else 200)

    @property
    def environment(self) -> dict[str, str]:
        return {"CRM_WEBHOOK_URL": self.http.url, "SMTP_URL": self.smtp.url}

    def arrivals(self) -> Counter[str]:
        taken = (request for request in self.http.received if not self.fails(request))
        counted = Counter(request.headers["webhook-id"] for request in taken)
        for mail in self.smtp.inbox.all():
            counted.update(re.findall(r"dlv_[0-9a-f]+", str(mail.message["Message-ID"])))
        return counted


@dataclass(frozen=True, kw_only=True)
class Reckoning:
    """The accounts of the store and of the destinations once all is over.

    `unanswered` and `refused` count requests that got no answer or another than 200, and were sent again.
    """

    events: int
    deliveries: int
    unanswered: int
    refused: int
    duplicates: int
    lost: tuple[str, ...]
    unexplained: tuple[str, ...]
    unfinished: tuple[str, ...]
    faults: tuple[str, ...]

    def numbers(self) -> dict[str, int]:
        """For the table."""
        names = ("events", "deliveries", "unanswered", "refused", "duplicates", "unexplained", "lost")
        values = {name: getattr(self, name) for name in names}
        return {name: value if isinstance(value, int) else len(value) for name, value in values.items()}


def settle(database_url: str, seconds: float) -> None:
    """Wait until nothing is pending or being sent."""
    store = open_store(database_url)

    def is_over() -> bool:
        with store.read() as snapshot:
            stats = snapshot.numbers.stats()
        return not stats.count(State.PENDING) and not stats.count(State.SENDING)

    try:
        wait_until(is_over, "everything to be settled", seconds, lambda: str(_left(database_url)[:5]))
    finally:
        store.close()


def reckon(database_url: str, sender: Sender, receivers: Receivers) -> Reckoning:
    """Hold what was acknowledged against what is in the store and what arrived."""
    arrived, records = receivers.arrivals(), records_of(database_url)
    events = {record.event for record in records}
    acknowledged = {answer["event"] for answer in sender.accepted.values()}
    late = [record for record in records if arrived[record.id] == 0]
    twice = {record.id: arrived[record.id] - 1 for record in records if arrived[record.id] > 1}
    unknown = {
        record.id: unknown_attempts(database_url, record.id) for record in records if record.id in twice
    }
    store = open_store(database_url)
    with store.read() as snapshot:
        accounts = snapshot.invariant.accounts()
    store.close()
    return Reckoning(
        events=len(sender.accepted),
        deliveries=len(records),
        unanswered=sender.refused[0],
        refused=sender.refused.total() - sender.refused[0],
        duplicates=sum(twice.values()),
        lost=(*sorted(acknowledged - events), *(record.id for record in late)),
        unexplained=tuple(id_ for id_, more in twice.items() if unknown[id_] < more),
        unfinished=tuple(f"{r.id} is {r.state}" for r in records if r.state is not State.DELIVERED),
        faults=(*sender.faults, *(f"{row.count} {row.description}" for row in accounts.discrepancies)),
    )


def records_of(database_url: str) -> list[DeliveryRecord]:
    store, records, before = open_store(database_url), [], None
    with store.read() as snapshot:
        while page := snapshot.delivery_list.records(limit=500, before=before):
            records += page
            before = page[-1].id
    store.close()
    return records


def _left(database_url: str) -> list[str]:
    return [
        f"{r.id} {r.state} {r.reason}" for r in records_of(database_url) if r.state is not State.DELIVERED
    ]


def unknown_attempts(database_url: str, delivery_id: str) -> int:
    store = open_store(database_url)
    with store.read() as snapshot:
        record = snapshot.delivery_list.record(delivery_id)
    store.close()
    return sum(attempt.outcome is Outcome.UNKNOWN for attempt in record.attempt_list)
