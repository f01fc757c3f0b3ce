"""A hub that is at work is moved from SQLite to PostgreSQL: nothing is lost, and nothing is sent twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from faults.conftest import Count
from faults.hubs import (
    LEASE_SECONDS,
    PATIENCE_SECONDS,
    ROOT,
    ROUTES,
    Hub,
    Receivers,
    Sender,
    reckon,
    settle,
    wait_until,
)
from servers.http_receiver import ReceivedRequest


def migrate_store(source: str, target: str, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "hub", "migrate-store", source, target],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=(folder / "moved.txt").open("ab"),
        stderr=subprocess.STDOUT,
    )


@pytest.mark.timeout(900)
def test_a_hub_at_work_moves_up(
    tmp_path: Path,
    receivers: Receivers,
    new_postgres_database: Callable[..., str],
    is_full: bool,
    count: Count,
) -> None:
    source, target = f"sqlite:///{tmp_path / 'hub.db'}", new_postgres_database(None)
    receivers.fails = fails_at_first
    folders = [tmp_path / name for name in ("old", "new")]
    for folder in folders:
        folder.mkdir()
    output = tmp_path / "moved.txt"
    # What is slow to answer must not count as sent twice.
    routes = {"ROUTES": ROUTES.replace("timeout: 1s", "timeout: 300s")}
    environments = [{"DATABASE_URL": url, **receivers.environment, **routes} for url in (source, target)]
    with Hub(folders[0], environments[0], "serve") as old, Sender(old, pause_seconds=0.2) as sender:
        wait_until(lambda: len(sender.accepted) > (400 if is_full else 60), "events", 200, old.tail)
        # Killed as by an impatient operator while it waits for what is being sent: the second run goes on.
        receivers.may_answer.clear()
        receivers.http.wait_for(len(receivers.http.received) + 1)
        first = migrate_store(source, target, tmp_path)
        wait_until(lambda: sender.refused[503], "the old web to answer 503", explain=old.tail)
        first.send_signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL, output.read_text()
        receivers.may_answer.set()
        second = migrate_store(source, target, tmp_path)
        assert second.wait(200) == 0, output.read_text()
        accepted = len(sender.accepted)
        answer = requests.get(f"{old.url}/readyz", timeout=PATIENCE_SECONDS)
        assert "moved to another" in answer.json()["database"]
        wait_until(
            lambda: "worker.idle" in old.log.read_text(), "the old worker to be idle", explain=old.tail
        )
        assert len(sender.accepted) == accepted
        with Hub(folders[1], environments[1], "web", "worker") as new:
            sender.hub = new
            sender.wait_for_all(accepted + 11)
            sender.finish()
            settle(target, LEASE_SECONDS + 60)
    tally = reckon(target, sender, receivers)
    count(times=1, **tally.numbers())

    assert set(sender.refused) == {503}
    assert (tally.lost, tally.unexplained, tally.unfinished, tally.faults) == ((), (), (), ())
    assert tally.duplicates == 0


def fails_at_first(request: ReceivedRequest) -> bool:
    """Some first attempts, so that the move finds all kinds of deliveries; too few to open a breaker."""
    is_one_of_few = request.headers["webhook-id"][-1] in "048c"
    return is_one_of_few and request.path == "/audit" and request.headers["hub-attempt"] == "1"
