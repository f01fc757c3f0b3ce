"""Processes are killed without warning under load: what was answered 200 arrives everywhere it is owed."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest
from faults.conftest import Count
from faults.hubs import LEASE_SECONDS, ROUTES, Hub, Receivers, Sender, kill, reckon, settle, wait_until
from servers.http_receiver import HttpReceiver
from servers.smtp_server import SmtpServer

SHORT_KILLS, FULL_KILLS = 4, 50


def kill_now_and_then(hub: Hub, receivers: Receivers, kills: int, seed: int) -> None:
    """SIGKILL one process of the hub after the other, at random moments: parents, web and workers.

    Half of the moments are soon after something arrived, so that not only programs that start are hit.
    """
    chance = random.Random(seed)
    for number in range(kills):
        if number % 2:
            time.sleep(chance.uniform(0.2, 2.0))
        else:
            wait_for_next(receivers)
            time.sleep(chance.uniform(0, 0.2))
        kill(chance.choice(wait_until(hub.pids, "the programs to be started again")))


def wait_for_next(receivers: Receivers) -> None:
    """Return when a message arrives, at the latest after ten seconds."""
    with contextlib.suppress(TimeoutError):
        receivers.http.wait_for(len(receivers.http.received) + 1, 10)


TOGETHER, APART = ("serve",), ("web", "worker", "worker")

LONE = (
    ROUTES.partition("destinations:")[0]
    + """\
destinations:
  crm: {type: http, url: "${CRM_WEBHOOK_URL}/crm"}
routes:
  - {name: everything, events: "*", send: crm}
"""
)
"""Routes of events that are passed on as they are: each that comes alone is started in one exchange."""


class Way(NamedTuple):
    """A database and its programs; `lone` for events that come one at a time."""

    dialect: str
    programs: tuple[str, ...]
    lone: bool = False


WAYS = {
    "sqlite-together": Way("sqlite", TOGETHER),
    "postgres-apart": Way("postgres", APART),
    "sqlite-apart": Way("sqlite", APART),
    "postgres-together": Way("postgres", TOGETHER),
    "postgres-lone": Way("postgres", APART, lone=True),
}
SHORT = ("sqlite-together", "postgres-apart", "postgres-lone")
"""The short form does these at the same time: most of it is waiting for the leases of the dead."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "ways" in metafunc.fixturenames:
        ways = [(way,) for way in WAYS] if metafunc.config.getoption("--full") else [SHORT]
        metafunc.parametrize("ways", ways, ids="+".join)


@pytest.mark.timeout(900)
def test_processes_that_are_killed_lose_nothing(
    ways: tuple[str, ...],
    tmp_path: Path,
    is_full: bool,
    count: Count,
    new_postgres_database: Callable[..., str],
) -> None:
    kills = FULL_KILLS if is_full else SHORT_KILLS

    def lose_nothing(way: str) -> None:
        dialect, programs, lone = WAYS[way]
        folder, seed = tmp_path / way, random.Random().randrange(10**6)
        folder.mkdir()
        url = f"sqlite:///{folder / 'hub.db'}" if dialect == "sqlite" else new_postgres_database(None)
        with Receivers(HttpReceiver(), SmtpServer()) as receivers:
            environment = {"DATABASE_URL": url, **receivers.environment}
            environment |= {"ROUTES": LONE} if lone else {}
            pace = {"threads": 1, "pause_seconds": 0.3} if lone else {}
            with Hub(folder, environment, *programs) as hub, Sender(hub, **pace) as sender:
                kill_now_and_then(hub, receivers, kills, seed)
                # A quick machine may be through with them before so many events were accepted.
                sender.wait_for_all(kills + 1)
                sender.finish()
                # hub serve waits for up to half a minute before it starts again what keeps dying.
                settle(url, LEASE_SECONDS + 180)
            tally = reckon(url, sender, receivers)
        count(way, times=kills, seed=seed, **tally.numbers())

        assert tally.events > kills
        assert (tally.lost, tally.unexplained, tally.unfinished, tally.faults) == (
            (),
            (),
            (),
            (),
        )

    with ThreadPoolExecutor(len(ways)) as pool:
        list(pool.map(lose_nothing, ways))
