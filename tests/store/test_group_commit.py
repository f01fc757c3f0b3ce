"""Writes that arrive together share one commit, and none of them fails for another's sake."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import given
import pytest
from sqlalchemy import text

from hub.errors import Conflict, StoreError, StoreUnavailable
from hub.store.group_commit import GroupCommit
from hub.store.session import Session
from hub.store.store import Store, Transaction


def count_commits(store: Store) -> list[None]:
    commits: list[None] = []
    begin = store._writer

    @contextmanager
    def counted() -> Iterator[Session]:
        with begin() as line:
            yield line
        commits.append(None)

    store._writer = counted  # type: ignore[method-assign]
    return commits


def hold_then(store: Store, works: list[Callable[[Transaction], Any]]) -> list[Future[Any]]:
    """Run works that all arrive while a first one still holds the transaction."""
    begun, go = threading.Event(), threading.Event()

    def first(transaction: Transaction) -> None:
        begun.set()
        go.wait(30)

    with ThreadPoolExecutor(len(works) + 1) as pool:
        pool.submit(store.write, first)
        begun.wait(30)
        futures = [pool.submit(store.write, work) for work in works]
        given.until(lambda: len(store._writes._waiting) == len(works))
        go.set()
    return futures


def keep(name: str) -> Callable[[Transaction], str]:
    return lambda transaction: transaction.settings.set_default(name, f"value of {name}")


def kept(store: Store, name: str) -> str | None:
    with store.read() as snapshot:
        return snapshot.settings.get(name)


def test_works_that_arrive_together_are_committed_together(store: Store) -> None:
    store.write(lambda transaction: None)
    commits = count_commits(store)
    futures = hold_then(store, [keep(f"v{number}") for number in range(40)])

    assert [future.result() for future in futures] == [f"value of v{number}" for number in range(40)]
    assert len(commits) == 2
    assert kept(store, "v39") == "value of v39"


def test_more_works_than_one_commit_takes_are_all_committed(store: Store) -> None:
    futures = hold_then(store, [keep(f"v{number}") for number in range(150)])

    assert {future.result() for future in futures} == {f"value of v{number}" for number in range(150)}


def test_a_work_that_raises_fails_alone_and_leaves_no_row(store: Store) -> None:
    def conflicting(transaction: Transaction) -> None:
        transaction.settings.set_default("lost", "x")
        raise Conflict("no")

    futures = hold_then(store, [keep("a"), conflicting, keep("b"), conflicting])

    assert futures[0].result() == "value of a"
    assert futures[2].result() == "value of b"
    for failed in (futures[1], futures[3]):
        with pytest.raises(Conflict, match="no"):
            failed.result()
    assert (kept(store, "a"), kept(store, "b"), kept(store, "lost")) == ("value of a", "value of b", None)


def test_a_statement_that_the_database_refuses_fails_alone(store: Store) -> None:
    def twice(transaction: Transaction) -> None:
        for _ in range(2):
            transaction.session.connection.execute(
                text("INSERT INTO settings (name, value) VALUES ('same', 'x')")
            )

    futures = hold_then(store, [keep("a"), twice, keep("b")])

    assert (futures[0].result(), futures[2].result()) == ("value of a", "value of b")
    with pytest.raises(Exception, match=r"(?i)unique"):
        futures[1].result()


def test_every_work_hears_that_the_store_is_unavailable(store: Store) -> None:
    def broken(transaction: Transaction) -> None:
        raise StoreUnavailable("the database does not answer: gone")

    futures = hold_then(store, [keep("a"), broken, keep("b")])

    for future in futures:
        with pytest.raises(StoreUnavailable):
            future.result()
    assert kept(store, "a") is None


def test_what_waits_too_long_for_its_turn_is_withdrawn() -> None:
    go, committed = threading.Event(), []

    def commit(names: Sequence[str]) -> Sequence[str]:
        go.wait(30)
        committed.extend(names)
        return names

    group = GroupCommit(commit, patience_seconds=0.05)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(group.run, "first")
        given.until(lambda: group._is_led and not group._waiting)
        with pytest.raises(StoreUnavailable, match="waited too long"):
            pool.submit(group.run, "withdrawn").result(30)
        go.set()

    assert first.result() == "first"
    assert group.run("next") == "next"
    assert committed == ["first", "next"]


def test_whoever_waits_for_a_commit_that_hangs_gives_up() -> None:
    go = threading.Event()

    def commit(names: Sequence[str]) -> Sequence[str]:
        if "taken" in names:
            go.wait(30)
        elif "first" in names:
            given.until(lambda: len(group._waiting) == 2)
        return names

    group = GroupCommit(commit, patience_seconds=2.0, commit_seconds=0.05)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(group.run, "first")
        given.until(lambda: group._is_led and not group._waiting)
        both = [pool.submit(group.run, "taken") for _ in range(2)]
        given.until(lambda: sum(future.done() for future in both) == 1)
        go.set()

    assert first.result() == "first"
    assert sorted(str(future.exception()) for future in both) == [
        "None",
        "the database does not answer: a commit takes too long",
    ]


def test_nobody_is_left_waiting_however_many_lose_patience() -> None:
    committed: list[int] = []
    somebody_left = threading.Event()

    def commit(numbers: Sequence[int]) -> Sequence[int]:
        # The first takes until somebody has lost patience, the others about as long as they have it.
        somebody_left.wait(30)
        time.sleep(0.0005)
        committed.extend(numbers)
        return numbers

    group = GroupCommit(commit, patience_seconds=0.0005)

    def run(number: int) -> int | None:
        try:
            return group.run(number)
        except StoreUnavailable:
            somebody_left.set()
            return None

    with ThreadPoolExecutor(16) as pool:
        futures = [pool.submit(run, number) for number in range(2000)]
        answered = [future.result(30) for future in futures]

    assert sorted(number for number in answered if number is not None) == sorted(committed)
    assert None in answered


def test_a_work_may_be_interrupted_without_stopping_the_others(store: Store) -> None:
    def interrupted(transaction: Transaction) -> None:
        raise KeyboardInterrupt

    futures = hold_then(store, [keep("a"), interrupted])

    assert futures[0].result() == "value of a"
    with pytest.raises(KeyboardInterrupt):
        futures[1].result()


def test_transactions_that_collide_fail_no_neighbour(
    new_postgres_database: Callable[..., str],
) -> None:
    """Two processes that take in the same two messages in opposite order: the database ends one of them."""
    from hub.store.open import open_store

    url = new_postgres_database()
    stores = [open_store(url), open_store(url)]
    first, second = given.event(), given.event()
    both_began = threading.Barrier(2)
    waits = [True, True]

    def taking(number: int, event: Any, other: Any) -> Callable[[Transaction], bool]:
        def work(transaction: Transaction) -> bool:
            given.keep(transaction, event, given.routing())
            if waits[number]:
                waits[number] = False
                both_began.wait(30)
            return given.keep(transaction, other, given.routing())

        return work

    futures = []
    with ThreadPoolExecutor(2) as pool:
        for number, order in enumerate([(first, second), (second, first)]):
            works = [keep(f"neighbour {number}"), taking(number, *order)]
            futures.append(pool.submit(hold_then, stores[number], works))
    neighbours = [future.result()[0].result() for future in futures]
    for store in stores:
        store.close()

    assert neighbours == ["value of neighbour 0", "value of neighbour 1"]


def test_a_database_error_is_said_in_one_line(store: Store) -> None:
    with pytest.raises(StoreError) as refused:
        store.write(lambda t: t.session.connection.execute(text("SELECT * FROM nowhere")) and None)

    assert "SELECT" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_whoever_waits_behind_a_database_that_does_not_answer_fails_with_the_first() -> None:
    begun, go = threading.Event(), threading.Event()
    asked: list[int] = []

    def commit(batch: Sequence[int]) -> list[int]:
        asked.extend(batch)
        begun.set()
        go.wait(30)
        raise StoreUnavailable("the database does not answer")

    group: GroupCommit[int, int] = GroupCommit(commit)
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(group.run, 1)]
        begun.wait(30)
        futures += [pool.submit(group.run, number) for number in (2, 3, 4)]
        given.until(lambda: len(group._waiting) == 3)
        go.set()
        errors = [type(future.exception()) for future in futures]

    assert errors == [StoreUnavailable] * 4
    assert asked == [1]
