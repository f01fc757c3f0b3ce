"""Errors of three databases by their codes: again at once, later, until somebody acts, or this row alone."""

from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import Any

import psycopg
import pymysql
import pytest

from hub.mirror.engine.failures import Fault, fault_of, to_send_error

AGAIN, ENDPOINT, MESSAGE = Fault.AGAIN, Fault.ENDPOINT, Fault.MESSAGE
PAUSE, TABLE = Fault.PAUSE, Fault.TABLE

POSTGRES = {
    AGAIN: "40001 40P01 26000",
    ENDPOINT: "08000 08006 08P01 57P01 57P02 57P03 57014 53100 53200 53300 55P03 25006 58030 XX000 99999",
    PAUSE: "28000 28P01 3D000",
    TABLE: "3F000 42501 42P01 42703 42804",
    MESSAGE: "22001 22003 22007 22021 22P02 22P05 23503 23505 23514 21000 54000 P0001 44000",
}
MYSQL = {
    AGAIN: (1213, 1020),
    ENDPOINT: (2002, 2003, 2006, 2013, 1040, 1205, 1290, 1836, 1021, 1114, 1053, 1927, 1969, 1317, 9999),
    PAUSE: (1045, 1044, 1049, 1698, 2026, 1130),
    TABLE: (1142, 1146, 1054, 1364, 1050),
    MESSAGE: (1366, 1264, 1292, 1406, 4025, 1062, 1048, 1644, 1452, 1153),
}
SQLITE = {
    AGAIN: "SQLITE_BUSY SQLITE_BUSY_SNAPSHOT",
    ENDPOINT: "SQLITE_LOCKED SQLITE_FULL SQLITE_IOERR SQLITE_IOERR_WRITE SQLITE_CANTOPEN SQLITE_NOMEM"
    " SQLITE_READONLY SQLITE_READONLY_DBMOVED SQLITE_READONLY_DIRECTORY",
    PAUSE: "SQLITE_CORRUPT SQLITE_NOTADB SQLITE_PERM",
    TABLE: "SQLITE_ERROR",
    MESSAGE: "SQLITE_CONSTRAINT_UNIQUE SQLITE_CONSTRAINT_CHECK SQLITE_TOOBIG SQLITE_MISMATCH",
}


def codes(table: dict[Fault, Any]) -> list[tuple[Any, Fault]]:
    return [
        (code, fault)
        for fault, codes_of_it in table.items()
        for code in (codes_of_it.split() if isinstance(codes_of_it, str) else codes_of_it)
    ]


@pytest.mark.parametrize(("state", "fault"), codes(POSTGRES))
def test_sqlstates(state: str, fault: Fault) -> None:
    error = SimpleNamespace(sqlstate=state, args=("",))

    assert fault_of(error) == (fault, state)


@pytest.mark.parametrize(("number", "fault"), codes(MYSQL))
def test_numbers_of_mysql(number: int, fault: Fault) -> None:
    error = pymysql.err.OperationalError(number, "words")

    assert fault_of(error) == (fault, number)


@pytest.mark.parametrize(("name", "fault"), codes(SQLITE))
def test_codes_of_sqlite(name: str, fault: Fault) -> None:
    error = sqlite3.OperationalError("words")
    error.sqlite_errorname, error.sqlite_errorcode = name, getattr(sqlite3, name)

    assert fault_of(error) == (fault, name)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (psycopg.OperationalError("server closed the connection unexpectedly"), ENDPOINT),
        (
            psycopg.OperationalError(
                'connection failed: FATAL:  password authentication failed for user "a"'
            ),
            PAUSE,
        ),
        (psycopg.OperationalError('connection failed: FATAL:  database "a" does not exist'), PAUSE),
        (psycopg.OperationalError("connection failed: FATAL:  sorry, too many clients already"), ENDPOINT),
        (psycopg.errors.ConnectionTimeout("connection timeout expired"), ENDPOINT),
        (psycopg.InterfaceError("the connection is closed"), ENDPOINT),
        (psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"), MESSAGE),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), MESSAGE),
        (OverflowError("Python int too large to convert to SQLite INTEGER"), MESSAGE),
        (ConnectionResetError("reset"), ENDPOINT),
        (TimeoutError(), ENDPOINT),
    ],
)
def test_errors_without_a_code(error: Exception, fault: Fault) -> None:
    assert fault_of(error) == (fault, None)


def test_a_connection_that_was_not_made_is_told_in_the_servers_words() -> None:
    error = psycopg.OperationalError(
        'connection failed: connection to server at "10.0.0.7", port 5432 failed: FATAL:  role "a" is unknown'
    )
    _, refused = to_send_error(error, written=(), timeout=None)

    assert refused.reason == 'the database says: role "a" is unknown'


def test_a_connection_that_was_cut_is_the_endpoints() -> None:
    assert fault_of(psycopg.DataError("anything"), is_cut=True) == (ENDPOINT, None)


@pytest.mark.parametrize(("written", "fault"), [((), TABLE), (("plan",), MESSAGE)])
def test_a_column_that_may_not_be_empty(written: tuple[str, ...], fault: Fault) -> None:
    """One that the mirror does not write needs a default; one that it does write lacks a value."""
    not_null = sqlite3.IntegrityError("NOT NULL constraint failed: clerk_users.plan")
    not_null.sqlite_errorname, not_null.sqlite_errorcode = "SQLITE_CONSTRAINT_NOTNULL", 1299
    of_mysql = pymysql.err.OperationalError(1364, "Field 'plan' doesn't have a default value")
    of_postgres = SimpleNamespace(sqlstate="23502", diag=SimpleNamespace(column_name="plan"), args=("",))

    assert [fault_of(error, written=written)[0] for error in (not_null, of_mysql, of_postgres)] == [fault] * 3
