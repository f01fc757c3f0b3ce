"""A database that is full or only reads is away for a while: one reason, of the endpoint; then it writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from given_mirror import SECONDS, Place, apply, new_mirror, user

from hub.errors import About, Retry
from hub.mirror.engine.sqlite import SqliteEngine
from hub.mirror.mirror import Mirror, MirrorOptions

FULL, ONLY_READS = "the database is full", "the database only reads now"


class Limited(SqliteEngine):
    """A file with limits of its connections, as a full disk and one that is mounted to be read have them."""

    pragma = ""

    def _connect(self) -> sqlite3.Connection:
        connection: sqlite3.Connection = super()._connect()
        connection.execute(f"PRAGMA {self.pragma}")
        return connection


def of_endpoint(mirror: Mirror) -> str:
    """The reason for which a row is tried later, with all others."""
    with pytest.raises(Retry) as refused:
        apply(mirror, user("v", mails=200))

    assert refused.value.about is About.ENDPOINT
    return refused.value.reason


@pytest.mark.parametrize(
    ("limit", "end", "words"),
    [
        ("query_only = 1", "query_only = 0", f"{ONLY_READS}: attempt to write a readonly database"),
        ("max_page_count = 1", "max_page_count = 1000000", f"{FULL}: database or disk is full"),
    ],
)
def test_a_file_that_is_full_or_only_reads(limit: str, end: str, words: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    with closing(new_mirror(url, tables=("users",))) as writer:
        apply(writer, user("u"))
    options = MirrorOptions(url=url, tables=("users",))
    engine = Limited(tmp_path / "app.db", 1)
    engine.pragma = limit
    with closing(Mirror(options, engine)) as mirror:
        reason = of_endpoint(mirror)
        engine.pragma = end

        assert reason == words
        assert apply(mirror, user("v")) == "inserted"
        assert [*mirror.find("users", ["u", "v"], timeout_seconds=SECONDS)] == ["u", "v"]


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
def test_postgres_that_only_reads(
    server: Place, poor: tuple[str, str], administer: Callable[..., None]
) -> None:
    with closing(server.mirror()) as writer:
        writer.migrate(timeout_seconds=SECONDS)
    administer("ALTER ROLE poor SUPERUSER", "ALTER ROLE poor SET default_transaction_read_only = on")
    with closing(new_mirror(poor[0], schema=writer.options.schema, tables=("users",))) as mirror:
        reason = of_endpoint(mirror)

    assert reason == f"{ONLY_READS}: cannot execute INSERT in a read-only transaction"


@pytest.mark.parametrize("server", ["mariadb"], indirect=True)
def test_mariadb_that_only_reads(
    server: Place, poor: tuple[str, str], administer: Callable[..., None]
) -> None:
    administer(f"GRANT ALL ON {server.url.rpartition('/')[2]}.* TO {poor[1]}")
    with closing(server.mirror(url=poor[0])) as mirror:
        apply(mirror, user("u"))
        administer("SET GLOBAL read_only = 1")
        try:
            reason = of_endpoint(mirror)
        finally:
            administer("SET GLOBAL read_only = 0")

        assert reason.startswith(f"{ONLY_READS}: The MariaDB server is running with the --read-only option")
        assert apply(mirror, user("v")) == "inserted"


CODES = {
    "postgres": "RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'",
    "mariadb": "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'could not extend file'",
}


def test_a_server_that_is_full(server: Place, administer: Callable[..., None]) -> None:
    """By its own code, which a trigger raises: a disk of a test's own cannot be filled everywhere."""
    with closing(server.mirror()) as mirror:
        mirror.migrate(timeout_seconds=SECONDS)
        table, raises = server.name(mirror, "users"), CODES[server.dialect]
        trigger = f"CREATE TRIGGER full_now BEFORE INSERT ON {table} FOR EACH ROW"
        if server.dialect == "postgres":
            body = f"LANGUAGE plpgsql AS $$ BEGIN {raises}; END $$"
            server.execute(f"CREATE OR REPLACE FUNCTION be_full() RETURNS trigger {body}")
            server.execute(f"{trigger} EXECUTE FUNCTION be_full()")
            end = f"DROP TRIGGER full_now ON {table}"
        else:
            server.execute(f"{trigger} {raises}")
            end = "DROP TRIGGER full_now"
        reason = of_endpoint(mirror)
        server.execute(end)

        assert reason == f"{FULL}: could not extend file"
        assert apply(mirror, user("v")) == "inserted"
