"""A database that is away, one that refuses this hub and one that refuses all for now are told apart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from hub.errors import StoreError, StoreUnavailable, WritesRefused
from hub.store import failures
from hub.store.open import open_store

AWAY, HUB, NOW = failures.UNREACHABLE, failures.REFUSES_HUB, failures.REFUSES_NOW
AT = 'connection failed: connection to server at "10.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    ("message", "headline", "reason"),
    [
        (
            AT + "Connection refused\n\tIs the server running on that host?",
            AWAY,
            'connection to server at "10.0.0.1", port 5432 failed: Connection refused',
        ),
        (AT + "server closed the connection unexpectedly\n\tThis probably means", AWAY, None),
        (AT + "SSL SYSCALL error: EOF detected", AWAY, None),
        ("connection is bad: no error details available", AWAY, None),
        ("[Errno -2] Name or service not known", AWAY, None),
        ("connection timeout expired", AWAY, None),
        ("", AWAY, "it says nothing"),
        (
            AT + 'FATAL:  password authentication failed for user "hub"',
            HUB,
            'password authentication failed for user "hub"',
        ),
        (AT + 'FATAL:  database "hub" does not exist', HUB, None),
        (AT + 'FATAL:  role "hub" does not exist', HUB, None),
        (AT + 'FATAL:  no pg_hba.conf entry for host "10.0.0.2", user "hub", no encryption', HUB, None),
        (AT + 'FATAL:  database "hub" is not currently accepting connections', HUB, None),
        (AT + "FATAL:  Tenant or user not found", HUB, None),
        (AT + "FATAL:  unsupported startup parameter: options", HUB, None),
        (AT + "FATAL:  Passwort-Authentifizierung für Benutzer »hub« fehlgeschlagen", HUB, None),
        (AT + 'ВАЖНО:  роль "hub" не существует', HUB, None),
        (AT + "fe_sendauth: no password supplied", HUB, None),
        (AT + "server does not support SSL, but SSL was required", HUB, None),
        (AT + "SSL error: certificate verify failed", HUB, None),
        ('connection is bad: root certificate file "/x/root.crt" does not exist', HUB, None),
        (AT + "FATAL:  sorry, too many clients already", NOW, "sorry, too many clients already"),
        (AT + 'FATAL:  too many connections for role "hub"', NOW, None),
        (
            AT + "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            NOW,
            None,
        ),
        (AT + "FATAL:  MaxClientsInSessionMode: max clients reached", NOW, None),
        (AT + "FATAL:  no more connections allowed (max_client_conn)", NOW, None),
        (AT + "FATAL:  the database system is starting up", NOW, None),
        (AT + "FATAL:  the database system is not yet accepting connections", NOW, None),
        (AT + "FATAL:  the database system is in recovery mode", NOW, None),
        (AT + "FATAL:  the database system is shutting down", NOW, None),
        (AT + "session is read-only", failures.ONLY_READS, None),
        (AT + "server is in hot standby mode", failures.ONLY_READS, None),
    ],
)
def test_what_libpq_says_is_of_one_kind(message: str, headline: str, reason: str | None) -> None:
    error = failures.while_connecting(message)

    assert error.headline == headline
    assert reason in (None, error.reason)
    assert isinstance(error, StoreUnavailable) == (headline != HUB)
    assert "10.0.0.1" not in f"{error.headline} {error.cure}"


def refusal(url: str) -> StoreError:
    """Return the error that a store's first use raises."""
    with closing(open_store(url)) as store, pytest.raises(StoreError) as refused:
        store.check_schema()
    return refused.value


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid", "a..b"])
def test_a_server_that_is_not_there_cannot_be_reached(host: str) -> None:
    error = refusal(f"postgresql://hub:hunter2@{host}/hub")

    assert error.headline == AWAY
    assert "start it, or correct the address in DATABASE_URL" in str(error)
    assert "hunter2" not in str(error)


def test_a_server_refuses_a_name_and_a_right(new_postgres_database: Callable[..., str]) -> None:
    url = new_postgres_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE hub_beggar LOGIN")
    try:
        as_beggar = url.replace("postgres:@", "hub_beggar@")
        errors = [
            refusal(url.replace("/test_", "/none_")),
            refusal(url.replace("postgres:@", "nobody@")),
            refusal(as_beggar),
        ]
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP ROLE hub_beggar")

    assert [error.headline for error in errors] == [HUB] * 3
    assert ["does not exist" in errors[0].reason, 'role "nobody"' in errors[1].reason] == [True, True]
    assert "permission denied for table" in errors[2].reason


def test_a_server_refuses_for_now_what_is_too_many(new_postgres_database: Callable[..., str]) -> None:
    url = new_postgres_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE hub_crowd LOGIN CONNECTION LIMIT 0")
        error = refusal(url.replace("postgres:@", "hub_crowd@"))
        connection.execute("DROP ROLE hub_crowd")

    assert (error.headline, error.reason) == (NOW, 'too many connections for role "hub_crowd"')


def test_a_server_that_asks_for_more_than_the_hub_has_is_no_traceback(postgres_store_url: str) -> None:
    error = refusal(
        f"{postgres_store_url}&sslmode=verify-full&sslrootcert=/none.crt&target_session_attrs=standby"
    )

    assert error.headline in (HUB, failures.ONLY_READS, AWAY)


def test_a_file_that_is_not_there_or_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, " * 100)

    assert refusal(f"sqlite:///{tmp_path}/text.db").headline == "the database cannot be used"
    with closing(open_store(f"sqlite:///{tmp_path}/none.db")) as store:
        away = pytest.raises(StoreUnavailable, match="cannot be reached: unable to open")
        with away:
            store.write(lambda transaction: None)


def test_a_full_disk_is_no_room(sqlite_url: str) -> None:
    with closing(open_store(sqlite_url)) as store:
        pages = store._engine.connect()
        with pages:
            pages.exec_driver_sql("PRAGMA max_page_count=1")
        with pytest.raises(WritesRefused, match="the database has no room left: database or disk is full"):
            store.write(lambda t: t.settings.set("a", "b" * 100_000))
        with store.read() as snapshot:
            assert store.write_error(snapshot) is not None
        with store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=100000")
        store.write(lambda t: t.settings.set("a", "b"))
        with store.read() as snapshot:
            assert store.write_error(snapshot) is None
