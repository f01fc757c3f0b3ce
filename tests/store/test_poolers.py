"""Behind a pooler in transaction mode all holds that holds before a server, but for wake-ups."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import given
import pytest
from servers.pooler import Pooler
from sqlalchemy import text

from hub.store.open import open_store
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store, Transaction


@pytest.fixture
def pooler(postgres_store_url: str) -> Iterator[Pooler]:
    with Pooler(postgres_store_url) as pooler:
        yield pooler


@pytest.fixture
def pooled(pooler: Pooler) -> Iterator[Store]:
    with closing(open_store(pooler.url)) as store:
        yield store


def prepared(store: Store) -> int:
    """Return the number of statements that the server keeps of one of the store's connections."""
    with store._engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one()
        return int(kept)


def bounds(store: Store) -> tuple[str, ...]:
    names = (
        "synchronous_commit",
        "statement_timeout",
        "idle_in_transaction_session_timeout",
        "client_encoding",
    )
    asked = ", ".join(f"current_setting('{name}')" for name in names)
    return store.write(lambda t: tuple(t.session.connection.execute(text(f"SELECT {asked}")).one()))


def lock_often(store: Store) -> list[dict[str, Any]]:
    return [store.write(lambda t: t.queue.lock(due_of=["log"])).waiting for _ in range(20)]  # type: ignore[misc]


@pytest.mark.usefixtures("usual_bounds")
def test_the_server_itself_keeps_prepared_statements(postgres_store_url: str) -> None:
    with closing(open_store(postgres_store_url)) as store:
        assert lock_often(store) == [{}] * 20
        assert bounds(store) == ("on", "5s", "5s", "UTF8")
        with store.read() as snapshot:
            snapshot.settings.get("a")

        assert prepared(store)
        assert store.has_wake_ups


def test_nothing_is_prepared_in_the_sessions_of_a_pooler(pooled: Store) -> None:
    assert lock_often(pooled) == [{}] * 20
    assert [prepared(pooled) for _ in range(6)] == [0] * 6


def test_every_transaction_has_the_hubs_settings(usual_bounds: None, pooled: Store) -> None:
    assert [bounds(pooled) for _ in range(6)] == [("on", "5s", "5s", "UTF8")] * 6


def do_half(transaction: Transaction) -> None:
    transaction.settings.set("half", "done")
    raise RuntimeError


def test_events_are_kept_once_and_transactions_are_whole(pooled: Store) -> None:
    events = [RoutedEvent(event=given.event(), routing=given.routing("log", "crm")) for _ in range(10)]
    threads = [threading.Thread(target=pooled.insert_event, args=(event,)) for event in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = [pooled.insert_event(event) for event in events]
    with pytest.raises(RuntimeError):
        pooled.write(do_half)
    with pooled.read() as snapshot:
        stats = snapshot.numbers.stats()

        assert snapshot.settings.get("half") is None
    assert again == [False] * 10
    assert (stats.events, sum(stats.deliveries.values())) == (10, 20)


def test_a_database_is_migrated_through_a_pooler(new_postgres_database: Callable[..., str]) -> None:
    with Pooler(new_postgres_database(None)) as pooler, closing(open_store(pooler.url)) as store:
        assert store.migrate() is None
        assert store.check_schema() is None


def test_nobody_listens_behind_a_pooler_and_the_doctor_is_told(pooled: Store, pooler: Pooler) -> None:
    woken = threading.Event()
    listener = pooled.listen(woken.set)
    pooled.write(lambda t: t.settings.set("a", "b"))
    time.sleep(0.3)
    listener.close()

    assert (pooler.listens, listener.fileno(), woken.is_set()) == (0, None, False)
    assert not pooled.has_wake_ups
    assert pooled.status().is_pooled


def test_a_server_itself_is_listened_to(postgres_store_url: str) -> None:
    woken = threading.Event()
    with closing(open_store(postgres_store_url)) as store:
        listener = store.listen(woken.set)
        try:
            assert woken.wait(30)
            assert not store.status().is_pooled
        finally:
            listener.close()


def test_the_first_transactions_after_all_connections_were_cut_succeed(pooled: Store, pooler: Pooler) -> None:
    def use() -> None:
        routed = RoutedEvent(event=given.event(), routing=given.routing("log"))
        assert pooled.insert_event(routed)
        assert pooled.write(lambda t: t.settings.set_default("a", "b")) == "b"
        with pooled.read() as snapshot:
            assert snapshot.settings.get("a") == "b"
        with pooled.transaction() as transaction:
            transaction.workers.beat("w", transaction.now, forget_after=timedelta(minutes=1))

    use()
    for _ in range(3):
        pooler.cut()
        time.sleep(0.05)
        use()
