"""Many statements in one round trip, on a connection to PostgreSQL itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from hub.store.engine import driver

_KEEP = b"INSERT INTO settings (name, value) VALUES ($1, $2) RETURNING name"
_KEPT = b"SELECT value FROM settings WHERE name = $1 AND $1 <> '%s'"


@pytest.fixture
def connection(postgres_store_url: str) -> Iterator[driver.Connection]:
    connection = driver.connect(conninfo_to_dict(postgres_store_url), settings={})
    connection.autocommit = True
    yield connection
    connection.close()


def test_each_statement_has_its_rows(connection: driver.Connection) -> None:
    answers = connection.exchange(
        [
            ("SELECT 1, NULL, 'ä', '%s'".encode(), ()),
            (_KEEP, ("one", "1")),
            (_KEEP, ("two", "2")),
            (_KEPT, ("one",)),
            (b"SELECT $1::bytea, $2::bigint, $3::text", (b"a\0", 2**40, None)),
            (b"DELETE FROM settings WHERE name = 'two'", ()),
        ]
    )

    assert answers == [
        [(1, None, "ä", "%s")],
        [("one",)],
        [("two",)],
        [("1",)],
        [(b"a\0", 2**40, None)],
        [],
    ]


def test_what_is_in_no_transaction_is_one(connection: driver.Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation, match="duplicate key"):
        connection.exchange([(_KEEP, ("one", "1")), (_KEEP, ("one", "2")), (_KEEP, ("two", "2"))])

    assert connection.exchange([(b"SELECT count(*) FROM settings", ())]) == [[(0,)]]


def test_a_connection_goes_on_after_an_error_wherever_it_came_up(connection: driver.Connection) -> None:
    """Statements behind the error were not prepared, and those before it were."""
    for broken in (b"SELEC 1", b"SELECT 1/0", b"SELECT name FROM nowhere"):
        for before, behind in ((b"SELECT 2", b"SELECT 3"), (b"SELECT 4", broken)):
            with pytest.raises(psycopg.Error):
                connection.exchange([(before, ()), (broken, ()), (behind, ())])
            assert connection.exchange([(before, ()), (b"SELECT 3", ())])[1] == [(3,)]


def test_each_statement_is_prepared_once_up_to_a_number(connection: driver.Connection) -> None:
    for _ in range(2):
        for number in range(driver._PREPARED_AT_MOST + 10):
            assert connection.exchange([(b"SELECT %d" % number, ())] * 2) == [[(number,)]] * 2

    prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
    assert prepared == (driver._PREPARED_AT_MOST,)


def test_what_is_prepared_survives_whatever_psycopg_runs_beside(connection: driver.Connection) -> None:
    for _ in range(6):
        connection.exchange([(_KEPT, ("one",))])
        connection.execute("SELECT 1")
    connection.execute("BEGIN")
    connection.execute("ROLLBACK")

    assert connection.exchange([(_KEPT, ("one",))]) == [[]]


def test_what_the_server_forgot_or_what_no_longer_fits_is_prepared_again(
    connection: driver.Connection,
) -> None:
    asked = [(b"SELECT 1 FROM settings", ()), (b"SELECT * FROM settings WHERE name = $1", ("one",))]
    for change in (
        "DEALLOCATE ALL",
        "ALTER TABLE settings ADD more integer",
        "ALTER TABLE settings DROP more",
    ):
        assert connection.exchange(asked) == [[], []]
        connection.execute(change)
        with pytest.raises(psycopg.Error):
            connection.exchange(asked)
    assert connection.exchange(asked) == [[], []]


def test_a_statement_that_goes_alone_is_no_other(connection: driver.Connection) -> None:
    for name in ("one", "two", "three"):
        assert connection.exchange([(_KEEP, (name, "1"))]) == [[(name,)]]
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.exchange([(_KEEP, (name, "2"))])
    assert connection.exchange([(_KEPT, ("two",))]) == [[("1",)]]
    connection.execute("DEALLOCATE ALL")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName):
        connection.exchange([(_KEEP, ("four", "1"))])
    assert connection.exchange([(_KEEP, ("four", "1"))]) == [[("four",)]]


def test_nothing_is_sent_where_a_value_is_none_for_the_database(connection: driver.Connection) -> None:
    with pytest.raises(psycopg.DataError):
        connection.exchange([(_KEEP, ("one", "1")), (_KEEP, ("two", "\0"))])

    assert connection.exchange([(b"SELECT count(*) FROM settings", ())]) == [[(0,)]]


def test_a_server_that_leaves_within_an_exchange_is_an_error_of_the_connection(
    connection: driver.Connection,
) -> None:
    leave = b"SELECT pg_terminate_backend(pg_backend_pid())"
    with pytest.raises(psycopg.OperationalError):
        connection.exchange([(b"SELECT 1", ()), (leave, ()), (b"SELECT 2", ())])

    assert connection.closed


def test_a_server_that_does_not_answer_is_waited_for_so_long(connection: driver.Connection) -> None:
    connection.answer_seconds = 0.3
    began = time.monotonic()
    with pytest.raises(psycopg.OperationalError):
        connection.exchange([(b"SELECT 1", ()), (b"SELECT pg_sleep(60)", ())])

    assert time.monotonic() - began < 30
    assert connection.closed
