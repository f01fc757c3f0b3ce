"""A SQLite file in whose place another stands, or that is damaged, takes nothing more, in any process."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import given
import pytest

from hub.errors import FileRefused
from hub.store.open import open_store
from hub.store.store import Store


@pytest.fixture
def path(sqlite_template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sqlite_template, tmp_path / "hub.db"))


def store_at(path: Path) -> Store:
    return open_store(f"sqlite:///{path}")


def wal_of(path: Path) -> Path:
    return path.with_name("hub.db-wal")


def delete_wal(path: Path) -> None:
    wal_of(path).unlink()
    path.with_name("hub.db-shm").unlink()


def back_up(path: Path) -> Path:
    copy = path.with_name("backup.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    return copy


def damage(path: Path) -> None:
    """Overwrite half a page of an index."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'ix_deliveries_event'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * (size // 2))


def write(store: Store, name: str = "a") -> None:
    store.write(lambda transaction: transaction.settings.set(name, "1"))


def values(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM settings")}


def reason(store: Store) -> str:
    """Return why nothing can be written, by a connection that reads and was open before."""
    with store.read() as snapshot:
        return str(store.write_error(snapshot))


def test_a_deleted_wal_is_told_and_what_it_had_is_brought_into_the_file(path: Path) -> None:
    with closing(store_at(path)) as store:
        assert store.check_schema() is None
        write(store, "before")
        delete_wal(path)
        for attempt in (lambda: write(store, "after"), lambda: store.insert_event(given.routed("log"))):
            with pytest.raises(FileRefused, match=r"replaced while .*: .*-wal was deleted or moved"):
                attempt()
        why_not = reason(store)
        kept = values(Path(shutil.copy(path, path.with_name("copy.db"))))

    assert "before" in kept
    assert why_not.endswith("stop the hub, restore as docs/deploy.md says under Restore, and start it")


def test_a_file_that_was_moved_over_it_gets_nothing(path: Path) -> None:
    with closing(store_at(path)) as store:
        assert store.check_schema() is None
        write(store, "before")
        backup = back_up(path)
        write(store, "since")
        backup.replace(path)
        with pytest.raises(FileRefused, match=r"hub.db is another file than the one that is open"):
            write(store, "after")

        assert "is another file" in reason(store)


def test_a_file_that_was_deleted_is_told(path: Path) -> None:
    with closing(store_at(path)) as store:
        write(store)
        path.unlink()

        with pytest.raises(FileRefused, match=r"hub.db was deleted or moved"):
            write(store)


def test_a_commit_that_met_the_change_is_not_acknowledged(path: Path) -> None:
    with closing(store_at(path)) as store:
        write(store)

        with pytest.raises(FileRefused):
            store.write(lambda transaction: delete_wal(path) or transaction.settings.set("b", "1"))


def test_nobody_opens_a_replaced_file_before_a_start(path: Path) -> None:
    with closing(store_at(path)) as store, closing(store_at(path)) as later, closing(store_at(path)) as next_:
        write(store)
        shutil.copy(path, path.with_name("backup.db")).replace(path)
        with pytest.raises(FileRefused):
            write(store)
        for attempt in (later.check_schema, lambda: write(later), later.status):
            with pytest.raises(FileRefused, match="the database's file was replaced"):
                attempt()
        assert next_.migrate() is None
        write(next_)


def test_a_wal_of_the_file_before_is_put_aside_at_a_start(path: Path) -> None:
    with closing(store_at(path)) as store:
        write(store, "before")
        backup = back_up(path)
        for number in range(20):
            write(store, f"since-{number}")
        backup.replace(path)
        with pytest.raises(FileRefused):
            write(store)
        with closing(store_at(path)) as restored:
            assert restored.migrate() is None
            write(restored, "after")
        with closing(store_at(path)) as restored:
            write(restored, "after that")
            assert not restored.status().problems

    assert {"before", "after"} <= values(path)
    assert not any(name.startswith("since") for name in values(path))
    assert path.with_name("hub.db-wal-of-another-file").exists()


@pytest.mark.parametrize("is_linked", [False, True])
def test_what_sqlite_does_with_its_files_is_no_change(path: Path, *, is_linked: bool) -> None:
    real = path
    if is_linked:
        (path.parent / "link").mkdir()
        path = path.parent / "link" / "hub.db"
        path.symlink_to(real)
    with closing(store_at(path)) as store:
        write(store, "a")
        store.make_durable()
        write(store, "b")
        store._engine.dispose()
        store._read_engine.dispose()  # type: ignore[attr-defined]
        assert not wal_of(real).exists()
        write(store, "c")
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        write(store, "d")

        assert reason(store) == "None"
        delete_wal(real)
        with pytest.raises(FileRefused):
            write(store)


def test_a_damaged_file_is_found_at_a_start_and_takes_nothing(path: Path) -> None:
    whole = Path(shutil.copy(path, path.with_name("whole.db")))
    damage(path)
    with closing(store_at(path)) as store, closing(store_at(path)) as another:
        with pytest.raises(FileRefused, match=r"the database's file is damaged: .*; stop the hub, restore"):
            store.migrate()
        for attempt in (lambda: write(store), lambda: write(another), another.check_schema):
            with pytest.raises(FileRefused, match="is damaged"):
                attempt()
    whole.replace(path)
    with closing(store_at(path)) as store:
        assert store.migrate() is None
        write(store)


def test_a_damage_that_a_statement_meets_ends_all_writes(path: Path) -> None:
    damage(path)
    with closing(store_at(path)) as store:
        write(store)
        with pytest.raises(FileRefused, match="is damaged: database disk image is malformed"):
            store.insert_event(given.routed("log"))
        with pytest.raises(FileRefused, match="is damaged"):
            write(store)
