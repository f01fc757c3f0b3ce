"""Web and worker take turns at one file: who writes waits for the other, not for long and not for ever."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import given
import pytest

from hub.errors import StoreUnavailable
from hub.store.engine import sqlite
from hub.store.engine.sqlite import SqliteStore
from hub.store.open import open_store
from hub.store.store import Store


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with closing(open_store(sqlite_url)) as store:
        yield store


@pytest.fixture
def other(store: SqliteStore) -> Iterator[sqlite3.Connection]:
    """Another process's connection to the file, with the write lock."""
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def write(store: Store) -> str:
    return store.write(lambda transaction: transaction.settings.set_default("name", "value"))


def test_a_writer_waits_until_the_lock_is_free(store: Store, other: sqlite3.Connection) -> None:
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write, store)
        with pytest.raises(TimeoutError):
            writing.result(0.3)
        other.execute("ROLLBACK")

        assert writing.result(30) == "value"


def test_a_lock_that_stays_taken_is_no_reason_to_wait_for_ever(
    store: Store, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.2)
    with pytest.raises(StoreUnavailable, match="database is locked"):
        write(store)
    other.execute("ROLLBACK")

    assert write(store) == "value"


def test_whoever_migrates_waits_for_another_that_takes_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.1)
    path = tmp_path / "hub.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other, ThreadPoolExecutor(1) as pool:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN IMMEDIATE")
        with closing(open_store(f"sqlite:///{path}")) as store:
            migrating = pool.submit(store.migrate)
            with pytest.raises(TimeoutError):
                migrating.result(1)
            other.execute("ROLLBACK")

            assert migrating.result(30) is None
            assert write(store) == "value"


def test_an_error_that_no_waiting_mends_comes_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 60)
    store.write(lambda t: t.session.connection.exec_driver_sql("PRAGMA query_only=1") and None)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="readonly"):
        write(store)

    assert time.monotonic() - began < 30


def test_within_a_transaction_sqlites_own_wait_is_as_ever(usual_bounds: None, store: Store) -> None:
    def wait_ms(transaction: Any) -> int:
        return int(transaction.session.connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())

    assert store.write(wait_ms) == 5000


def test_writers_that_wait_for_each_other_all_write(sqlite_url: str) -> None:
    """Each process is a store of its own."""
    stores = [open_store(sqlite_url) for _ in range(4)]

    def write_some(store: Store) -> int:
        return sum(store.insert_event(given.routed("log")) for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write_some, stores)) == [50] * 4
    for store in stores:
        store.close()
