"""A program that lets rows go on that waited for tables of a mirror, and is killed at one of its writes.

`python releasing.py STORE APP` forks for each line of its standard input, the number of the write before
which that process kills itself; 0 lets it end, and `worker` runs a worker for so many seconds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import given
from servers.program import PATIENCE_SECONDS
from sqlalchemy import Engine, event
from working import working

from hub.destinations.database.options import DatabaseOptions
from hub.ingest.route import Rules
from hub.maintenance import release
from hub.store.open import open_store

TESTS = Path(__file__).parents[1]
ROWS_AT_ONCE = 2


def rules(app_url: str) -> Rules:
    """A route that mirrors users into a database whose tables a person makes."""
    options = DatabaseOptions.model_validate({"url": app_url, "tables": ["users"], "migrate": "print"})
    database = replace(given.destination("app-db"), type="database", timeout_seconds=5.0, options=options)
    return given.rules(given.route("mirror", ("user.*",), "app-db"), destinations=(database,))


class Releaser:
    """The program, to be used in a `with`; one process at a time."""

    def __init__(self, store_url: str, app_url: str) -> None:
        self._urls = (store_url, app_url)

    def __enter__(self) -> Releaser:
        self._program = subprocess.Popen(
            [sys.executable, __file__, *self._urls],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._program.stdin is not None
        self._program.stdin.close()
        self._program.wait(PATIENCE_SECONDS)

    def release(self, kill_before: int) -> bool:
        """Release what waits in a new process; True where it was killed before that write."""
        return self._ended(str(kill_before)) == -signal.SIGKILL

    def kill_worker(self, seconds: float) -> None:
        """Let a worker run for so long."""
        assert self._ended(f"worker {seconds}") == -signal.SIGKILL

    def _ended(self, line: str) -> int:
        """Let a process do this; return the code that it ended with."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        print(line, file=self._program.stdin, flush=True)
        code = int(self._program.stdout.readline())

        assert code in (0, -signal.SIGKILL)
        return code


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_before(write: int) -> None:
    """Let this process be killed before its write of that number: one that only reads keeps nothing."""
    writes = 0

    def count(*parts: Any) -> None:
        nonlocal writes
        is_write = len(parts) == 1 or parts[2].lstrip("- \n").upper().startswith(("UPDATE", "COMMIT"))
        writes += is_write
        if is_write and writes == write:
            _kill()

    for name in ("before_cursor_execute", "commit"):
        event.listen(Engine, name, count)


def _do(store_url: str, app_url: str, line: str) -> None:
    word, _, seconds = line.partition(" ")
    store, today = open_store(store_url), rules(app_url)
    if word == "worker":
        with working(store, today):
            threading.Timer(float(seconds), _kill).start()
            threading.Event().wait()
    release.BATCH = ROWS_AT_ONCE
    _kill_before(int(word))
    release.release_parts(store, today)


def _main(store_url: str, app_url: str) -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.dup2(2, 1)  # its log is no answer
            try:
                _do(store_url, app_url, line.strip())
            except BaseException:  # noqa: BLE001 - the last frame of a process
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
