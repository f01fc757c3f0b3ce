"""What waits for the next question or the commit keeps its order, its errors and its durability."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle

import given
import psycopg
import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select, text, update
from sqlalchemy.exc import DBAPIError

from hub.errors import StoreError, StoreUnavailable
from hub.model.delivery import State
from hub.model.destination import DestinationState
from hub.store.engine import driver
from hub.store.engine.changes import Insert
from hub.store.repositories.events import Arrival
from hub.store.store import Store, Transaction, open_store
from hub.store.tables import attempts, deliveries, destinations, events, settings


def write(transaction: Transaction, name: str, value: str) -> None:
    row = {"name": name, "value": value}
    transaction.session.write(Insert(table=settings, rows=[row], key=("name",), replaces=True))


def test_what_was_written_is_there_for_whatever_follows(store: Store) -> None:
    def work(transaction: Transaction) -> tuple[str | None, int]:
        write(transaction, "one", "first")
        write(transaction, "one", "second")
        transaction.destinations.save([DestinationState(name="log", failures=3)])
        return transaction.settings.get("one"), transaction.destinations.lock(["log"])["log"].failures

    assert store.write(work) == ("second", 3)
    with store.read() as reading:
        assert reading.settings.get("one") == "second"


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


def test_a_write_that_fails_undoes_the_whole_transaction(store: Store) -> None:
    def work(transaction: Transaction) -> str:
        write(transaction, "one", "kept?")
        transaction.session.write(Insert(table=settings, rows=[{"name": "two", "value": None}]))
        return "nothing of this is kept"

    with pytest.raises(Exception, match=r"(?i)not.null"):
        store.write(work)
    with store.read() as reading:
        assert reading.settings.get("one") is None
    store.write(lambda t: write(t, "one", "the connection serves on"))
    with store.read() as reading:
        assert reading.settings.get("one") == "the connection serves on"


def test_a_write_may_be_larger_than_what_the_way_holds(store: Store) -> None:
    value = "x" * 5_000_000
    store.write(lambda t: write(t, "large", value))

    def work(transaction: Transaction) -> str | None:
        write(transaction, "larger", value + value)
        return transaction.settings.get("large")

    assert store.write(work) == value
    with store.read() as reading:
        assert reading.settings.get("larger") == value + value


def test_errors_of_the_driver_come_as_the_stores_own(store: Store) -> None:
    nowhere = Table("nowhere", MetaData(), Column("number", Integer))
    with pytest.raises(StoreError, match="nowhere"):
        store.write(lambda t: t.session.write(Insert(table=nowhere, rows=[{"number": 1}])))


@pytest.mark.parametrize("count", [1, 2])
def test_values_of_any_kind_arrive_as_they_are(store: Store, count: int) -> None:
    """One row and several go in different ways."""
    words = [
        "",
        "NULL",
        "null",
        " ",
        '"',
        "\\",
        '\\"',
        "{}",
        "{,}",
        "a,b",
        "\\x00",
        "%s",
        "\n\t\x7f",
        "ü",
        "😀",
        "'",
    ]
    rows = [
        {
            "delivery_id": f"dlv_{number}",
            "number": each,
            "destination": word,
            "at": datetime(2026, 1, 31, 1, 2, 3, 456_789, tzinfo=UTC),
            "seconds": seconds,
            "status": None if each else -1,
            "detail": None if each else word,
        }
        for number, (word, seconds) in enumerate(zip(words, cycle([None, 0.1, 1e-9, -1e300]), strict=False))
        for each in range(count)
    ]

    def work(transaction: Transaction) -> list[dict[str, object]]:
        for first in range(0, len(rows), count):
            transaction.session.write(Insert(table=attempts, rows=rows[first : first + count]))
        kept = transaction.session.connection.execute(
            select(*(attempts.c[name] for name in rows[0])).order_by(
                attempts.c.delivery_id, attempts.c.number
            )
        )
        return [dict(each) for each in kept.mappings()]

    assert store.write(work) == sorted(rows, key=lambda row: (row["delivery_id"], row["number"]))


def test_words_that_no_text_can_have_are_refused(store: Store) -> None:
    for count in (1, 2):
        rows = [{"name": f"n{number}", "value": "a\ud800"} for number in range(count)]
        with pytest.raises(UnicodeEncodeError):
            store.write(lambda t, rows=rows: t.session.write(Insert(table=settings, rows=rows)))


def test_any_number_of_events_is_taken_in_with_what_each_is_owed(store: Store) -> None:
    lone, many = given.arrival("log", "crm"), given.arrival(*(f"to{number}" for number in range(250)))
    nothing = given.arrival()

    assert [store.take_in(each) for each in (lone, many, nothing, lone)] == [True, True, True, False]
    with store.read() as reading:
        rows = reading.session.connection.execute(deliveries.select()).all()
        assert {(row.created_at, row.due_at) for row in rows} == {(row.owed_since,) * 2 for row in rows}
        assert all(timedelta() <= reading.now - row.due_at < timedelta(minutes=1) for row in rows)
    owed = Counter(row.event_id for row in rows)
    assert [owed[each.event.id] for each in (lone, many, nothing)] == [2, 250, 0]
    assert {row.destination for row in rows if row.state == State.PENDING} >= {"log", "crm", "to249"}


def test_an_event_is_durable_once_it_is_taken_in(
    new_postgres_database: Callable[..., str],
) -> None:
    """Whatever the server's own settings are: here they would answer before the disk has it."""
    url = new_postgres_database()
    name = url.partition("?")[0].rpartition("/")[2]
    store = open_store(url)
    change = text(f"ALTER DATABASE {name} SET synchronous_commit = off")
    store.write(lambda t: t.session.connection.execute(change) and None)
    store.close()
    store = open_store(url)
    behind = text("SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()")

    def is_behind() -> int:
        store.take_in(given.arrival("log"))
        with store.read() as reading:
            return int(reading.session.connection.execute(behind).scalar_one())

    # What else goes on in the server may be behind now and then.
    assert min(is_behind() for _ in range(5)) == 0
    store.close()


@pytest.mark.parametrize("count", [1, 3])
def test_a_payload_of_any_bytes_is_kept(store: Store, count: int) -> None:
    arrivals = [
        Arrival(event=given.event(payload=bytes(range(256))), routing=given.routing("log"))
        for _ in range(count)
    ]
    assert store._take_in_all(arrivals) == [True] * count

    def payloads(transaction: Transaction) -> list[bytes]:
        return [bytes(row.payload) for row in transaction.session.connection.execute(events.select())]

    assert store.write(payloads) == [bytes(range(256))] * count


def test_an_arrival_that_waits_for_a_lock_is_given_up_by_the_server_too(
    new_postgres_database: Callable[..., str],
) -> None:
    """What a client alone gives up would wait on in the server, and take a connection each time."""
    url = new_postgres_database()
    store, other = open_store(url), open_store(url)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")

    def block(transaction: Transaction) -> int:
        transaction.session.connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        transaction.session.connection.execute(text("LOCK TABLE events IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailable):
            store.take_in(given.arrival("log"))
        return int(transaction.session.connection.execute(waiting).scalar_one())

    assert other.write(block) == 0
    store.take_in(given.arrival("log"))
    store.close()
    other.close()


def test_a_session_that_is_halted_behind_an_exchange_is_ended(postgres_store_url: str) -> None:
    """A server does not time what is idle where anything follows the Sync."""
    bound = {"idle_in_transaction_session_timeout": "200ms"}
    connection = driver.connect(postgres_store_url, settings=bound)
    connection.exchange([("BEGIN", None), ("SELECT 1", None)])
    time.sleep(0.8)

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
