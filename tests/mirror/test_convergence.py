"""A mirror converges: in any order, with repeats and in several threads at once, its rows end the same."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from given_mirror import (
    SECONDS,
    Step,
    apply,
    deletion,
    final_state,
    histories,
    membership,
    new_mirror,
    run,
    stored_state,
    user,
    writing,
)
from hypothesis import given, settings
from sqlalchemy import Connection, Table

from hub.mirror.changes import Change
from hub.mirror.engine.sql_tables import VERSION
from hub.mirror.mirror import Mirror, OnDelete
from hub.mirror.parents import Parents
from hub.mirror.writes import Writes
from hub.transport.deadline import deadline_after

EXAMPLES, LENGTH, WORKERS = 6, 10, 3


@pytest.fixture(params=OnDelete)
def mirror(mirror_url: str, request: pytest.FixtureRequest) -> Iterator[Mirror]:
    with closing(new_mirror(mirror_url, on_delete=request.param)) as made:
        yield made


def test_a_history_ends_in_one_state(mirror: Mirror) -> None:
    blanks = mirror.options.on_delete is OnDelete.BLANK

    @settings(max_examples=EXAMPLES)
    @given(histories(LENGTH))
    def converges(steps: Sequence[Step]) -> None:
        run(mirror, steps, WORKERS)

        assert stored_state(mirror, steps) == final_state(steps, blanks=blanks)

    converges()


# -- each rule, and what becomes of the rows without it ----------------------------------------------


class OneRegister(Writes):
    """Rows that take no columns any more once they are deleted, though deletions leave the columns."""

    def make_upsert(self, table: Table, names: Sequence[str]) -> Any:
        self.blanks = True
        try:
            return super().make_upsert(table, names)
        finally:
            self.blanks = False


class VersionFirst(Writes):
    """Versions that are assigned before the columns, the most significant first."""

    def in_order(self, names: Sequence[str]) -> tuple[str, ...]:
        return (*VERSION, *names, "_synced_at")


@pytest.mark.parametrize(("writes", "states"), [(Writes, 1), (OneRegister, 3)])
def test_columns_and_deletion_are_two_registers(writes: type[Writes], states: int, tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    ends = set()
    with writing(url, writes) as (_, _, changing), closing(new_mirror(url)) as mirror:
        for number, order in enumerate(permutations((1, 2, 3))):
            row_id = f"u{number}"
            changes = (user(row_id, 1), user(row_id, 2), deletion("users", row_id, 9))
            for index in order:
                changing.apply([changes[index - 1]], {}, keep=True)
            ends.add(repr([*stored_state(mirror, [changes]).values()]))

    assert len(ends) == states


class Parentless(Parents):
    """Cleared rows that know their parents no more."""

    def keep(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize(("parents", "ends"), [(Parents, {3}), (Parentless, {3, 4, 5})])
def test_a_cleared_row_was_deleted_when_the_first_of_its_parents_was_or_itself(
    parents: type[Parents], ends: set[int], tmp_path: Any
) -> None:
    """Its columns are gone by then, of which one names each parent."""
    url, deletions = f"sqlite:///{tmp_path / 'app.db'}", set()
    with writing(url, blanks=True, parents=parents) as (_, _, changing):
        mirror = new_mirror(url, on_delete=OnDelete.BLANK)
        for number, order in enumerate(permutations(range(4))):
            row_id, user_id, org_id = (f"{letter}{number}" for letter in "muo")
            child = membership(row_id, user_id, org_id)
            changes = (
                child,
                replace(child, deleted_at=5),
                deletion("users", user_id, 4),
                deletion("organizations", org_id, 3),
            )
            for index in order:
                changing.apply([changes[index]], {}, keep=True)
            row = mirror.find("organization_memberships", [row_id], timeout_seconds=SECONDS)[row_id]
            deletions.add(row["deleted_at"])

            assert (row["user_id"], row["role"]) == (None, None)
        mirror.close()

    assert deletions == ends


@pytest.mark.parametrize(("writes", "name"), [(Writes, "2/1/e"), (VersionFirst, "1/1/e")])
def test_mariadb_assigns_the_version_last(
    writes: type[Writes], name: str, new_mariadb_database: Callable[[], str]
) -> None:
    url = new_mariadb_database()
    with writing(url, writes) as (_, _, changing), closing(new_mirror(url)) as mirror:
        for updated_at in (1, 2):
            changing.apply([user("u", updated_at)], {}, keep=True)
        row = mirror.find("users", ["u"], timeout_seconds=SECONDS)["u"]

    assert (row["_updated_at"], row["first_name"]) == (2, name)


@pytest.mark.parametrize("in_one_transaction", [False, True])
def test_a_child_looks_for_its_parents_deletion_after_its_own_commit(
    in_one_transaction: bool, new_postgres_database: Callable[..., str]
) -> None:
    url = new_postgres_database(None)
    child, gone = membership("m", "u", "o"), deletion("users", "u", 9)
    with writing(url) as (engine, writes, changing), closing(new_mirror(url)) as mirror:

        def write_child(connection: Connection) -> None:
            writes.write_versions(connection, [child])
            assert writes.tombstones(connection, {"users": ["u"]}) == {}
            changing.apply([gone], {}, keep=True)

        engine.run(write_child)
        if not in_one_transaction:
            changing.apply([child], {}, keep=True)
        row = mirror.find("organization_memberships", ["m"], timeout_seconds=SECONDS)["m"]

    assert row["deleted_at"] == (None if in_one_transaction else 9)


@pytest.mark.parametrize("dialect", ["postgres", "mariadb"])
@pytest.mark.parametrize(("orders", "deadlocks"), [(("ab", "ab"), 0), (("ab", "ba"), 1)])
def test_pages_are_written_in_the_order_of_their_ids(
    orders: tuple[str, str], deadlocks: int, dialect: str, request: pytest.FixtureRequest
) -> None:
    make = request.getfixturevalue(f"new_{dialect}_database")
    url = make(None) if dialect == "postgres" else make()
    both_began, tries = threading.Barrier(2), []
    with writing(url) as (engine, writes, _):

        def write(connection: Connection, order: str) -> None:
            tries.append(order)
            writes.write_versions(connection, [user(order[0], mails=0)])
            if len(tries) <= 2:
                with suppress(threading.BrokenBarrierError):
                    # In one order the second cannot begin before the first has ended.
                    both_began.wait(SECONDS / 2 if deadlocks else 0.5)
            writes.write_versions(connection, [user(order[1], mails=0)])

        def transaction(order: str) -> None:
            with deadline_after(SECONDS):
                engine.run(lambda connection: write(connection, order))

        with ThreadPoolExecutor(2) as pool:
            for future in [pool.submit(transaction, order) for order in orders]:
                future.result()

    assert len(tries) == 2 + deadlocks


@pytest.mark.parametrize("dialect", ["postgres", "mariadb"])
def test_members_of_a_row_that_another_made_meanwhile_go(
    dialect: str, request: pytest.FixtureRequest
) -> None:
    """Somebody writes an older version of a new user after a page has seen that there is none."""
    make = request.getfixturevalue(f"new_{dialect}_database")
    url = make(None) if dialect == "postgres" else make()
    page = [user("a", 2, mails=1), user("b", 2, mails=1)]
    older = user("a", 1, mails=2)

    class Overtaken(Writes):
        def make_upsert(self, table: Table, names: Sequence[str]) -> Any:
            with closing(new_mirror(url)) as other:
                apply(other, older)
            return super().make_upsert(table, names)

    with writing(url, Overtaken) as (_, _, changing), closing(new_mirror(url)) as mirror:
        changing.apply(page, {}, keep=True)

        assert stored_state(mirror, [page]) == final_state([page])


def test_a_page_that_names_an_object_twice_writes_its_newest(mirror: Mirror) -> None:
    page: list[Change] = [user("b", 2), user("a", 1), user("b", 3), user("b", 1)]
    effects = mirror.apply_page(page, state={}, timeout_seconds=SECONDS)
    kept = "kept the newer one"
    blanks = mirror.options.on_delete is OnDelete.BLANK

    assert [effect.value for effect in effects] == [kept, "inserted", "inserted", kept]
    assert stored_state(mirror, [page]) == final_state([page], blanks=blanks)
