"""Rows that waited for tables go out after these were made by hand, whatever process is killed meanwhile."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import given
import pytest
from faults.conftest import Count
from faults.hubs import LEASE_SECONDS
from faults.releasing import ROWS_AT_ONCE, Releaser, rules
from mirror.given_mirror import SECONDS, Place, new_mirror
from sqlalchemy import update
from working import working

from hub.ingest.fanout import fan_out
from hub.maintenance.release import release_parts
from hub.mirror.mirror import Migration, Mirror
from hub.model.delivery import State
from hub.model.records import DeliveryRecord
from hub.store.store import Store
from hub.store.tables import deliveries

USERS = 5
FULL_USERS, FULL_KILLS = 300, 40


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "dialect" in metafunc.fixturenames:
        is_full = metafunc.config.getoption("--full")
        metafunc.parametrize("dialect", ("sqlite", "postgres") if is_full else ("sqlite",))


@pytest.fixture
def store_url(dialect: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{dialect}_store_url"))


def records(store: Store) -> list[DeliveryRecord]:
    with store.read() as snapshot:
        return snapshot.delivery_list.records(limit=FULL_USERS)


def waiting(store: Store) -> list[DeliveryRecord]:
    return [record for record in records(store) if record.needs]


def let_wait(store: Store, app_url: str, users: int) -> None:
    """Let so many rows wait for the tables, which are not there."""
    today = rules(app_url)
    for number in range(users):
        fan_out(given.event("user.created", data={"id": f"user_{number:03d}"}), today, store)
    with working(store, today):
        given.until(lambda: len(waiting(store)) == users)


def make_tables(mirror: Mirror, app_url: str) -> None:
    for statement in mirror.pending(timeout_seconds=SECONDS):
        Place("sqlite", app_url).execute(statement)


def wait_anew(store: Store, needs: tuple[str, ...]) -> None:
    with store.transaction() as transaction:
        values = {"needs": ",".join(needs), "due_at": None, "owed_since": None}
        transaction.session.connection.execute(update(deliveries).values(**values))


@pytest.mark.timeout(900)
def test_a_process_that_is_killed_at_any_write_of_a_release_loses_nothing(
    store: Store, store_url: str, tmp_path: Path, count: Count
) -> None:
    """Each row waits or is due, never neither; the next process releases what the killed one did not."""
    app_url = f"sqlite:///{tmp_path / 'app.db'}"
    let_wait(store, app_url, USERS)
    needs, kills = waiting(store)[0].needs, 0
    with (
        closing(new_mirror(app_url, tables=("users",), migrate=Migration.PRINT)) as mirror,
        Releaser(store_url, app_url) as releaser,
    ):
        make_tables(mirror, app_url)
        while releaser.release(kill_before=kills + 1):
            kills += 1
            states = [(row.state, bool(row.needs), row.due_at is None) for row in records(store)]

            assert set(states) <= {(State.PENDING, True, True), (State.PENDING, False, False)}
            assert not releaser.release(kill_before=0)
            assert waiting(store) == []
            wait_anew(store, needs)
        with working(store, rules(app_url)):
            given.until(lambda: {record.state for record in records(store)} == {State.DELIVERED})

        assert kills >= USERS // ROWS_AT_ONCE + 1
        assert mirror.count("users", timeout_seconds=SECONDS) == USERS
    count(times=kills)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_workers_that_are_killed_while_waiting_rows_go_out_lose_none(
    store: Store, store_url: str, tmp_path: Path, count: Count
) -> None:
    app_url, chance = f"sqlite:///{tmp_path / 'app.db'}", random.Random(1)
    let_wait(store, app_url, FULL_USERS)
    with (
        closing(new_mirror(app_url, tables=("users",), migrate=Migration.PRINT)) as mirror,
        Releaser(store_url, app_url) as releaser,
    ):
        releaser.kill_worker(0.5)
        make_tables(mirror, app_url)
        for _ in range(FULL_KILLS):
            releaser.kill_worker(chance.uniform(0.05, 0.6))
        release_parts(store, rules(app_url))
        with working(store, rules(app_url)):
            given.until(
                lambda: {record.state for record in records(store)} == {State.DELIVERED},
                LEASE_SECONDS + 180,
            )

        assert mirror.count("users", timeout_seconds=SECONDS) == FULL_USERS
    count(times=FULL_KILLS, deliveries=FULL_USERS)
