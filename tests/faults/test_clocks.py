"""Clocks that were ahead, that step, or that stood still with the hub: nothing is silenced, nothing given up.

Both clocks step, that of the processes and that of PostgreSQL: there `now` and `clock_timestamp` are those
of a schema that stands before `pg_catalog` in the database's `search_path`.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from pathlib import Path

import psycopg
import pytest
import requests
from faults.conftest import Count
from faults.hubs import Hub, settle, wait_until
from servers.http_receiver import CannedResponse, HttpReceiver, ReceivedRequest
from servers.program import PASSWORD, PATIENCE_SECONDS, ROOT
from signing import headers

from hub import catalog
from hub.model.delivery import State
from hub.store.open import open_store

DAY = 86400
AHEAD = "a clock that was ahead put it off until"
NAMES = ("paced", "team", "broken", "resting", "late")

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 2s, 2s, 2s, 2s, 2s], timeout: 60s, give_up_after: 3d}
destinations:
  paced: {type: http, url: "${CRM_WEBHOOK_URL}/paced", rate_limit: 50/s}
  team: {type: slack, webhook_url: "${CRM_WEBHOOK_URL}/team"}
  broken: {type: http, url: "${CRM_WEBHOOK_URL}/broken", concurrency: 8}
  resting: {type: http, url: "${CRM_WEBHOOK_URL}/resting"}
  late: {type: http, url: "${CRM_WEBHOOK_URL}/late", retry: [2h, 2h, 2h, 2h, 2h, 2h], concurrency: 8}
routes:
  - {name: everything, events: "*", send: [paced, team, broken, resting, late]}
"""

# Read by Python when a process begins; the clocks of its modules go by what stands in the file.
CLOCK = """\
import datetime, pathlib, time

FILE = pathlib.Path({file!r})
real_time, real_datetime = time.time, datetime.datetime


def ahead():
    return float(FILE.read_text())


time.time = lambda: real_time() + ahead()


class Kind(type):
    def __instancecheck__(cls, value):
        return isinstance(value, real_datetime)


class Shifted(real_datetime, metaclass=Kind):
    @classmethod
    def now(cls, tz=None):
        return real_datetime.now(tz) + datetime.timedelta(seconds=ahead())


datetime.datetime = Shifted
"""

SERVER_CLOCK = """\
CREATE SCHEMA clock;
CREATE TABLE clock.ahead (seconds float NOT NULL);
INSERT INTO clock.ahead VALUES (0);
CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT pg_catalog.now() + make_interval(secs => (SELECT seconds FROM clock.ahead)) $$;
CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    $$ SELECT pg_catalog.clock_timestamp() + make_interval(secs => (SELECT seconds FROM clock.ahead)) $$;
"""


class Clock:
    """The clock of a machine: of the hub's processes, and of its PostgreSQL where it has one."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self._url = folder / "clock", url
        self.folder.mkdir()
        self._file = self.folder / "ahead"
        (self.folder / "sitecustomize.py").write_text(CLOCK.format(file=str(self._file)))
        if self._is_shared:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(SERVER_CLOCK)
                name = connection.info.dbname
                path = "public, clock, pg_catalog"
                connection.execute(f"ALTER DATABASE {name} SET search_path = {path}")
        self.set(0)

    @property
    def _is_shared(self) -> bool:
        return self._url.startswith("postgres")

    def set(self, seconds: float) -> None:
        """Put it so far ahead of the right time."""
        self.seconds = seconds
        written = self._file.with_suffix(".new")
        written.write_text(str(seconds))
        written.replace(self._file)
        if self._is_shared:
            with psycopg.connect(self._url, autocommit=True) as connection:
                connection.execute("UPDATE clock.ahead SET seconds = %s", [seconds])


class Places:
    """The destinations: while they are ill, all fail in their ways, but for the two that the hub paces."""

    def __init__(self) -> None:
        self.are_ill = True
        self.tried: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()

    def __call__(self, request: ReceivedRequest) -> CannedResponse:
        name = request.path.strip("/")
        self.tried[name] += 1
        if self.are_ill and name == "resting":
            return CannedResponse(status=429, headers={"Retry-After": "7200"})
        if self.are_ill and name in ("broken", "late"):
            return CannedResponse(status=503)
        self.taken[name] += 1
        return CannedResponse(body=b"ok")


def post(hub: Hub, clock: Clock, count: int) -> None:
    """Send events, signed by a clock that is as right as the machine's."""
    for _ in range(count):
        body = catalog.sample_payload("user.created", {})
        message_id = f"msg_{time.monotonic_ns()}"
        signed = headers(body, message_id=message_id, timestamp=time.time() + clock.seconds)
        answer = requests.post(f"{hub.url}/api/webhooks", data=body, headers=signed, timeout=PATIENCE_SECONDS)
        assert answer.status_code == 200, answer.text


def waits(hub: Hub) -> dict[str, str]:
    """What is said of a delivery that waits, by its destination."""
    key = {"Authorization": f"Bearer {PASSWORD}"}
    answer = requests.get(f"{hub.url}/api/deliveries?state=pending", headers=key, timeout=PATIENCE_SECONDS)
    return {item["destination"]: item["why"]["text"] for item in json.loads(answer.content)["items"]}


def states(url: str) -> Counter[State]:
    store = open_store(url)
    with contextlib.closing(store), store.read() as snapshot:
        return Counter(record.state for record in snapshot.delivery_list.records(limit=500))


def has_payloads(url: str) -> bool:
    store = open_store(url)
    with contextlib.closing(store), store.read() as snapshot:
        return all(event.payload for event in snapshot.event_list.records(limit=500))


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("new_postgres_database")())


@pytest.mark.timeout(900)
def test_a_clock_that_was_ahead_silences_nothing_and_one_that_jumps_ends_nothing(
    url: str, tmp_path: Path, is_full: bool, count: Count
) -> None:
    places, clock, number = Places(), Clock(tmp_path, url), 6
    with HttpReceiver(respond=places) as receiver:
        environment = {
            "ROUTES": ROUTES,
            "DATABASE_URL": url,
            "CRM_WEBHOOK_URL": receiver.url,
            "PYTHONPATH": f"{clock.folder}:{ROOT}",
        }
        clock.set(DAY)
        with Hub(tmp_path, environment, "serve") as hub:
            post(hub, clock, 5)
            await_tried(places, hub, broken=5, paced=5, team=2, late=5, resting=1)
            clock.set(0)
            if is_full:
                # The worker is alive once its heart beat by the right time.
                wait_until(lambda: AHEAD in waits(hub).get("late", ""), "the reason", explain=hub.tail)
            before, places.are_ill = places.taken.copy(), False
            post(hub, clock, 1)
            await_taken(places, hub, PATIENCE_SECONDS, {name: before[name] + 1 for name in NAMES})
            if is_full:
                await_taken(places, hub, 2 * PATIENCE_SECONDS, dict.fromkeys(NAMES, number))
                number += jump_for_a_minute(hub, clock, places)
                await_taken(places, hub, 2 * PATIENCE_SECONDS, dict.fromkeys(NAMES, number))
        clock.set(40 * DAY)
        with Hub(tmp_path, environment, "serve") as hub:
            await_taken(places, hub, PATIENCE_SECONDS, dict.fromkeys(NAMES, number))
            settle(url, PATIENCE_SECONDS)
    count("on PostgreSQL" if url.startswith("postgres") else "on SQLite", events=number)

    assert states(url) == {State.DELIVERED: number * len(NAMES)}
    assert has_payloads(url)


def jump_for_a_minute(hub: Hub, clock: Clock, places: Places) -> int:
    """Let the clock be 40 days ahead while deliveries wait; return the number of their events."""
    places.are_ill = True
    post(hub, clock, 3)
    clock.set(40 * DAY)
    # More than a minute: what gives up looks once in that time.
    time.sleep(65)
    clock.set(0)
    places.are_ill = False
    return 3


def await_tried(places: Places, hub: Hub, **numbers: int) -> None:
    for name, number in numbers.items():
        wait_until(
            lambda name=name, n=number: places.tried[name] >= n, f"{name} to be tried", explain=hub.tail
        )


def await_taken(places: Places, hub: Hub, seconds: float, numbers: dict[str, int]) -> None:
    def are_taken() -> bool:
        return all(places.taken[name] >= number for name, number in numbers.items())

    wait_until(are_taken, str(numbers), seconds, lambda: f"{places.taken} {hub.tail()}")
