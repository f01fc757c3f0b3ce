"""Databases are made and brought up to date, once, and what this program cannot use is refused."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hub.errors import StoreError, StoreUnavailable
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import metadata


def run_sql(store: Store, *statements: str) -> None:
    with store._engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_migrating_twice_changes_nothing(empty_url: str) -> None:
    store = open_store(empty_url)
    assert [store.migrate(), store.migrate(), store.check_schema()] == [None] * 3
    store.close()


def test_processes_that_migrate_at_the_same_time_all_succeed(empty_url: str) -> None:
    program = (
        "import sys; from patience import be_patient; from hub.store.open import open_store; "
        "be_patient(); open_store(sys.argv[1]).migrate()"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, empty_url],
            env={"PYTHONPATH": str(Path(__file__).parents[1])},
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    errors = [process.communicate()[1].decode() for process in running]

    assert errors == [""] * 4
    assert [process.returncode for process in running] == [0] * 4


def test_migrations_make_exactly_the_tables_of_the_program(store: Store) -> None:
    with store._engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": False}
        )
        differences = compare_metadata(context, metadata)

    assert [difference for difference in differences if "comment" not in str(difference[0])] == []


def test_partial_indexes_have_the_conditions_of_the_program(store: Store) -> None:
    with store._engine.connect() as connection:
        conditions = {
            index["name"]: str(index["dialect_options"].get(f"{connection.dialect.name}_where", ""))
            for index in sqlalchemy.inspect(connection).get_indexes("deliveries")
        }

    assert "pending" in conditions["ix_deliveries_due"]
    assert "sending" in conditions["ix_deliveries_sending"]
    assert "dead" in conditions["ix_deliveries_stuck"]
    assert "held" in conditions["ix_deliveries_stuck"]


def test_the_queue_is_vacuumed_long_before_a_fifth_of_it_changed(postgres_store_url: str) -> None:
    store = open_store(postgres_store_url)
    with store._engine.connect() as connection:
        options = connection.exec_driver_sql(
            "SELECT reloptions FROM pg_class WHERE relname = 'deliveries'"
        ).scalar_one()
    store.close()

    assert options == ["autovacuum_vacuum_scale_factor=0.01", "autovacuum_vacuum_threshold=1000"]


def test_an_empty_database_is_refused_with_the_command_that_makes_tables(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    store = open_store(empty_url)
    with pytest.raises(StoreError, match=r"is empty; make its tables with `hub migrate`"):
        store.check_schema()
    store.close()


@pytest.fixture
def migrated(empty_url: str) -> Iterator[Store]:
    """A store on a database of its own, whose tables a test may change."""
    store = open_store(empty_url)
    store.migrate()
    yield store
    store.close()


@pytest.mark.parametrize("revision", ["v2_0001", "8f3a", ""])
def test_a_newer_or_foreign_revision_is_refused(migrated: Store, revision: str) -> None:
    run_sql(migrated, f"UPDATE alembic_version SET version_num = '{revision}'")

    for use in (migrated.check_schema, migrated.migrate):
        with pytest.raises(StoreError, match="does not know") as refused:
            use()
        assert not isinstance(refused.value, StoreUnavailable)


def test_a_later_revision_of_the_same_major_version_is_served_unchanged(migrated: Store) -> None:
    run_sql(migrated, "UPDATE alembic_version SET version_num = 'v1_9999'")

    assert [migrated.migrate(), migrated.check_schema()] == ["v1_9999"] * 2
    with migrated.read() as snapshot:
        assert migrated.quick_status(snapshot).newer_revision == "v1_9999"
    assert migrated.status().newer_revision == "v1_9999"


def test_a_database_of_another_program_is_refused(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        Path(empty_url.removeprefix("sqlite:///")).touch()
    store = open_store(empty_url)
    run_sql(store, "CREATE TABLE events (id INTEGER)")
    with pytest.raises(StoreError, match="another program's table events") as refused:
        store.migrate()
    store.close()

    assert not isinstance(refused.value, StoreUnavailable)


def test_a_missing_file_is_refused_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.db"
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StoreError, match="there is no database at"):
        store.check_schema()
    with pytest.raises(StoreUnavailable), store.read():
        pass
    with pytest.raises(StoreUnavailable):
        store.write(lambda transaction: None)
    store.close()

    assert not path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/no/hub.db")
    with pytest.raises(StoreError, match="is no folder; make it"):
        store.migrate()
    store.close()


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_text("not a database, " * 100)
    store = open_store(f"sqlite:///{tmp_path}/hub.db")
    for use in (store.check_schema, store.migrate):
        with pytest.raises(StoreError, match="file is not a database"):
            use()
    store.close()


def test_a_sqlite_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/hub.db")
    store.migrate()
    store.write(lambda transaction: transaction.settings.set_default("session_key", "x"))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    store.close()

    assert modes == {"hub.db": 0o600, "hub.db-wal": 0o600, "hub.db-shm": 0o600}


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_platforms_urls_are_understood(postgres_url: str, scheme: str) -> None:
    store = open_store(f"{scheme}://{postgres_url.partition('://')[2]}")
    with store.read() as snapshot:
        assert snapshot.now is not None
    store.close()


def test_a_database_that_is_away_is_unavailable() -> None:
    store = open_store("postgresql://hub:secret@127.0.0.1:1/hub")
    for use in (store.check_schema, store.migrate):
        with pytest.raises(StoreUnavailable, match="cannot be reached") as refused:
            use()
        assert "secret" not in str(refused.value)
    store.close()
