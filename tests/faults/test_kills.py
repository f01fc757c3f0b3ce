"""Processes are killed without warning under load: what was answered 200 arrives everywhere it is owed."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import pytest
from faults.conftest import Count
from faults.hubs import LEASE_SECONDS, Hub, Places, Sender, kill, reckon, settle, wait_until

SHORT_KILLS, FULL_KILLS = 6, 50


def kill_now_and_then(hub: Hub, places: Places, kills: int, seed: int) -> None:
    """SIGKILL one process of the hub after the other, at random moments: parents, web and workers.

    Half of the moments are soon after something arrived, so that not only programs that start are hit.
    """
    chance = random.Random(seed)
    for number in range(kills):
        if number % 2:
            time.sleep(chance.uniform(0.2, 2.0))
        else:
            wait_for_next(places)
            time.sleep(chance.uniform(0, 0.2))
        wait_until(hub.pids, "the programs to be started again", 20)
        kill(chance.choice(hub.pids()))


def wait_for_next(places: Places) -> None:
    """Return when a message arrives, at the latest after ten seconds."""
    with contextlib.suppress(TimeoutError):
        places.http.wait_for(len(places.http.received) + 1, 10)


TOGETHER, APART = ("serve",), ("web", "worker", "worker")

WAYS = {
    "sqlite-together": ("sqlite", TOGETHER),
    "postgres-apart": ("postgres", APART),
    "sqlite-apart": ("sqlite", APART),
    "postgres-together": ("postgres", TOGETHER),
}
SHORT_WAYS = 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    ways = list(WAYS)[: None if metafunc.config.getoption("--full") else SHORT_WAYS]
    metafunc.parametrize("way", ways)


@pytest.mark.timeout(900)
def test_processes_that_are_killed_lose_nothing(
    way: str,
    tmp_path: Path,
    places: Places,
    is_full: bool,
    count: Count,
    request: pytest.FixtureRequest,
) -> None:
    dialect, programs = WAYS[way]
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    if dialect == "postgres":
        url = request.getfixturevalue("new_postgres_database")(None)
    kills, seed = (FULL_KILLS if is_full else SHORT_KILLS), random.Random().randrange(10**6)
    environment = {"DATABASE_URL": url, **places.environment}
    with Hub(tmp_path, environment, *programs) as hub, Sender(hub) as sender:
        kill_now_and_then(hub, places, kills, seed)
        sender.finish()
        # hub serve waits for up to half a minute before it starts again what keeps dying.
        settle(url, LEASE_SECONDS + 180)
    found = reckon(url, sender, places)
    count(times=kills, seed=seed, **found.numbers())

    assert found.events > kills
    assert (found.lost, found.unexplained, found.unfinished, found.faults) == ((), (), (), ())
