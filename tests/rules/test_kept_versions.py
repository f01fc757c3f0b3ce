"""The versions that the store has: in the order in which they began to serve, whatever the clock says."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import given
from sqlalchemy import update

from hub.config.files import Files, unpack
from hub.rules.versions import kept_files, register, register_if_new, register_use
from hub.store.store import Store
from hub.store.tables import versions


def files(text: str) -> Files:
    return Files(
        path=Path("routes.yaml"),
        templates_folder=Path("templates"),
        content=f"routes: {text}".encode(),
        templates={"http/a.j2": b"\xff\x00 \xc3\xa9", "http/\udcff.j2": b"{{ data.id }}"},
    )


def last_good(store: Store) -> Files | None:
    packed = kept_files(store)
    return packed and unpack(packed, Path("routes.yaml"), Path("templates"))


def test_files_are_kept_byte_for_byte(store: Store) -> None:
    register(store, files("a"))

    assert last_good(store) == files("a")


def test_the_last_good_version_is_the_one_that_began_to_serve_last(store: Store) -> None:
    assert last_good(store) is None

    began = [register(store, files(text)) for text in ("a", "b", "b", "a", "a")]

    assert began == [True, True, False, True, False]
    assert last_good(store) == files("a")


def test_a_clock_that_was_ahead_does_not_make_an_old_version_the_last_good_one(store: Store) -> None:
    register(store, files("a"))
    ahead = update(versions).values(served_at=given.NOON + timedelta(days=100_000))
    store.write(lambda transaction: transaction.session.connection.execute(ahead))
    register(store, files("b"))

    assert last_good(store) == files("b")


def test_what_another_release_or_a_command_goes_by_is_kept_and_never_the_last_good_one(store: Store) -> None:
    register_if_new(store, files("a"))

    assert last_good(store) is None

    register(store, files("b"))
    register_use(store, files("a"))
    register_if_new(store, files("a"))

    assert last_good(store) == files("b")
    assert register(store, files("a"))
    assert last_good(store) == files("a")


def test_of_processes_that_begin_at_once_one_is_the_first(open_stores: Callable[..., Store]) -> None:
    stores = [open_stores() for _ in range(4)]
    register(stores[0], files("before"))
    with ThreadPoolExecutor(4) as pool:
        for text in ("a", "b", "a"):
            firsts = list(pool.map(lambda store, text=text: register(store, files(text)), stores))

            assert sorted(firsts) == [False, False, False, True]
