"""Processes are killed without warning under load: what was answered 200 arrives everywhere it is owed."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from faults.conftest import Count
from faults.hubs import LEASE_SECONDS, Hub, Places, Sender, kill, reckon, settle

SHORT_KILLS, FULL_KILLS = 8, 60


def kill_now_and_then(hub: Hub, kills: int, seed: int) -> None:
    """SIGKILL one process of the hub after the other, at random moments: parents, web and workers."""
    chance = random.Random(seed)
    for _ in range(kills):
        time.sleep(chance.uniform(0.2, 2.0))
        pids = hub.pids()
        while not pids:
            time.sleep(0.1)
            pids = hub.pids()
        kill(chance.choice(pids))


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
        kill_now_and_then(hub, kills, seed)
        sender.finish()
        settle(url, LEASE_SECONDS + 60)
    found = reckon(url, sender, places)
    count(times=kills, seed=seed, **found.numbers())

    assert found.events > kills
    assert (found.lost, found.unexplained, found.unfinished, found.faults) == ((), (), (), ())
