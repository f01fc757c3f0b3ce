"""Whatever a database or a role sets for its sessions, the hub reads and writes as it means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import given
import psycopg
import pytest
from servers.pooler import Pooler
from sqlalchemy import text

from hub.errors import NotStorable, StoreError
from hub.store.open import open_store
from hub.store.store import Store

SET = {
    "client_encoding": "LATIN1",
    "DateStyle": "German",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kolkata",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "row_security": "off",
    "lock_timeout": "1ms",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "synchronous_commit": "off",
    "statement_timeout": "1h",
}
PINNED = (
    "UTF8",
    "ISO, MDY",
    "postgres",
    "UTC",
    "1",
    "hex",
    "on",
    "off",
    "on",
    "0",
    "read committed",
    "off",
    "on",
    "5s",
)


@pytest.fixture(scope="module", params=["database", "role"])
def set_url(request: pytest.FixtureRequest, new_postgres_database: Callable[..., str]) -> str:
    """The URL of an empty database whose sessions begin with settings of somebody else's."""
    url = new_postgres_database(None)
    name = url.partition("?")[0].rpartition("/")[2]
    whose = f"DATABASE {name}" if request.param == "database" else f"ROLE postgres IN DATABASE {name}"
    with psycopg.connect(url, autocommit=True) as connection:
        for setting, value in SET.items():
            connection.execute(f"ALTER {whose} SET {setting} = '{value}'")
    return url


@contextmanager
def pooled(url: str) -> Iterator[str]:
    with Pooler(url) as pooler:
        yield pooler.url


def settings_of(store: Store) -> list[tuple[str, ...]]:
    """Return the settings under which the store writes, and those under which it reads."""
    asked = text("SELECT " + ", ".join(f"current_setting('{name}')" for name in SET))
    written = store.write(lambda t: tuple(t.session.connection.execute(asked).one()))
    with store.read() as snapshot:
        return [written, tuple(snapshot.session.connection.execute(asked).one())]


def holds(store: Store) -> None:
    assert store.migrate() is None
    assert settings_of(store) == [PINNED, PINNED]
    assert store.insert_event(given.routed("log"))
    store.write(lambda t: t.settings.set("東京", "ä\\'"))
    with store.read() as snapshot:
        assert snapshot.settings.get("東京") == "ä\\'"
        assert len(snapshot.delivery_list.records(limit=5)) == 1
        snapshot.session.connection.execute(text("SELECT now(), 1.1::float8, '1 day'::interval")).one()
    assert abs(store.status().clock_ahead_seconds or 0.0) < 60


@pytest.mark.usefixtures("usual_bounds")
def test_a_servers_own_settings_do_not_count(set_url: str) -> None:
    with closing(open_store(set_url)) as store:
        holds(store)


@pytest.mark.usefixtures("usual_bounds")
def test_nor_do_they_behind_a_pooler(new_postgres_database: Callable[..., str]) -> None:
    url = new_postgres_database(None)
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        for setting, value in SET.items():
            connection.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'")
    with pooled(url) as pooled_url, closing(open_store(pooled_url)) as store:
        holds(store)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_without_every_letter_is_refused_in_a_sentence(postgres_url: str, encoding: str) -> None:
    name = f"encoded_{encoding.lower()}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    with closing(open_store(postgres_url.replace("/postgres?", f"/{name}?"))) as store:
        for use in (store.migrate, store.check_schema, store.status):
            with pytest.raises(StoreError, match=f"keeps text as {encoding}, .*make one with"):
                use()


def test_sessions_that_the_server_ends_for_idling_are_replaced(
    new_postgres_database: Callable[..., str], postgres_url: str
) -> None:
    url = new_postgres_database()
    name = url.partition("?")[0].rpartition("/")[2]
    sessions = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{name}'"

    def use(store: Store) -> None:
        assert store.insert_event(given.routed("log"))
        store.write(lambda t: t.settings.set("a", "b"))
        with store.read() as snapshot:
            assert snapshot.settings.get("a") == "b"

    with psycopg.connect(postgres_url, autocommit=True) as admin, closing(open_store(url)) as store:
        admin.execute(f"ALTER DATABASE {name} SET idle_session_timeout = '1s'")
        use(store)
        admin.execute(f"ALTER DATABASE {name} RESET idle_session_timeout")
        given.until(lambda: not admin.execute(sessions).fetchall())
        use(store)


def test_what_no_database_keeps_is_told_as_such(store: Store) -> None:
    with pytest.raises(NotStorable, match="cannot keep"):
        store.write(lambda t: t.settings.set("name", "half \ud800 of a pair"))
    store.write(lambda t: t.settings.set("name", "value"))


def test_a_nul_is_told_as_such_on_postgresql(postgres_store_url: str) -> None:
    with closing(open_store(postgres_store_url)) as store, pytest.raises(NotStorable):
        store.write(lambda t: t.settings.set("name", "a\0b"))
