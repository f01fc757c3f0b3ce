"""A connection that was cut costs no request its answer, and an event that meets itself is no duplicate."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import given
import psycopg
import pytest

from hub.errors import StoreUnavailable
from hub.ingest.fanout import fan_out
from hub.ingest.route import load_rules
from hub.store.group_commit import ConnectionCut, GroupCommit
from hub.store.open import open_store
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store

SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'hub'"


def cut_all(url: str) -> int:
    """End every session of the hub in the database; return how many there were."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(f"SELECT pg_terminate_backend(pid, 30000) {SESSIONS}").fetchall()
    return len(rows)


def wait_until_all_left(url: str) -> None:
    """Wait for the sessions of tests before this one, which the server may be about to end."""
    with psycopg.connect(url, autocommit=True) as connection:
        given.until(lambda: not connection.execute(f"SELECT 1 {SESSIONS}").fetchall())


def test_the_first_use_of_each_kind_succeeds_after_the_server_ended_all(postgres_store_url: str) -> None:
    def insert(store: Store) -> None:
        assert store.insert_event(RoutedEvent(event=given.event(), routing=given.routing("log")))

    def write(store: Store) -> None:
        store.write(lambda t: t.settings.set("a", "b"))

    def read(store: Store) -> None:
        with store.read() as outer, store.read() as inner:
            assert outer.settings.get("a") == inner.settings.get("a") == "b"

    wait_until_all_left(postgres_store_url)
    with closing(open_store(postgres_store_url)) as store:
        for use in (insert, write, read):
            write(store)
            read(store)

            assert cut_all(postgres_store_url) == 2
            use(store)


def test_an_event_whose_commit_was_not_answered_is_no_duplicate(postgres_store_url: str) -> None:
    with closing(open_store(postgres_store_url)) as store:
        commit, tries = store._new_events._commit, []

        def cut_after_commit(routed: Any) -> Any:
            results = commit(routed)
            tries.append(results)
            if len(tries) == 1:
                raise ConnectionCut("the database cannot be reached")
            return results

        store._new_events._commit = cut_after_commit
        rules = load_rules(given.config(given.route(), destinations=(given.destination("log"),)))
        event = given.event()
        result = fan_out(event, rules, store)
        again = fan_out(given.event(message_id=event.message_id), rules, store)
        with store.read() as snapshot:
            stats = snapshot.numbers.stats()

    assert tries[:2] == [[True], [False]]
    assert (result.event_id, result.duplicate, result.deliveries) == (event.id, False, 1)
    assert (again.event_id, again.duplicate, again.deliveries) == (event.id, True, 0)
    assert (stats.events, sum(stats.deliveries.values())) == (1, 1)


@pytest.mark.parametrize(("is_repeatable", "times"), [(True, 2), (False, 1)])
def test_a_cut_group_is_committed_again_only_where_twice_is_once(is_repeatable: bool, times: int) -> None:
    tries: list[None] = []

    def commit(writes: Any) -> Any:
        tries.append(None)
        raise ConnectionCut("the database cannot be reached")

    with pytest.raises(StoreUnavailable):
        GroupCommit(commit, is_repeatable=is_repeatable).run("a")

    assert len(tries) == times


def leave_half(store: Store, url: str) -> None:
    with store.transaction() as transaction:
        transaction.settings.set("half", "done")
        cut_all(url)
        transaction.settings.set("more", "done")


def test_what_breaks_within_a_transaction_undoes_it_and_the_next_succeeds(postgres_store_url: str) -> None:
    with closing(open_store(postgres_store_url)) as store:
        with pytest.raises(ConnectionCut):
            leave_half(store, postgres_store_url)
        with store.read() as snapshot:
            assert snapshot.settings.get("half") is None
