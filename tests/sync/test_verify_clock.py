"""Comparisons by the clock: due ones alone, in one worker at a time, told where they fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import given
import pytest
from servers.backend_api import SECRET_KEY, ClerkServer

from hub.destinations.database.options import DatabaseOptions
from hub.ingest.route import Rules, load_rules
from hub.mirror.tables import event_types_of
from hub.model.config import BackendAccess
from hub.model.mirror import MirrorTable
from hub.model.routing import Route, Send
from hub.store.open import open_store
from hub.store.store import Store
from hub.sync.clock import VerifyClock
from hub.sync.lease import LeaseTaken, reading

NEVER = BackendAccess(secret_key="", api_url="http://127.0.0.1:9", missing=("KEY",), fault="KEY is not set")


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    opened = open_store(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def rules_of(tmp_path: Path) -> Callable[[BackendAccess], Rules]:
    """Rules with a mirror of roles that is compared each hour, of a source with that way to its API."""
    options = DatabaseOptions.model_validate(
        {"url": f"sqlite:///{tmp_path / 'app.db'}", "tables": ["roles"], "verify": "1h"}
    )
    written = {"url": "${X}", "tables": ["roles"]}
    mirror = replace(given.destination("app-db"), type="database", options=options, written=written)
    send = Send(to="app-db", mirrored=frozenset(event_types_of("roles")))

    def rules(access: BackendAccess) -> Rules:
        config = given.config(
            Route(name="mirror", events=("role.*",), sends=(send,)),
            destinations=(mirror,),
            sources=(given.source(backend=access),),
        )
        return load_rules(config)

    return rules


@pytest.fixture
def clocks(store: Store) -> Iterator[Callable[..., VerifyClock]]:
    started: list[VerifyClock] = []

    def start(rules: Rules, look: Callable[[], object] = lambda: None) -> VerifyClock:
        def looked() -> Rules:
            look()
            return rules

        started.append(VerifyClock(store, looked, look_seconds=0.05))
        started[-1].start()
        return started[-1]

    yield start
    for clock in started:
        clock.stop()


def tables(store: Store) -> tuple[MirrorTable, ...]:
    with store.read() as snapshot:
        return snapshot.mirrors.all().get("app-db", ())


def test_a_due_mirror_is_compared_once_by_one_of_two_workers(
    store: Store,
    clerk: ClerkServer,
    rules_of: Callable[[BackendAccess], Rules],
    clocks: Callable[..., VerifyClock],
) -> None:
    rules = rules_of(BackendAccess(secret_key=SECRET_KEY, api_url=clerk.api_url))
    with store.transaction() as transaction:
        transaction.mirrors.keep_failure("app-db", "it was away")
        transaction.mirrors.forget_failure("app-db")
    for _ in range(2):
        clocks(rules)
    given.until(lambda: tables(store), 30)
    given.until(lambda: all(table.verified_at for table in tables(store)), 30)
    asked = clerk.requests
    threading.Event().wait(0.3)

    (roles,) = tables(store)
    assert (roles.name, roles.rows, roles.drift) == ("roles", 0, 0)
    assert clerk.requests == asked == 2


def test_a_comparison_that_cannot_be_made_is_told_and_not_tried_again_at_once(
    store: Store, rules_of: Callable[[BackendAccess], Rules], clocks: Callable[..., VerifyClock]
) -> None:
    clocks(rules_of(NEVER))

    def failures():
        with store.read() as snapshot:
            return snapshot.mirrors.failures()

    failure = given.until(failures, 30)["app-db"]
    threading.Event().wait(0.3)

    assert failure.reason == "secret_key of the source clerk: KEY is not set"
    assert failures()["app-db"] == failure


def test_nobody_else_reads_from_clerk_while_a_mirror_is_compared(
    store: Store, rules_of: Callable[[BackendAccess], Rules], clocks: Callable[..., VerifyClock]
) -> None:
    refusals: list[str] = []

    class Server(ClerkServer):
        def _get(self, path: str, query: Any) -> tuple[int, Any]:
            try:
                with reading(store, "clerk", "hub gaps"):
                    refusals.append("")
            except LeaseTaken as error:
                refusals.append(str(error))
            return super()._get(path, query)

    with Server() as clerk:
        clocks(rules_of(BackendAccess(secret_key=SECRET_KEY, api_url=clerk.api_url)))
        given.until(lambda: tables(store), 30)

    assert [words.partition(" (")[0] for words in refusals] == ["the comparison of app-db by its verify:"] * 2


def test_a_mirror_is_not_compared_before_who_reads_from_clerk_has_ended(
    store: Store,
    clerk: ClerkServer,
    rules_of: Callable[[BackendAccess], Rules],
    clocks: Callable[..., VerifyClock],
) -> None:
    rules = rules_of(BackendAccess(secret_key=SECRET_KEY, api_url=clerk.api_url))
    with reading(store, "clerk", "hub sync backfill"):
        looks: list[None] = []
        clocks(rules, lambda: looks.append(None))
        given.until(lambda: len(looks) > 3, 30)
        meanwhile = clerk.requests, tables(store)
    given.until(lambda: tables(store), 30)

    assert meanwhile == (0, ())
