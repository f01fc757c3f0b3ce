"""The disk under SQLite fills up under load: 503 until there is room again, and nothing is torn."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.conftest import Count
from faults.hubs import LEASE_SECONDS, Hub, Places, Sender, reckon, settle, wait_until

DISK_BYTES, LEFT_BYTES = 24 * 1024**2, 256 * 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.timeout(600)
def test_a_full_disk_is_answered_503_and_harms_nothing(
    small_disk: Path, tmp_path: Path, places: Places, is_full: bool, count: Count
) -> None:
    url, path = f"sqlite:///{small_disk / 'hub.db'}", small_disk / "hub.db"
    times = 5 if is_full else 1
    with Hub(tmp_path, {"DATABASE_URL": url, **places.environment}, "serve") as hub, Sender(hub) as sender:
        for number in range(times):
            before = len(sender.accepted)
            wait_until(lambda before=before: len(sender.accepted) > before + 20, "events", 30, hub.tail)
            ballast = fill(small_disk, number)
            refused = sender.refused[503]
            wait_until(lambda refused=refused: sender.refused[503] > refused + 5, "503", 60, hub.tail)
            ballast.unlink()
            before = len(sender.accepted)
            wait_until(lambda before=before: len(sender.accepted) > before + 20, "acceptance", 60, hub.tail)
        sender.finish()
        settle(url, LEASE_SECONDS + 60)
    found = reckon(url, sender, places)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()
    count(
        events=found.events,
        deliveries=found.deliveries,
        times_full=times,
        answered_503=sender.refused[503],
        duplicates=found.duplicates,
        lost=len(found.lost),
    )

    assert integrity == ("ok",)
    assert set(sender.refused) == {503}
    assert (found.lost, found.unexplained, found.unfinished, found.faults) == ((), (), (), ())


def fill(folder: Path, number: int) -> Path:
    """Take up all the room but a little, which the hub then fills itself."""
    ballast = folder / f"ballast-{number}"
    state = os.statvfs(folder)
    room = max(state.f_bavail * state.f_frsize - LEFT_BYTES, 0)
    ballast.write_bytes(b"\0" * room)
    return ballast
