"""A program that fills and mends mirrors, each time in a new process that a test may kill at any moment.

`python mirror_filler.py` forks for each job, a line of JSON on its standard input; that process writes a line
of JSON for each step, and the last one says what it took.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub.mirror.mirror import MirrorOptions, open_mirror
from hub.model.config import BackendAccess
from hub.sync.api import BackendApi
from hub.sync.backfill import backfill
from hub.sync.mirroring import Mirroring
from hub.sync.repair import MOST_OBJECTS, MaxDeletes, repair
from hub.sync.verify import Verifier
from servers.program import PATIENCE_SECONDS

TESTS = Path(__file__).parents[1]


class Filler:
    """The program, to be used in a `with`; one job at a time."""

    def __enter__(self) -> Filler:
        self._program = subprocess.Popen(
            [sys.executable, __file__],
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

    def steps(self, **job: Any) -> Iterator[dict[str, Any]]:
        """Begin a job and yield its steps; the first has the `pid` of its process."""
        assert self._program.stdin is not None
        assert self._program.stdout is not None
        print(json.dumps(job), file=self._program.stdin, flush=True)
        for line in iter(self._program.stdout.readline, ""):
            try:
                step: dict[str, Any] = json.loads(line)
            except ValueError:
                continue  # a process was killed while it wrote
            if "ended" in step:
                return
            yield step

    def run(self, **job: Any) -> dict[str, Any]:
        """Do a job to its end and return its last step."""
        *_, last = self.steps(**job)
        return last

    def kill_after(self, count: int, pause_seconds: float, **job: Any) -> bool:
        """Let a job's process be killed a little after so many steps, or at its end; False where it was not.

        It kills itself: from here that would come too late on a machine that is busy, or quick.
        """
        *_, last = self.steps(**job, kill_after=count, pause_seconds=pause_seconds)
        return "seconds" not in last and "error" not in last


class _Steps:
    """The steps of one job, told one by one; some jobs are killed soon after one of them."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._countdown: int | None = job.get("kill_after")
        self._pause_seconds: float = job.get("pause_seconds", 0.0)

    def say(self, **step: Any) -> None:
        _say(**step)
        if self._countdown is not None:
            self._countdown -= 1
            if self._countdown == 0:
                threading.Timer(self._pause_seconds, _kill).start()

    def end(self, **result: Any) -> None:
        """Tell the last step, unless the process is to be killed: then it is."""
        if self._countdown is not None:
            _kill()
        _say(**result)


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _say(**step: Any) -> None:
    os.write(1, (json.dumps(step) + "\n").encode())


def _do(job: dict[str, Any]) -> None:
    began, tables, limit, steps = time.monotonic(), job["tables"], job.get("limit", 500), _Steps(job)
    access = BackendAccess(secret_key=job["secret_key"], api_url=job["api_url"])
    api = BackendApi(access, wait=lambda seconds: time.sleep(min(seconds, 0.01)), rate=1e9)
    mirror = open_mirror(MirrorOptions(url=job["url"], tables=tuple(tables)))
    mirroring = Mirroring(mirror, "app-db", time.sleep)
    drift: list[tuple[str, str, str]] = []
    if job["act"] == "backfill":
        backfill(api, mirroring, tables, lambda progress: steps.say(read=progress.read), limit=limit)
    else:
        verifier = Verifier(
            api, mirroring, lambda keys: (), wait=lambda _: None, limit=limit, whole=MOST_OBJECTS
        )
        for table in tables:
            comparison = verifier.compare(table)
            drift += [(one.table, one.id, one.kind.value) for one in comparison.drift]
            if job["act"] == "repair":
                repair(api, mirroring, comparison, MaxDeletes(percent=100), lambda done: steps.say(done=done))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    steps.end(
        seconds=round(time.monotonic() - began, 1),
        processor_seconds=round(usage.ru_utime + usage.ru_stime, 1),
        mib=usage.ru_maxrss // 1024,
        requests=api.requests,
        drift=sorted(drift),
    )


def _main() -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _say(pid=os.getpid())
            try:
                _do(json.loads(line))
            except BaseException as error:  # noqa: BLE001 - the last frame of a process
                _say(error=repr(error))
            os._exit(0)
        os.waitpid(pid, 0)
        os.write(1, b'\n{"ended": true}\n')


if __name__ == "__main__":
    _main()
