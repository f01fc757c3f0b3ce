"""`hub migrate-store`: what it says, and what it refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

from click.testing import Result
from shell import bare_environment

from hub.store.open import open_store

Run = Callable[..., Result]


def test_it_makes_the_tables_and_says_what_was_moved(run: Run, sqlite_url: str, tmp_path: Path) -> None:
    target = f"sqlite:///{tmp_path / 'target.db'}"
    result = run("migrate-store", sqlite_url, target, env=bare_environment())

    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "moved 0 events, 0 deliveries, 0 attempts, 0 threads, 0 entries of the audit, "
        "0 subjects of the audit, 0 versions of the files: set DATABASE_URL to TO and start the hub there\n"
    )
    assert "events: 0 rows" in result.stderr


def test_what_has_moved_serves_no_command(run: Run, sqlite_url: str, tmp_path: Path) -> None:
    run("migrate-store", sqlite_url, f"sqlite:///{tmp_path / 'target.db'}", env=bare_environment())
    environment = bare_environment(DATABASE_URL=sqlite_url)
    for command in (["prune"], ["migrate"]):
        result = run(*command, env=environment)

        assert result.exit_code == 1
        assert "this database has moved to another; set DATABASE_URL to that one" in result.stderr


def test_it_says_which_of_the_two_is_wrong(run: Run, sqlite_url: str, tmp_path: Path) -> None:
    absent, empty = f"sqlite:///{tmp_path / 'absent.db'}", f"sqlite:///{tmp_path / 'target.db'}"
    used = f"sqlite:///{tmp_path / 'used.db'}"
    store = open_store(used)
    store.migrate()
    store.write(lambda t: t.settings.set_default("session_key", "secret"))
    store.close()
    for arguments, message in (
        ((absent, empty), "FROM: there is no database at"),
        ((sqlite_url, "mysql://x"), "TO must begin with"),
        ((sqlite_url, used), "the database to move to is not empty"),
        ((sqlite_url, sqlite_url), "the two are the same database"),
        ((sqlite_url, "postgresql://nobody:pw@127.0.0.1:9/x"), "TO: the database cannot be reached"),
        (("--undo", sqlite_url, used), "nothing to undo"),
    ):
        result = run("migrate-store", *arguments, env=bare_environment())

        assert (result.exit_code, message in result.stderr) == (1, True), result.output
        assert "pw@" not in result.output


def test_a_variable_holds_the_url_so_that_no_command_line_does(
    run: Run, sqlite_url: str, postgres_store_url: str
) -> None:
    variables = {"OLD": sqlite_url, "NEW_URL": postgres_store_url + "\n"}
    result = run("migrate-store", "env:OLD", "env:NEW_URL", env=bare_environment(**variables))

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("moved 0 events")


def test_a_variable_that_is_none_is_named_and_a_password_is_not(run: Run, sqlite_url: str) -> None:
    for source, message in (
        ("env:NONE", "FROM is env:NONE, but the variable NONE is not set here"),
        ("env:EMPTY", "the variable EMPTY is not set here"),
        ("env:", "FROM begins with env: and names no variable"),
        ("env:postgresql://u:hunter2@db/hub", "FROM begins with env: and names no variable"),
        ("env:BAD", "FROM must begin with sqlite:///"),
    ):
        result = run("migrate-store", source, sqlite_url, env=bare_environment(EMPTY=" ", BAD="hunter2://x"))

        assert (result.exit_code, message in result.stderr) == (1, True), result.output
        assert "hunter2" not in result.output


def test_what_a_later_release_migrated_is_moved_by_that_one(
    run: Run, sqlite_url: str, tmp_path: Path
) -> None:
    """This one knows a part of its columns: the rest would be gone."""
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v1_9999'")
    result = run("migrate-store", sqlite_url, f"sqlite:///{tmp_path / 'target.db'}", env=bare_environment())

    assert result.exit_code == 1
    assert "FROM is at v1_9999, newer than this hub" in result.stderr
