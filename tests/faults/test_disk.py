"""The disk under SQLite and the log fills up under load: 503 until there is room, and nothing is torn."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from faults.conftest import Count
from faults.hubs import LEASE_SECONDS, Hub, Receivers, Sender, reckon, settle, wait_until

DISK_BYTES, CHUNK_BYTES = 24 * 1024**2, 16 * 1024

Full = Callable[[Hub], AbstractContextManager[None]]


@pytest.fixture(params=["no-longer-files", "small-disk"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Full]]:
    """The hub's folder, and a context manager in which its disk is full.

    The kernel's limit on the length of files needs no privilege: it refuses the very writes that a full
    disk refuses, with EFBIG for ENOSPC. A file system without room is tried where one may be mounted.
    """
    if request.param == "no-longer-files":
        yield tmp_path, short_files
        return
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root; the limit on files stands for it")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], check=True)
    try:
        yield folder, lambda hub: ballast(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def short_files(hub: Hub) -> Iterator[None]:
    """No process of the hub may make a file longer than its log is now: the log itself neither."""
    limit_files(hub, hub.log.stat().st_size)
    try:
        yield
    finally:
        limit_files(hub, resource.RLIM_INFINITY)


def limit_files(hub: Hub, length: int) -> None:
    for pid in hub.pids():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))


@contextmanager
def ballast(folder: Path) -> Iterator[None]:
    """Take up the room that is left, to the last page or so."""
    heavy = folder / "ballast"
    with heavy.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * CHUNK_BYTES)
    try:
        yield
    finally:
        heavy.unlink()


@pytest.mark.timeout(600)
def test_a_full_disk_is_answered_503_and_harms_nothing(
    disk: tuple[Path, Full], receivers: Receivers, is_full: bool, count: Count
) -> None:
    folder, full = disk
    path, times = folder / "hub.db", 5 if is_full else 1
    url = f"sqlite:///{path}"
    with Hub(folder, {"DATABASE_URL": url, **receivers.environment}, "serve") as hub, Sender(hub) as sender:
        pids = hub.pids()
        for _ in range(times):
            sender.wait_for_accepted(20)
            with full(hub):
                refused = sender.refused[503]
                wait_until(
                    lambda refused=refused: sender.refused[503] > refused + 20, "503", explain=hub.tail
                )
            sender.wait_for_accepted(20)
        sender.finish()
        settle(url, LEASE_SECONDS + 60)
        survivors = hub.pids()
    tally = reckon(url, sender, receivers)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        integrity = connection.execute("PRAGMA integrity_check").fetchone()
    count(times=times, **tally.numbers())

    assert integrity == ("ok",)
    assert set(sender.refused) == {503}
    assert survivors == pids
    assert (tally.lost, tally.unexplained, tally.unfinished, tally.faults) == ((), (), (), ())
