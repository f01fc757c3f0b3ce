"""The figures rest on rows made by SQL as good as received ones, on fair ratios and on their goals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import given
import pytest

from bench.databases import TYPES, Backlog
from bench.figure import Figure, median
from bench.results import markdown
from hub.settings import Settings
from hub.store.store import Store


def figure(ratio: float, *, smaller_is_better: bool = False, goals: tuple[float, float] | None) -> Figure:
    must, aim = goals or (None, None)
    return Figure("name", must, aim, ratio, 2 * ratio, 2.0, "ms", smaller_is_better)


@pytest.fixture
def backlog(store: Store) -> Iterator[Backlog]:
    with closing(Backlog(Settings(database_url=store.url))) as backlog:
        yield backlog


def test_what_is_owed_by_sql_is_claimed_oldest_first(store: Store, backlog: Backlog) -> None:
    backlog.owe(6, "to0")
    backlog.owe(2, "to0")
    claims = given.claim(store, "to0", 10)

    assert [claim.event.type for claim in claims] == [*TYPES, *TYPES]
    assert [claim.event.body["type"] for claim in claims] == [claim.event.type for claim in claims]
    assert [claim.id for claim in claims] == sorted(claim.id for claim in claims)


def test_what_was_delivered_by_sql_balances(store: Store, backlog: Backlog) -> None:
    backlog.deliver(5, "to0")
    backlog.owe(3, "to0")
    with store.read() as snapshot:
        stats = snapshot.numbers.stats()
        attempts = snapshot.metrics.attempts_by_outcome()
        newest = snapshot.delivery_list.records(limit=8)

    assert stats.deliveries == {("to0", "delivered"): 5, ("to0", "pending"): 3}
    assert attempts == {("to0", "delivered"): 5}
    assert {record.message["raw"] for record in newest if record.message} == {True}


@pytest.mark.parametrize(
    ("ratio", "smaller_is_better", "goals", "reached"),
    [
        (0.95, False, (0.8, 0.95), "aim"),
        (0.94, False, (0.8, 0.95), "must"),
        (0.79, False, (0.8, 0.95), "missed"),
        (1.05, True, (1.2, 1.05), "aim"),
        (1.06, True, (1.2, 1.05), "must"),
        (1.21, True, (1.2, 1.05), "missed"),
        (9.00, True, None, "-"),
    ],
)
def test_goals(
    ratio: float, smaller_is_better: bool, goals: tuple[float, float] | None, reached: str
) -> None:
    assert figure(ratio, smaller_is_better=smaller_is_better, goals=goals).reaches == reached


def test_the_median_pair_is_told_with_its_own_numbers() -> None:
    assert median([(1.0, 2.0), (8.0, 2.0), (30.0, 30.0)]) == (1.0, 30.0, 30.0)


def test_results_show_the_goal_beside_the_figure() -> None:
    text = markdown([figure(1.1, smaller_is_better=True, goals=(1.2, 1.05))], {"cores": "2"}, minutes=24.4)

    assert "which took 24 minutes" in text
    assert "- cores: 2\n" in text
    assert "| name | **1.10** | ≤ 1.2 | ≤ 1.05 | must | 2.2 | 2.0 | ms |" in text
