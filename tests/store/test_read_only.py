"""A database that only reads is known as one, and can be read."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import given
import pytest

from hub.errors import StoreUnavailable, WritesRefused
from hub.store.open import open_store
from hub.store.repositories.events import RoutedEvent
from hub.store.store import Store

NOBODY = 65534


def write_error(store: Store) -> str | None:
    with store.read() as snapshot:
        error = store.write_error(snapshot)
    return str(error) if error else None


@pytest.fixture
def reading_url(new_postgres_database: Callable[..., str]) -> str:
    """A migrated PostgreSQL database in which every transaction only reads."""
    url = new_postgres_database()
    given.let_only_read(url)
    return url


@contextmanager
def nobodys(source: Path) -> Iterator[str]:
    """The URL of a copy of a file that this user may read and not write, nor its folder."""
    folder = Path(tempfile.mkdtemp(prefix="hub-readonly-"))
    shutil.copy(source, folder / "hub.db")
    (folder / "hub.db").chmod(0o444)
    folder.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield f"sqlite:///{folder}/hub.db"
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_database_that_may_be_written_is_no_error(store: Store) -> None:
    store.try_to_write()

    assert write_error(store) is None
    with store.read() as snapshot:
        assert snapshot.settings.get("try") is None


def test_postgresql_that_only_reads_is_told_as_such(reading_url: str) -> None:
    with closing(open_store(reading_url)) as store:
        assert store.migrate() is None
        reason = write_error(store)
        for write in (
            lambda: store.insert_event(RoutedEvent(event=given.event(), routing=given.routing("log"))),
            lambda: store.write(lambda t: t.settings.set("a", "b")),
            store.try_to_write,
        ):
            with pytest.raises(WritesRefused, match="the database only reads: cannot execute"):
                write()

    assert reason is not None
    assert reason.startswith("the database only reads: default_transaction_read_only is on; name the server")


def test_a_file_that_may_not_be_written_is_told_as_such(sqlite_template: Path) -> None:
    with nobodys(sqlite_template) as url, closing(open_store(url)) as store:
        assert store.migrate() is None
        reason = write_error(store)
        for write in (
            lambda: store.insert_event(RoutedEvent(event=given.event(), routing=given.routing("log"))),
            store.try_to_write,
        ):
            with pytest.raises(WritesRefused, match="the database only reads"):
                write()
        listener = store.listen(lambda: None)
        listener.close()

        assert not store.has_wake_ups
    assert reason is not None
    assert "the hub's user may not write" in reason


@pytest.mark.parametrize("files", [(), ("hub.db", "hub.db-wal")])
def test_a_folder_that_may_not_be_written_is_named(sqlite_template: Path, files: tuple[str, ...]) -> None:
    with nobodys(sqlite_template) as url:
        folder = Path(url.removeprefix("sqlite:///")).parent
        if os.geteuid() == NOBODY:
            os.seteuid(0)
        folder.chmod(0o755)
        (folder / "hub.db").chmod(0o666)
        (folder / "hub.db-wal").touch(0o666)
        for name in {"hub.db", "hub.db-wal"} - set(files):
            (folder / name).unlink()
        folder.chmod(0o555)
        if os.getuid() == 0:
            os.seteuid(NOBODY)
        with closing(open_store(url)) as store, pytest.raises(StoreUnavailable) as refused:
            store.migrate()

    expected = f"the database's file cannot be opened: the hub's user may not write {folder}; give the file"
    assert str(refused.value).startswith(expected)


def test_a_file_that_may_be_written_again_is_read_as_it_is_then(sqlite_template: Path) -> None:
    with nobodys(sqlite_template) as url, closing(open_store(url)) as store:
        path = Path(url.removeprefix("sqlite:///"))
        assert write_error(store) is not None
        if os.geteuid() == NOBODY:
            os.seteuid(0)
        path.parent.chmod(0o755)
        path.chmod(0o644)
        store.write(lambda t: t.settings.set("a", "b"))

        assert write_error(store) is None
        with store.read() as snapshot:
            assert snapshot.settings.get("a") == "b"


def test_a_write_that_was_refused_counts_until_one_is_taken(postgres_store_url: str) -> None:
    with closing(open_store(postgres_store_url)) as store:
        with pytest.raises(WritesRefused):
            store.write(
                lambda t: t.session.connection.exec_driver_sql("DO $$ BEGIN RAISE disk_full; END $$") and None
            )
        refused = write_error(store)
        store.write(lambda t: t.settings.set("a", "b"))

        assert refused is not None
        assert refused.startswith("the database has no room left: ")
        assert write_error(store) is None
