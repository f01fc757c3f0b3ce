"""Whatever is wrong with the database, every command says it in one sentence, and none shows the password."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import given
import psycopg
import pytest
from click.testing import Result
from servers.pooler import Pooler
from shell import bare_environment

Run = Callable[..., Result]

ROUTES = """\
version: 1
sources:
  clerk: {type: clerk, path: /api/webhooks, signing_secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
destinations:
  log: {type: console}
routes:
  - {name: all, events: user.created, send: log}
"""

COMMANDS = (
    ["migrate"],
    ["doctor"],
    ["deliveries"],
    ["retry", "--state", "dead"],
    ["replay", "evt_1"],
    ["pause", "log"],
    ["resume", "log"],
    ["prune"],
    ["send-test", "log"],
    ["diff", "routes.yaml"],
    ["serve"],
    ["web"],
    ["worker"],
)


@pytest.fixture(autouse=True)
def routes(run: Run) -> None:
    Path("routes.yaml").write_text(ROUTES)


def environment(url: str) -> dict[str, str]:
    return bare_environment(
        DATABASE_URL=url, HUB_CONFIG="routes.yaml", HUB_TEMPLATES=os.devnull, PORT="0", HUB_PASSWORD="x" * 12
    )


def errors(result: Result) -> list[str]:
    """What a command wrote but for its log and the doctor's report."""
    return [line for line in result.stderr.splitlines() if line.startswith("hub: ")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:hunter2@h%40x@db/hub", "has a character that must be escaped"),
        ("postgresql://u:hunter2@127.0.0.1:1/hub?pgbouncer=true", "the database cannot be reached"),
        ("sqlite:///nowhere/hub.db", "nowhere"),
    ],
)
def test_every_command_says_it_in_a_sentence(run: Run, command: list[str], url: str, words: str) -> None:
    result = run(*command, env=environment(url))

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert words in result.output.replace("The database", "the database")
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output


def test_what_other_libraries_write_is_one_warning(run: Run, postgres_store_url: str) -> None:
    url = (
        postgres_store_url.replace("postgresql://", "postgresql+asyncpg://") + "&schema=public&pool_timeout=3"
    )
    result = run("prune", env=environment(url))

    assert result.exit_code == 0, result.output
    assert errors(result) == [
        "hub: warning: DATABASE_URL: +asyncpg is left out, the hub has a driver of its own",
        "hub: warning: DATABASE_URL: schema and pool_timeout are left out, PostgreSQL knows none such",
    ]


def test_a_newer_database_is_left_alone_and_never_called_up_to_date(run: Run, sqlite_url: str) -> None:
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v1_9999'")
    migrated, examined = (run(command, env=environment(sqlite_url)) for command in ("migrate", "doctor"))

    assert migrated.exit_code == 0
    assert migrated.stdout == (
        "the database is at v1_9999, newer than this hub: nothing was done, and this hub goes on with it\n"
    )
    assert "The database is at v1_9999, newer than this hub" in examined.stdout
    assert "up to date" not in migrated.stdout + examined.stdout


def test_the_doctor_says_that_a_database_only_reads(
    run: Run, new_postgres_database: Callable[..., str]
) -> None:
    url = new_postgres_database()
    given.let_only_read(url)
    migrated, examined = (run(command, env=environment(url)) for command in ("migrate", "doctor"))

    assert migrated.exit_code == 0, migrated.output
    assert examined.exit_code == 1
    assert "The database only reads: default_transaction_read_only is on" in examined.stdout
    assert "worker" not in examined.stdout


def test_the_doctor_says_that_a_right_is_missing(run: Run, new_postgres_database: Callable[..., str]) -> None:
    url = new_postgres_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE hub_reader LOGIN IN ROLE pg_read_all_data")
    try:
        result = run("doctor", env=environment(url.replace("postgres:@", "hub_reader@")))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP ROLE hub_reader")

    assert result.exit_code == 1
    assert "The database refuses this hub: permission denied for table" in result.stdout


def test_the_doctor_says_that_a_pooler_stands_before_it(run: Run, postgres_store_url: str) -> None:
    with Pooler(postgres_store_url) as pooler:
        result = run("doctor", env=environment(pooler.url))

    assert "is reached through a pooler: it passes no wake-up on" in result.stdout
