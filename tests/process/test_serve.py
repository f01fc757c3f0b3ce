"""`hub serve` and its processes: delivers, starts again what dies, ends together, leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import (
    ROUTES,
    Running,
    environment,
    get,
    post_event,
    pss_megabytes,
    wait_until_ready,
    write_configuration,
)
from servers.http_receiver import CannedResponse, HttpReceiver
from servers.program import PATIENCE_SECONDS, free_port, wait_until

from hub.delivery.worker import DRAIN_SECONDS
from hub.process.supervisor import SAME_STOP_SECONDS, STOP_SECONDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_configuration(tmp_path)


@pytest.fixture
def crm() -> Iterator[HttpReceiver]:
    with HttpReceiver() as receiver:
        yield receiver


def environment_of(folder: Path, crm: HttpReceiver, port: int, **more: str) -> dict[str, str]:
    return environment(folder, PORT=str(port), CRM_WEBHOOK_URL=crm.url, **more)


def serve(folder: Path, crm: HttpReceiver, port: int, **more: str) -> Running:
    return Running("hub serve", folder, environment_of(folder, crm, port, **more))


def test_serve_delivers_and_sigterm_ends_everything(folder: Path, crm: HttpReceiver) -> None:
    port = free_port()
    with serve(folder, crm, port) as running:
        wait_until_ready(port, running)

        assert post_event(port).json()["deliveries"] == 1
        assert len(crm.wait_for(1)) == 1
        running.stop()
        assert running.process.returncode == 0
        assert running.pids() == []


def test_sigterm_to_every_process_is_one_request_to_stop(folder: Path, crm: HttpReceiver) -> None:
    """A platform signals all of a dyno's processes; an attempt that is under way still finishes."""
    port = free_port()

    def slow(_: object) -> CannedResponse:
        time.sleep(2)
        return CannedResponse()

    crm.respond = slow
    with serve(folder, crm, port) as running:
        wait_until_ready(port, running)
        post_event(port)
        crm.wait_for(1)
        for pid in running.pids():
            # One may have ended since, by what its parent told it.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        running.process.wait(PATIENCE_SECONDS)

        assert "outcome=delivered" in running.text
        assert running.pids() == []


WITH_BOUNDS = """\
from hub.delivery import worker
from hub.process import supervisor

worker.DRAIN_SECONDS, supervisor.STOP_SECONDS = {drain_seconds}, {stop_seconds}
from hub.__main__ import main

main(["serve"])
"""


def write_bounded(folder: Path, *, drain_seconds: float, stop_seconds: float) -> str:
    """Write `hub serve` with bounds of its own for a stop, and return the line that starts it."""
    text = WITH_BOUNDS.format(drain_seconds=drain_seconds, stop_seconds=stop_seconds)
    (folder / "bounded.py").write_text(text)
    return "python bounded.py"


def test_a_second_signal_hurries(tmp_path: Path, crm: HttpReceiver) -> None:
    port = free_port()
    folder = write_configuration(tmp_path, ROUTES.replace("retry: [1s]", "timeout: 10m"))
    # For an hour it waits for what is being sent: here a second signal alone ends it.
    line = write_bounded(folder, drain_seconds=3600.0, stop_seconds=3600.0)

    def stuck(_: object) -> CannedResponse:
        crm.stopping.wait()
        return CannedResponse()

    crm.respond = stuck
    with Running(line, folder, environment_of(folder, crm, port)) as running:
        wait_until_ready(port, running)
        post_event(port)
        crm.wait_for(1)
        parent = running.process.pid
        running.process.send_signal(signal.SIGINT)
        wait_until(lambda: len(running.children_of(parent)) == 1, "web to end", explain=lambda: running.text)
        time.sleep(SAME_STOP_SECONDS + 0.2)

        assert running.process.poll() is None
        running.stop(signal.SIGINT)
        assert running.pids() == []


ASKING = """\
import time

from hub.maintenance import runner
from hub.process import start

def asking_tasks(store, rules):
    def has_worker():
        with store.read() as snapshot:
            return snapshot.workers.last_seen_at() is not None

    def ask():
        while not has_worker():
            time.sleep(0.02)
        print("asks", flush=True)
        while has_worker():
            time.sleep(0.02)

    return [runner.Task(name="asks", every_seconds=3600, run=ask)]

runner.STOP_SECONDS, start.asking_tasks = 3600, asking_tasks
from hub.__main__ import main

main(["worker"])
"""
"""A worker that asks somebody who answers once the worker has left, and for whom it waits an hour."""


def test_a_worker_has_left_before_it_waits_for_what_it_asked(folder: Path, crm: HttpReceiver) -> None:
    (folder / "asking.py").write_text(ASKING)
    with Running("hub migrate && exec python asking.py", folder, environment_of(folder, crm, 0)) as running:
        running.wait_for_text("asks\n")
        running.stop()

        assert running.process.returncode == 0


def test_nothing_outlives_a_killed_parent(folder: Path, crm: HttpReceiver) -> None:
    port = free_port()
    with serve(folder, crm, port) as running:
        wait_until_ready(port, running)
        running.stop(signal.SIGKILL)

        wait_until(lambda: not running.pids(), "the children to end", explain=lambda: running.text)


def test_a_killed_child_is_started_again(folder: Path, crm: HttpReceiver) -> None:
    port = free_port()
    with serve(folder, crm, port) as running:
        wait_until_ready(port, running)
        children = set(running.children_of(running.process.pid))
        assert len(children) == 2
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: (
                len(set(running.children_of(running.process.pid)) - children) == 2
                and running.text.count("process.died") == 2
            ),
            "two new children",
            explain=lambda: running.text,
        )
        wait_until_ready(port, running)

        assert post_event(port).json()["deliveries"] == 1
        assert len(crm.wait_for(1)) == 1


@pytest.mark.parametrize("processes", ["1", "2"])
def test_serve_stays_small(folder: Path, crm: HttpReceiver, processes: str) -> None:
    port = free_port()
    with serve(folder, crm, port, WEB_CONCURRENCY=processes) as running:
        wait_until_ready(port, running)
        for _ in range(20):
            assert post_event(port).status_code == 200
        crm.wait_for(20)
        for page in ("/", "/healthz", "/login"):
            get(port, page)
        megabytes = pss_megabytes(running.pids())
        print(f"hub serve, WEB_CONCURRENCY={processes}: {len(running.pids())} processes, {megabytes:.0f} MB")

        assert megabytes < 250


def test_web_and_worker_outlive_the_shell_that_started_them(folder: Path, crm: HttpReceiver) -> None:
    port = free_port()
    env = environment_of(folder, crm, port)
    with Running("nohup hub web & nohup hub worker & wait", folder, env) as running:
        wait_until_ready(port, running)
        running.stop(signal.SIGKILL)
        time.sleep(2)

        assert post_event(port).json()["deliveries"] == 1
        assert len(crm.wait_for(1)) == 1


def test_a_slow_destination_is_given_back_within_ten_seconds(tmp_path: Path, crm: HttpReceiver) -> None:
    """A message that was being sent, and would be for ten minutes, is due again with the next start."""
    assert DRAIN_SECONDS < STOP_SECONDS < 10
    folder = write_configuration(tmp_path, ROUTES.replace("retry: [1s]", "timeout: 10m"))
    port = free_port()
    line = write_bounded(folder, drain_seconds=1.0, stop_seconds=PATIENCE_SECONDS)

    def stuck_once(_: object) -> CannedResponse:
        if len(crm.received) == 1:
            crm.stopping.wait()
        return CannedResponse()

    crm.respond = stuck_once
    with Running(line, folder, environment_of(folder, crm, port)) as running:
        wait_until_ready(port, running)
        post_event(port)
        crm.wait_for(1)
        running.stop()
    with serve(folder, crm, port) as running:
        first, second, *_ = crm.wait_for(2)

        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.body == second.body
