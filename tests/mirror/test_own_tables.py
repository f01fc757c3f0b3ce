"""Rows in tables of the user's own: the newest version of an object, and never again once it is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import count, permutations
from typing import Any

import pytest
from given_mirror import SECONDS, Place

from hub.errors import About, Pause, Retry
from hub.mirror.changes import OwnChange, Version
from hub.mirror.mirror import Migration, Mirror
from hub.mirror.tables import Kind

_numbers = count(1)

COLUMNS = (
    "clerk_id varchar(50), name varchar(50), seats integer, is_new boolean, gone_at {moment}, extra {json}"
)
TYPES = {
    "sqlite": {"moment": "text", "json": "text"},
    "postgres": {"moment": "timestamptz", "json": "jsonb"},
    "mariadb": {"moment": "datetime(3)", "json": "json"},
}


@pytest.fixture
def table(place: Place) -> str:
    """A table without any key, as users have them."""
    name = f"members_{next(_numbers)}"
    place.execute(f"CREATE TABLE {name} ({COLUMNS.format(**TYPES[place.dialect])})")
    return name


@pytest.fixture
def mirror(place: Place) -> Iterator[Mirror]:
    with closing(place.mirror()) as made:
        yield made


def live(table: str, updated_at: int = 1, **values: Any) -> OwnChange:
    return OwnChange(
        table=table,
        object="user",
        id="user_1",
        version=Version(updated_at, 1, f"msg_{updated_at}"),
        is_deletion=False,
        key={"clerk_id": "user_1"},
        values={"name": str(updated_at), **values},
    )


def gone(table: str, at: int = 1, **values: Any) -> OwnChange:
    version = Version(at, at, f"msg_d{at}")
    return replace(live(table), version=version, is_deletion=True, removes=not values, values=values)


def write(mirror: Mirror, *changes: OwnChange) -> list[str]:
    return [mirror.write(change, timeout_seconds=SECONDS).value for change in changes]


def rows(place: Place, table: str) -> list[tuple[Any, ...]]:
    return place.execute(f"SELECT clerk_id, name FROM {table}")


def test_the_newest_version_is_kept(place: Place, mirror: Mirror, table: str) -> None:
    effects = write(mirror, live(table, 2), live(table, 1), live(table, 2), live(table, 3))

    assert effects == ["inserted", "kept the newer one", "updated", "updated"]
    assert rows(place, table) == [("user_1", "3")]


def test_a_row_that_was_removed_never_comes_back(place: Place, mirror: Mirror, table: str) -> None:
    effects = write(mirror, live(table, 2), gone(table, 1), live(table, 9))

    assert effects == ["inserted", "deleted", "kept the newer one"]
    assert rows(place, table) == []


def test_a_deletion_may_set_columns_of_a_row_that_is_there(place: Place, mirror: Mirror, table: str) -> None:
    before = write(mirror, gone(table, 1, gone_at=1781111561749))
    write(mirror, replace(live(table), id="user_2", key={"clerk_id": "user_2"}))
    after = write(mirror, replace(gone(table, 1, name="gone"), id="user_2", key={"clerk_id": "user_2"}))

    assert before == after == ["deleted"]
    assert rows(place, table) == [("user_2", "gone")]


def test_any_order_in_any_threads_ends_the_same(place: Place, mirror: Mirror, table: str) -> None:
    versions = (live(table, 1), live(table, 2), gone(table, 1))
    changes = [
        replace(change, id=f"user_{number}", key={"clerk_id": f"user_{number}"})
        for number, order in enumerate(permutations(versions))
        for change in order
        if number % 2 or not change.is_deletion
    ]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda change: write(mirror, change), changes))

    assert sorted(rows(place, table)) == [("user_0", "2"), ("user_2", "2"), ("user_4", "2")]


def test_values_fit_the_types_of_their_columns(place: Place, mirror: Mirror, table: str) -> None:
    write(mirror, live(table, seats="7", is_new="true", gone_at="2026-11-29T00:00:00Z", extra={"a": ["😀"]}))
    (row,) = place.execute(f"SELECT seats, is_new, extra FROM {table}")

    assert (int(row[0]), row[1] in (True, 1, "true")) == (7, True)
    assert row[2] in ({"a": ["😀"]}, '{"a":["😀"]}')


def test_a_value_of_another_type_is_this_rows_alone(server: Place) -> None:
    name = f"members_{next(_numbers)}"
    server.execute(f"CREATE TABLE {name} ({COLUMNS.format(**TYPES[server.dialect])})")
    with closing(server.mirror()) as mirror:
        for values in ({"seats": "many"}, {"gone_at": "soon"}, {"is_new": "maybe"}, {"name": "x" * 51}):
            with pytest.raises(Retry) as refused:
                write(mirror, live(name, **values))

            assert refused.value.about is About.MESSAGE
    assert rows(server, name) == []


def test_a_key_that_fits_several_rows_changes_none(place: Place, mirror: Mirror, table: str) -> None:
    for _ in range(2):
        place.execute(f"INSERT INTO {table} (clerk_id, name) VALUES ('user_1', 'mine')")
    for change in (live(table), gone(table), gone(table, name="gone")):
        with pytest.raises(
            Retry, match=f"the key clerk_id fits 2 rows of {table}; it must fit one"
        ) as refused:
            write(mirror, change)

        assert refused.value.about is About.MESSAGE
    assert rows(place, table) == [("user_1", "mine")] * 2


def test_an_empty_key_is_this_rows_alone(mirror: Mirror, table: str) -> None:
    with pytest.raises(Retry, match=f"the key of the row in {table} is empty: clerk_id"):
        write(mirror, replace(live(table), key={"clerk_id": None}))


def test_what_is_not_there_is_named(place: Place, mirror: Mirror, table: str) -> None:
    with pytest.raises(Pause, match="there is no table nowhere; make it, or correct the name"):
        write(mirror, live("nowhere"))
    with pytest.raises(Pause, match=f'{table} has no column nam; did you mean "name"'):
        write(mirror, live(table, nam=1))
    place.execute(f"ALTER TABLE {table} ADD COLUMN nam varchar(9)")

    assert write(mirror, live(table, nam="1")) == ["inserted"]


def test_one_that_only_prints_asks_for_its_versions(place: Place, table: str) -> None:
    place.execute("DROP TABLE IF EXISTS hub_versions")
    words = f"there is no hub_versions beside {table}; make it: CREATE TABLE hub_versions"
    with closing(place.mirror(migrate=Migration.PRINT)) as mirror, pytest.raises(Pause, match=words):
        write(mirror, live(table))


def test_a_test_message_leaves_no_row_and_no_version(place: Place, mirror: Mirror, table: str) -> None:
    effect = mirror.write(live(table, 9), timeout_seconds=SECONDS, keep=False)

    assert effect.value == "inserted"
    assert rows(place, table) == []
    assert write(mirror, live(table, 1)) == ["inserted"]


def test_columns_of_a_table_by_their_kinds(server: Place) -> None:
    name = f"members_{next(_numbers)}"
    server.execute(f"CREATE TABLE {name} ({COLUMNS.format(**TYPES[server.dialect])}, place numeric)")
    with closing(server.mirror()) as mirror:
        kinds = mirror.columns_of(name, timeout_seconds=SECONDS)
        none = mirror.columns_of("nowhere", timeout_seconds=SECONDS)

    assert kinds is not None
    assert kinds == {
        "clerk_id": Kind.TEXT,
        "name": Kind.TEXT,
        "seats": Kind.INTEGER,
        "is_new": Kind.BOOLEAN,
        "gone_at": Kind.TIME,
        "extra": Kind.JSON if server.dialect == "postgres" else Kind.TEXT,
        "place": None,
    }
    assert none is None
