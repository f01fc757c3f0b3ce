"""Deferred statements keep their order, their errors and their durability."""

from __future__ import annotations

import select
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import given
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text, update
from sqlalchemy.exc import DBAPIError

from hub.errors import StoreError, StoreUnavailable
from hub.model.delivery import State
from hub.model.destination import DestinationState
from hub.store.engine import driver, postgres
from hub.store.open import open_store
from hub.store.repositories.events import RoutedEvent
from hub.store.session import Query
from hub.store.sql import statements
from hub.store.store import Store, Transaction
from hub.store.tables import deliveries, destinations, events


def save(transaction: Transaction, name: str, failures: int = 0, reason: str | None = None) -> None:
    """Defer the state of a destination."""
    transaction.destinations.save([DestinationState(name=name, failures=failures, paused_reason=reason)])


def reason_of(transaction: Transaction, name: str) -> str | None:
    return transaction.destinations.lock([name])[name].paused_reason


def test_what_was_deferred_is_there_for_whatever_follows(store: Store) -> None:
    def work(transaction: Transaction) -> tuple[str | None, str | None]:
        save(transaction, "one", reason="first")
        save(transaction, "one", reason="second")
        save(transaction, "two", reason="another")
        return transaction.destinations.all()["one"].paused_reason, reason_of(transaction, "two")

    assert store.write(work) == ("second", "another")
    with store.read() as snapshot:
        assert snapshot.destinations.all()["one"].paused_reason == "second"


def test_a_statement_of_another_kind_stands_where_it_was_made(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        transaction.destinations.save([DestinationState(name="log", failures=3)])
        transaction.session.connection.execute(
            update(destinations).values(failures=destinations.c.failures + 1)
        )
        state = transaction.destinations.lock(["log"])["log"]
        transaction.destinations.save([DestinationState(name="log", failures=state.failures + 10)])

    store.write(work)
    assert store.write(lambda t: t.destinations.lock(["log"]))["log"].failures == 14


def test_a_statement_that_fails_undoes_the_whole_transaction(store: Store) -> None:
    def work(transaction: Transaction) -> str:
        save(transaction, "one", reason="kept?")
        transaction.session.defer(Query("save_destinations", {"rows": '[{"name": "two"}]'}))
        return "nothing of this is kept"

    with pytest.raises(Exception, match=r"(?i)not.null"):
        store.write(work)
    with store.read() as snapshot:
        assert snapshot.destinations.all() == {}
    store.write(lambda t: save(t, "one", reason="the connection serves on"))
    with store.read() as snapshot:
        assert snapshot.destinations.all()["one"].paused_reason == "the connection serves on"


def test_a_value_may_be_larger_than_what_the_way_holds(store: Store) -> None:
    value = "x" * 5_000_000
    store.write(lambda t: save(t, "large", reason=value))

    def work(transaction: Transaction) -> str | None:
        save(transaction, "larger", reason=value + value)
        return reason_of(transaction, "large")

    assert store.write(work) == value
    assert store.write(lambda t: reason_of(t, "larger")) == value + value


def test_errors_of_the_driver_come_as_the_stores_own(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        transaction.session.connection.execute(text("ALTER TABLE destinations RENAME TO elsewhere"))
        save(transaction, "one")

    with pytest.raises(StoreError, match="destinations"):
        store.write(work)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "NULL",
        "null",
        " ",
        '"',
        "\\",
        '\\"',
        "{}",
        "[,]",
        "\\x00",
        "\\u0000",
        "%s",
        ":now",
        "$1",
        "\n\t\x7f",
        "ü",
        "😀",
        "'",
    ],
)
def test_a_text_of_any_kind_arrives_as_it_is(store: Store, value: str) -> None:
    store.write(lambda t: save(t, f"name {value}", reason=value))

    assert store.write(lambda t: reason_of(t, f"name {value}")) == value


def test_moments_and_numbers_arrive_as_they_are(store: Store) -> None:
    at = datetime(2026, 1, 31, 1, 2, 3, 456_789, tzinfo=UTC)
    state = DestinationState(name="log", configured=False, failures=2**31 - 1, probe_at=at, probes=2**31 - 1)
    store.write(lambda t: t.destinations.save([state]))

    assert store.write(lambda t: t.destinations.lock(["log"])) == {"log": state}


def test_an_answer_that_was_deferred_is_there_after_the_commit(store: Store) -> None:
    save_one = Query("lock_destinations", {"names": '["log"]', "due_of": "[]"})
    with store.transaction() as transaction:
        save(transaction, "log", failures=3)
        (answer,) = transaction.session.defer(save_one)

    assert [row[0] for row in answer.rows] == ["log"]


def test_every_statement_of_one_dialect_is_one_of_the_other() -> None:
    """But for what only a server needs. Each names the index that it uses."""
    sqlite, postgres = statements("sqlite"), statements("postgres")

    assert postgres.keys() - sqlite.keys() == {"commit", "now", "wake"}
    assert sqlite.keys() - postgres.keys() == set()


def test_any_number_of_events_is_taken_in_with_what_each_is_owed(store: Store) -> None:
    lone, many = given.routed("log", "crm"), given.routed(*(f"to{number}" for number in range(250)))
    nothing = given.routed()

    assert [store.insert_event(routed) for routed in (lone, many, nothing, lone)] == [True, True, True, False]
    with store.read() as snapshot:
        rows = snapshot.session.connection.execute(deliveries.select()).all()
        assert {(row.created_at, row.due_at) for row in rows} == {(row.owed_since,) * 2 for row in rows}
        assert all(timedelta() <= snapshot.now - row.due_at < timedelta(minutes=1) for row in rows)
    owed = Counter(row.event_id for row in rows)
    assert [owed[routed.event.id] for routed in (lone, many, nothing)] == [2, 250, 0]
    assert {row.destination for row in rows if row.state == State.PENDING} >= {"log", "crm", "to249"}


def test_an_event_is_durable_once_it_is_taken_in(
    new_postgres_database: Callable[..., str],
) -> None:
    """The server's own settings do not count: here they would answer before the disk has it."""
    url = new_postgres_database()
    name = url.partition("?")[0].rpartition("/")[2]
    store = open_store(url)
    change = text(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store.write(lambda t: t.session.connection.execute(change) and None)
    store.close()
    store = open_store(url)
    behind = text("SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()")

    def is_behind() -> int:
        store.insert_event(given.routed("log"))
        with store.read() as snapshot:
            return int(snapshot.session.connection.execute(behind).scalar_one())

    # What else goes on in the server may be behind now and then.
    assert min(is_behind() for _ in range(5)) == 0
    store.close()


@pytest.mark.parametrize("count", [1, 3])
def test_a_payload_of_any_bytes_is_kept(store: Store, count: int) -> None:
    arrivals = [
        RoutedEvent(event=given.event(payload=bytes(range(256))), routing=given.routing("log"))
        for _ in range(count)
    ]
    assert store._insert_all(arrivals) == [True] * count

    def payloads(transaction: Transaction) -> list[bytes]:
        return [bytes(row.payload) for row in transaction.session.connection.execute(events.select())]

    assert store.write(payloads) == [bytes(range(256))] * count


def test_an_arrival_that_waits_for_a_lock_is_given_up_by_the_server_too(
    new_postgres_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement that only the client gave up would wait on in the server, and take a connection."""
    url = new_postgres_database()
    store, other = open_store(url), open_store(url)
    with monkeypatch.context() as bounds:
        bounds.setitem(postgres._SETTINGS, "statement_timeout", "500ms")
        store.check_schema()
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def block(transaction: Transaction) -> int:
        transaction.session.connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        transaction.session.connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailable):
            store.insert_event(given.routed("log"))
        return int(transaction.session.connection.execute(waiting).scalar_one())

    assert other.write(block) == 0
    store.insert_event(given.routed("log"))
    store.close()
    other.close()


def test_a_session_that_is_halted_behind_an_exchange_is_ended(postgres_store_url: str) -> None:
    """A server does not time what is idle where anything follows the Sync."""
    bound = {"idle_in_transaction_session_timeout": "200ms"}
    connection = driver.connect(conninfo_to_dict(postgres_store_url), settings=bound)
    connection.exchange([(b"BEGIN", ()), (b"SELECT 1", ())])
    assert select.select([connection.fileno()], [], [], 30)[0]

    with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
        connection.execute("SELECT 1")
    assert connection.closed


def test_an_error_shows_no_values(store: Store) -> None:
    def work(transaction: Transaction) -> None:
        transaction.session.connection.execute(
            text("SELECT 1 FROM nowhere WHERE name = :name"), {"name": "a secret"}
        )

    with pytest.raises((StoreError, DBAPIError)) as raised:
        store.write(work)
    assert "a secret" not in "".join(traceback.format_exception(raised.value))
