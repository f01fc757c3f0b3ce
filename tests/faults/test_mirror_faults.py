"""A mirror under faults: writers killed, connections cut, every order tried, and its rows end the same."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from faults.conftest import Count
from hypothesis import given, settings
from mirror.given_mirror import (
    SECONDS,
    Step,
    apply,
    final_state,
    histories,
    new_mirror,
    planned_steps,
    run,
    stored_state,
    user,
)

from hub.errors import Retry
from hub.mirror.mirror import OnDelete

SHORT_KILLS, FULL_KILLS = 3, 50
STEPS_FOR_A_KILL = 25
EXAMPLES, LENGTH, WORKERS = 1000, 14, 4


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "killed" in metafunc.fixturenames:
        is_full = metafunc.config.getoption("--full")
        metafunc.parametrize("killed", ("sqlite", "postgres", "mariadb") if is_full else ("postgres",))


@pytest.mark.timeout(3600)
def test_a_writer_that_is_killed_anywhere(
    killed: str, is_full: bool, request: pytest.FixtureRequest, tmp_path: Path, count: Count
) -> None:
    """Each is killed within an event or a page, and the next one takes up what was not told to be done."""
    url = f"sqlite:///{tmp_path / 'app.db'}" if killed == "sqlite" else new_database(request, killed)
    kills = FULL_KILLS if is_full else SHORT_KILLS
    seed, length, done = 1, kills * STEPS_FOR_A_KILL, 0
    chance = random.Random(seed)
    for _ in range(kills):
        done += write_and_kill(url, seed, length, done, chance)
    with closing(new_mirror(url)) as mirror:
        steps = planned_steps(seed, length)
        for step in steps[done:]:
            run(mirror, [step], 1)

        assert stored_state(mirror, steps) == final_state(steps)
    count(killed, times=kills, events=length)


def write_and_kill(url: str, seed: int, length: int, begin: int, chance: random.Random) -> int:
    """Let a process write until it is killed, some steps on; return how many it told to be done."""
    program = [
        sys.executable,
        Path(__file__).with_name("mirroring.py"),
        url,
        *map(str, (seed, length, begin)),
    ]
    done = 0
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(chance.randint(1, STEPS_FOR_A_KILL - 5)):
            done = int(process.stdout.readline() or begin) - begin
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        rest = process.stdout.read().split()
    return int(rest[-1]) - begin if rest else done


def new_database(request: pytest.FixtureRequest, dialect: str) -> str:
    make: Callable[..., str] = request.getfixturevalue(f"new_{dialect}_database")
    return make(None) if dialect == "postgres" else make()


@pytest.mark.full
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("on_delete", OnDelete)
def test_thousands_of_histories_end_in_one_state(mirror_url: str, on_delete: OnDelete, count: Count) -> None:
    with closing(new_mirror(mirror_url, on_delete=on_delete)) as mirror:

        @settings(max_examples=EXAMPLES)
        @given(histories(LENGTH))
        def converges(steps: Sequence[Step]) -> None:
            run(mirror, steps, WORKERS)

            assert stored_state(mirror, steps) == final_state(steps, blanks=on_delete is OnDelete.BLANK)

        converges()
    count(mirror_url.partition(":")[0], times=EXAMPLES)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_connections_that_the_server_ends(new_postgres_database: Callable[..., str], count: Count) -> None:
    """Each row is tried until it was answered; every failure is the endpoint's, and no row is lost."""
    url = new_postgres_database(None)
    ends, failures = threading.Event(), 0
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'hub' AND datname = current_database() AND mod(pid, 2) = %s"
    )

    def cut_now_and_then() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not ends.wait(random.uniform(0.01, 0.2)):
                connection.execute(cut, (random.randrange(2),))

    thread = threading.Thread(target=cut_now_and_then)
    with closing(new_mirror(url)) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        thread.start()
        try:
            for number in range(300):
                while True:
                    try:
                        apply(mirror, user(f"u{number}"))
                        break
                    except Retry:
                        failures += 1
        finally:
            ends.set()
            thread.join()
        steps = [[user(f"u{number}")] for number in range(300)]

        assert stored_state(mirror, steps) == final_state(steps)
    count(times=failures, events=300)
