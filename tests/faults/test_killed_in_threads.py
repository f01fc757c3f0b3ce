"""Workers are killed while they post in threads: what Slack answered for is not posted a second time."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from faults.conftest import Count
from faults.hubs import (
    LEASE_SECONDS,
    Hub,
    Sender,
    kill,
    records_of,
    settle,
    unknown_attempts,
    wait_until,
)
from servers.slack_receiver import SlackReceiver
from sqlalchemy import func, select, text

from hub.model.delivery import State
from hub.store.open import open_store
from hub.store.store import Store, Transaction
from hub.store.tables import deliveries, threads

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: "${CLERK_WEBHOOK_SIGNING_SECRET}"}
defaults: {retry: [1s, 1s, 1s, 2s, 2s, 5s, 5s, 5s, 5s], timeout: 1s}
destinations:
  bot: {type: slack, bot_token: xoxb-demo, channel: sales, api_url: API_URL, concurrency: 4, rate_limit: 50/s}
routes:
  - name: life
    events: "*"
    send: {to: bot, text: "{{ event.id }}", thread: "{{ data.id }}", thread_mode: [update, broadcast]}
"""

WHEN_DELIVERED = "BEFORE UPDATE ON deliveries FOR EACH ROW WHEN (NEW.state = 'delivered')"
RAISE = "CREATE FUNCTION keeps() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not now'; END$$"
KEEPS_FROM_SETTLING = {
    "sqlite": (f"CREATE TRIGGER keeps {WHEN_DELIVERED} BEGIN SELECT RAISE(ABORT, 'not now'); END",),
    "postgresql": (RAISE, f"CREATE TRIGGER keeps {WHEN_DELIVERED} EXECUTE FUNCTION keeps()"),
}
LETS_SETTLE = {"sqlite": "DROP TRIGGER keeps", "postgresql": "DROP TRIGGER keeps ON deliveries"}


def run(store: Store, *statements: str) -> None:
    def work(transaction: Transaction) -> None:
        for statement in statements:
            transaction.session.connection.execute(text(statement))

    store.write(work)


def counted(store: Store, column: Any) -> int:
    with store.read() as snapshot:
        statement = select(func.count()).where(column.is_not(None))
        return int(snapshot.session.connection.execute(statement).scalar_one())


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.db'}"
    made: str = request.getfixturevalue("new_postgres_database")(None)
    return made


@pytest.mark.timeout(600)
def test_a_worker_killed_between_the_answer_and_the_settling_posts_nothing_twice(
    url: str, tmp_path: Path
) -> None:
    with SlackReceiver() as slack:
        # An attempt that ends by the clock may be made again: here each ends by its answer, or is killed.
        routes = ROUTES.replace("API_URL", slack.api_url).replace("timeout: 1s", "timeout: 90s")
        with Hub(tmp_path, {"DATABASE_URL": url, "ROUTES": routes}, "serve") as hub:
            store = open_store(url)
            dialect = store._engine.dialect.name
            send(hub, "user.created")
            settle(url, 90)
            run(store, *KEEPS_FROM_SETTLING[dialect])
            # One is the first of its thread, the other rewrites the first and replies.
            send(hub, "user.updated")
            send(hub, "waitlistEntry.created")
            wait_until(
                lambda: counted(store, deliveries.c.accepted) == 3, "both to be kept", explain=hub.tail
            )
            for pid in hub.pids():
                kill(pid)
            run(store, LETS_SETTLE[dialect], "UPDATE deliveries SET lease_until = 1 WHERE state = 'sending'")
            settle(url, LEASE_SECONDS + 60)
            store.close()
        posted = slack.messages
    records = records_of(url)

    assert Counter(record.state for record in records) == {State.DELIVERED: 3}
    assert sorted(unknown_attempts(url, record.id) > 0 for record in records) == [False, True, True]
    first, *others = posted
    assert (first.text, first.edits) == (others_of(others, first.ts)[0].text, 1)
    assert sorted(message.thread_ts for message in others) == ["", first.ts]


def others_of(messages: list[Any], ts: str) -> list[Any]:
    return [message for message in messages if message.thread_ts == ts]


def send(hub: Hub, event_type: str) -> None:
    """Send one event of a type, its sample, until it is accepted."""
    with Sender(hub, threads=1, limit=1, event_types=(event_type,)) as sender:
        sender.wait_for_accepted(1)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_workers_that_are_killed_at_any_time_keep_each_life_in_its_thread(
    url: str, tmp_path: Path, count: Count
) -> None:
    kills, seed = 25, random.Random().randrange(10**6)
    chance = random.Random(seed)
    with SlackReceiver() as slack:
        environment = {"DATABASE_URL": url, "ROUTES": ROUTES.replace("API_URL", slack.api_url)}
        programs = ("serve",) if url.startswith("sqlite") else ("web", "worker", "worker")
        with Hub(tmp_path, environment, *programs) as hub, Sender(hub, threads=2) as sender:
            for _ in range(kills):
                wait_for_more(slack, chance.randrange(1, 4))
                kill(chance.choice(wait_until(hub.pids, "the programs to be started again")))
            sender.finish()
            settle(url, LEASE_SECONDS + 180)
        posts = Counter(message.text for message in slack.messages if not message.edits)
    records = records_of(url)
    unknown = {record.event: unknown_attempts(url, record.id) for record in records}
    twice = {event: more - 1 for event, more in posts.items() if more > 1}
    count(times=kills, seed=seed, events=len(records), duplicates=sum(twice.values()))

    assert {record.state for record in records} == {State.DELIVERED}
    # The message of each is there, but for those of the first of a thread, which were rewritten since.
    assert len(posts) >= len(records) - counted_once(url)
    # What was posted twice was posted by an attempt that nobody saw the end of.
    assert [event for event, more in twice.items() if unknown[event] < more] == []


def wait_for_more(slack: SlackReceiver, number: int) -> None:
    wanted = len(slack.messages) + number
    wait_until(lambda: len(slack.messages) >= wanted, "something to be posted")


def counted_once(url: str) -> int:
    store = open_store(url)
    try:
        return counted(store, threads.c.id)
    finally:
        store.close()
