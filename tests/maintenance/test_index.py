"""The index of terms: events are found soon after they have arrived, whoever read them and in any order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import given
import pytest
from sqlalchemy import func, select, text

from hub.maintenance.index import BATCH, Indexer
from hub.model.event import Event, made_at, new_id
from hub.model.filter import Filter
from hub.store.engine.postgres import PostgresStore
from hub.store.repositories.retention import Prunable
from hub.store.repositories.search import MANY
from hub.store.store import Store
from hub.store.tables import terms


def arrive(store: Store, name: str, *destinations: str, **changes: Any) -> Event:
    event = given.event(data={"id": f"user_{name}", "first_name": name}, **changes)
    store.write(lambda t: given.keep(t, event, given.routing(*destinations)))
    given.until(lambda: given.event().id[:16] > event.id[:16])
    return event


def found(store: Store, *words: str, **where: Any) -> list[str]:
    with store.read() as snapshot:
        return list(snapshot.event_list.find(Filter(words=words, **where)).ids)


def test_what_has_arrived_is_found_newest_first(store: Store) -> None:
    ada, bob, adam = arrive(store, "ada", "crm"), arrive(store, "bob", "crm"), arrive(store, "adam", "mail")
    assert Indexer(store).run()

    assert found(store, "ada") == [adam.id, ada.id]
    assert found(store, "user_ada") == [adam.id, ada.id]
    assert found(store, "ada", "user_adam") == [adam.id]
    assert found(store, "ada", destination="crm") == [ada.id]
    assert found(store, "ada", type="session.*") == []
    assert found(store, bob.id, bob.message_id) == [bob.id]
    assert found(store, bob.id[:-1]) == [bob.id]
    assert found(store, "zoe") == []


def test_deliveries_are_found_by_their_event_and_by_their_own_id(store: Store) -> None:
    ada, bob = arrive(store, "ada", "crm", "mail"), arrive(store, "bob", "crm")
    Indexer(store).run()
    with store.read() as snapshot:
        of_ada, of_bob = (snapshot.delivery_list.records(event=event.id) for event in (ada, bob))
        by_name = snapshot.delivery_list.find(Filter(words=("ada",))).ids
        by_id = snapshot.delivery_list.find(Filter(words=(of_ada[1].id,))).ids
        other = snapshot.delivery_list.find(Filter(words=("bob", of_ada[1].id))).ids
        dead = snapshot.delivery_list.find(Filter(words=("bob",), destination="crm")).ids

    assert by_name == [record.id for record in of_ada]
    assert (by_id, other) == ([of_ada[1].id], [])
    assert dead == [of_bob[0].id]
    assert found(store, of_ada[1].id) == [ada.id]


ADD_MANY = text(
    f"""
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n <= {MANY})
    INSERT INTO terms (event_id, term)
    SELECT 'evt_00' || (100000 + n), term
    FROM numbers, (SELECT 'ada' AS term UNION SELECT 'adamas') AS words
    """
)
"""Terms of more events than all of them are looked at, older than all others."""


def let_planner_expect_few(store: Store) -> None:
    """Let the server count a few rows that are there no more: it plans for those until it counts again."""
    for name in ("bob", "cyd", "dan"):
        arrive(store, name, "crm")
    Indexer(store).run()
    empty = "TRUNCATE {}" if isinstance(store, PostgresStore) else "DELETE FROM {}"
    for statement in ("ANALYZE", *(empty.format(table) for table in ("terms", "deliveries", "events"))):
        store.write(lambda t, statement=statement: t.session.connection.execute(text(statement)) and None)


def test_of_many_the_newest_are_found_first_with_what_else_is_asked_for(store: Store) -> None:
    let_planner_expect_few(store)
    old = arrive(store, "ada", "crm", source="stripe")
    Indexer(store).run()
    store.write(lambda t: t.session.connection.execute(ADD_MANY) and None)
    newest = arrive(store, "ada", "mail")
    Indexer(store).run()

    assert found(store, "ada")[0] == newest.id
    assert len(set(found(store, "ada"))) == 50
    assert found(store, "ada", source="stripe") == [old.id]
    assert found(store, "ad", "user_ada", destination="mail") == [newest.id]
    assert found(store, "ad", "ada", type="user.*")[:1] == [newest.id]
    with store.read() as snapshot:
        deliveries = snapshot.delivery_list.records(Filter(words=("ada",)))

    assert [record.event for record in deliveries] == [newest.id, old.id]


def test_what_is_committed_late_is_found_all_the_same(store: Store) -> None:
    indexer = Indexer(store)
    late = given.event(data={"id": "user_late", "first_name": "Late"})
    given.until(lambda: given.event().id[:16] > late.id[:16])
    arrive(store, "ada")
    indexer.run()
    store.write(lambda t: given.keep(t, late, given.routing()))
    indexer.run()

    assert found(store, "late") == [late.id]


def test_two_processes_index_at_once(store: Store) -> None:
    events = [given.event(data={"id": f"user_{number}"}) for number in range(BATCH + 3)]
    for event in events:
        store.write(lambda t, event=event: given.keep(t, event, given.routing()))
    with store.read() as snapshot:
        unread = snapshot.terms.unread("", BATCH)
    store.write(lambda t: t.terms.add({event.id: {"first"} for event in unread}))
    store.write(lambda t: t.terms.add({event.id: {"first"} for event in unread}))
    Indexer(store).run()

    assert len(found(store, "first")) == BATCH
    assert len(found(store, "user_5")) == 3


def test_terms_go_with_the_payload(store: Store) -> None:
    arrive(store, "ada")
    kept = arrive(store, "adam", "crm")
    Indexer(store).run()
    later = given.event().received_at + timedelta(seconds=1)
    for kind in (Prunable.PAYLOADS, Prunable.TERMS):
        store.write(lambda t, kind=kind: t.retention.prune(kind, later, 100))
    Indexer(store).run()

    assert found(store, "ada") == [kept.id]
    with store.read() as snapshot:
        count = snapshot.session.connection.execute(select(func.count(terms.c.event_id.distinct()))).scalar()

    assert count == 1


@pytest.mark.parametrize("word", ["%", "_", "user\\_ada", "a\U0010ffff"])
def test_a_word_is_no_pattern(store: Store, word: str) -> None:
    arrive(store, "ada")
    Indexer(store).run()

    assert found(store, word) == []


def test_a_search_says_until_when_it_has_read(store: Store) -> None:
    now = given.datetime.now(given.UTC)
    old = [new_id("evt", now - timedelta(minutes=minutes)) for minutes in (30, 20)]
    states = []
    for event_id in old:
        event = given.event(id=event_id)
        store.write(lambda t, event=event: given.keep(t, event, given.routing()))
        with store.read() as snapshot:
            states.append(snapshot.terms.read_until())
        Indexer(store).run()
    arrive(store, "ada")
    with store.read() as snapshot:
        states.append(snapshot.terms.read_until())

    assert states == [made_at(old[0]), made_at(old[0]), None]
