"""The heartbeat tells when a worker's last cycle committed, and nothing of one that never had any."""

from __future__ import annotations

from datetime import timedelta

import given
from sqlalchemy import select
from working import working

from hub.maintenance.heartbeat import FORGOTTEN_AFTER, beat, leave
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import workers


def kept(store: Store) -> dict[str, object]:
    with store.read() as reading:
        rows = reading.session.connection.execute(select(workers)).all()
    return {row.id: row.seen_at for row in rows}


def test_before_the_first_cycle_nothing_is_kept(store: Store) -> None:
    assert beat(store, "mine", None) is False
    assert kept(store) == {}


def test_it_keeps_when_the_last_cycle_committed_however_long_ago(store: Store) -> None:
    with store.read() as reading:
        last = reading.now - timedelta(minutes=5)

    assert [beat(store, "mine", last - timedelta(minutes=1)), beat(store, "mine", last)] == [True, True]
    assert kept(store) == {"mine": last}
    with store.read() as reading:
        assert reading.workers.last_seen_at() == last


def test_workers_that_were_silent_for_long_are_forgotten(store: Store) -> None:
    with store.read() as reading:
        now = reading.now
    beat(store, "silent", now - FORGOTTEN_AFTER - timedelta(seconds=1))
    beat(store, "slow", now - FORGOTTEN_AFTER + timedelta(minutes=1))
    beat(store, "mine", now)

    assert set(kept(store)) == {"slow", "mine"}


def test_a_worker_that_leaves_is_forgotten_at_once_and_no_other(store: Store) -> None:
    with store.read() as reading:
        now = reading.now
    beat(store, "mine", now)
    beat(store, "other", now)
    leave(store, "mine")

    assert set(kept(store)) == {"other"}


def test_a_store_that_does_not_answer_keeps_nobody_from_leaving() -> None:
    store = open_store("postgresql://127.0.0.1:1/nothing")
    leave(store, "mine")
    store.close()


def test_a_worker_that_idles_beats_soon_after_its_first_cycle_and_leaves_at_its_end(store: Store) -> None:
    with working(store, given.rules(given.route())) as worker:
        given.until(lambda: kept(store))
        assert list(kept(store)) == [worker.id]
        assert worker.last_cycle_at is not None
        assert kept(store)[worker.id] <= worker.last_cycle_at

    assert kept(store) == {}
