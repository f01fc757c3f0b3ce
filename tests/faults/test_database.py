"""The database goes away under load: nothing is acknowledged that it did not keep, and all recover."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from faults.conftest import Count
from faults.databases import Postgres, Way
from faults.hubs import LEASE_SECONDS, PATIENCE_SECONDS, Hub, Receivers, Sender, reckon, settle, wait_until

from hub.errors import WritesRefused
from hub.store import group_commit
from hub.store.open import open_store

SENDER_WAITS_SECONDS = 15
"""So long Svix waits for an answer. The hub's own bounds keep that; a machine that is busy adds to them."""

AWAY_SECONDS = 3.0


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    with Postgres() as postgres:
        yield postgres


@pytest.mark.timeout(600)
def test_postgresql_is_stopped_and_killed_and_comes_back(
    postgres: Postgres, tmp_path: Path, receivers: Receivers, is_full: bool, count: Count
) -> None:
    environment = {"DATABASE_URL": postgres.url, **receivers.environment}
    ends = [postgres.stop, postgres.kill] * (5 if is_full else 1)
    with Hub(tmp_path, environment, "web", "worker") as hub, Sender(hub) as sender:
        for end in ends:
            time.sleep(random.uniform(0.5, 2.0))
            before = sender.refused[503]
            end()
            wait_until(lambda: answers_503(hub), "web to answer 503 while the database is away")
            wait_until(lambda before=before: sender.refused[503] > before, "an event to be answered 503")
            time.sleep(AWAY_SECONDS)
            postgres.start()
            sender.wait_for_accepted(5)
        wait_until(hub.is_ready, "the hub to be ready", explain=hub.tail)
        sender.finish()
        settle(postgres.url, LEASE_SECONDS + 60)
        pids = len(hub.pids())
    tally = reckon(postgres.url, sender, receivers)
    count(times=len(ends), **tally.numbers())

    assert pids > 0
    assert set(sender.refused) == {503}
    assert (tally.lost, tally.unexplained, tally.unfinished, tally.faults) == ((), (), (), ())


@pytest.mark.timeout(600)
def test_a_database_that_hangs_is_answered_503_before_the_sender_gives_up(
    postgres: Postgres, tmp_path: Path, receivers: Receivers, is_full: bool, count: Count
) -> None:
    with Way(postgres.socket_path) as way:
        url = f"postgresql://postgres@127.0.0.1:{way.port}/postgres"
        environment = {"DATABASE_URL": url, **receivers.environment}
        times = 4 if is_full else 1
        with Hub(tmp_path, environment, "web", "worker") as hub, Sender(hub, threads=8) as sender:
            for _ in range(times):
                time.sleep(random.uniform(0.5, 2.0))
                way.hang()
                before = sender.refused[503]
                wait_until(lambda before=before: sender.refused[503] >= before + 8, "answers of 503")
                way.go_on()
                sender.wait_for_accepted(5)
            wait_until(hub.is_ready, "the hub to be ready", explain=hub.tail)
            sender.finish()
            settle(postgres.url, LEASE_SECONDS + 60)
        tally = reckon(postgres.url, sender, receivers)
    count(times=times, slowest_answer_s=round(sender.slowest_seconds, 1), **tally.numbers())

    assert group_commit.PATIENCE_SECONDS + group_commit.COMMIT_SECONDS < SENDER_WAITS_SECONDS
    # No answer at all would be counted under 0.
    assert set(sender.refused) == {503}
    assert (tally.lost, tally.unexplained, tally.unfinished, tally.faults) == ((), (), (), ())


def answers_503(hub: Hub) -> bool:
    return requests.get(f"{hub.url}/readyz", timeout=PATIENCE_SECONDS).status_code == 503


@pytest.mark.full
def test_a_standby_is_read_and_its_log_does_not_fill(postgres: Postgres) -> None:
    with closing(open_store(postgres.url)) as store:
        store.migrate()
    postgres.stop()
    postgres.become_standby()
    postgres.start()
    with closing(open_store(postgres.url)) as store:
        assert store.migrate() is None
        with store.read() as snapshot:
            error = store.write_error(snapshot)
        with pytest.raises(WritesRefused, match="the database only reads"):
            store.try_to_write()
        listener = store.listen(lambda: None)
        time.sleep(5)
        listener.close()

    assert error is not None
    assert error.reason == "it is a standby of another"
    assert postgres.log.count("cannot execute LISTEN during recovery") <= 3
