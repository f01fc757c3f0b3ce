"""Facts for the tests of health: a hub that is well, and changes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import given

from hub.health.facts import Facts, FileFacts, RowFacts, StoreFacts
from hub.model.delivery import State
from hub.model.destination import DestinationState
from hub.model.source import Refusals, SourceState
from hub.model.stats import Accounts, DatabaseStatus, DiskSpace

GIB = 1024**3
NOW = given.NOON
CONFIG = given.config(given.route(), destinations=(given.destination("log"), given.destination("crm")))
ACCOUNTS = Accounts(
    owed=5,
    states={**dict.fromkeys(State, 0), State.DELIVERED: 2, State.PENDING: 3},
    discrepancies=(),
)
SQLITE = DatabaseStatus(name="SQLite 3", disk=DiskSpace(free=50 * GIB, total=100 * GIB, used=GIB))
POSTGRES = DatabaseStatus(name="PostgreSQL 16", connections=(4, 20), clock_ahead_seconds=0.1)
STORE = StoreFacts(
    states={},
    counts={("crm", State.DELIVERED): 2, ("crm", State.PENDING): 3},
    worker_seen_at=NOW - timedelta(seconds=4),
)
ROWS = RowFacts(accounts=ACCOUNTS, abandoned=0, newest_at=NOW - timedelta(seconds=4))
WELL = Facts(
    now=NOW,
    files=FileFacts(config=CONFIG),
    store=STORE,
    database=SQLITE,
    connections_wanted=9,
    rows=ROWS,
)


def with_store(**changes: Any) -> Facts:
    """A hub that is well but for what the store says."""
    return replace(WELL, store=replace(STORE, **changes))


def with_state(name: str = "crm", **values: Any) -> Facts:
    return with_store(states={name: DestinationState(name=name, **values)})


def with_counts(counts: Mapping[tuple[str, State], int]) -> Facts:
    return with_store(counts=counts)


def with_files(**changes: Any) -> Facts:
    return replace(WELL, files=replace(WELL.files, **changes))


def with_disk(free: int, total: int, used: int = 0, **more: Any) -> Facts:
    return replace(WELL, database=replace(SQLITE, disk=DiskSpace(free=free, total=total, used=used, **more)))


def on_postgres(**changes: Any) -> Facts:
    return replace(WELL, database=replace(POSTGRES, **changes))


def with_rows(**changes: Any) -> Facts:
    return replace(WELL, rows=replace(ROWS, **changes))


def refusals(clock_ahead_seconds: float | None = None, **counts: int) -> Refusals:
    """Requests that were refused since a minute ago, by code."""
    return Refusals(
        since=NOW - timedelta(minutes=1), last_at=NOW, counts=counts, clock_ahead_seconds=clock_ahead_seconds
    )


def with_source(**state: Any) -> Facts:
    """A hub that is well but for its source, which may be silent for an hour."""
    facts = with_store(sources={"clerk": SourceState(name="clerk", **state)})
    source = given.source(max_silence_seconds=3600.0)
    return replace(facts, files=FileFacts(config=replace(CONFIG, sources={"clerk": source})))
