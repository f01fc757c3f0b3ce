"""Lists that change between two pages, with equal times in no stable order: nothing that stays is skipped."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from hub.sync.paging import Place, Row, Step, by_cursor, step_back, without_cursor

LIMIT = 50


class ChangingList:
    """A list under a walk. `stays` are the ids that are there from beginning to end."""

    def __init__(self, seed: int, *, rows: int, ties: float, churn: int) -> None:
        self.random = random.Random(seed)
        self.churn = churn
        self.numbers = iter(range(10**9))
        self.now = 0
        self.rows: dict[str, int] = {}
        for _ in range(rows):
            self.add(ties)
        self.stays = set(self.rows)
        self.requests = 0

    def add(self, ties: float = 0.3) -> None:
        self.now += 0 if self.random.random() < ties else self.random.randint(1, 5)
        self.rows[f"user_{next(self.numbers):07d}"] = self.now

    def change(self) -> None:
        for _ in range(self.churn if self.random.random() < 0.7 else 0):
            gone = self.random.choice(sorted(self.rows))
            del self.rows[gone]
            self.stays.discard(gone)
            self.add()

    def page(self, place: Place, limit: int) -> list[Row]:
        """A page by an offset; ties come in another order with each request."""
        self.requests += 1
        ordered = sorted(self.rows.items(), key=lambda row: (row[1], self.random.random()))
        rows = [Row(created_at, id_) for id_, created_at in ordered[place.offset : place.offset + limit]]
        self.change()
        return rows

    def walk(self, step: Callable[[Place, list[Row], int], Step], limit: int = LIMIT) -> set[str]:
        place, seen = Place(), set()
        while not place.is_end:
            assert self.requests < 50 * (1 + len(self.rows) // limit), "it does not end"
            rows = self.page(place, limit)
            place, counts = step(place, rows, limit)
            seen |= {row.id for row in rows} if counts else set()
        return seen


def plain_offset(place: Place, rows: list[Row], limit: int) -> Step:
    return Step(Place(offset=place.offset + limit, is_end=len(rows) < limit), counts=True)


@pytest.mark.parametrize(
    ("ties", "churn", "most_requests"), [(0.0, 1, 60), (0.3, 2, 60), (0.3, 0, 45)], ids=str
)
@pytest.mark.parametrize("runs", [20, pytest.param(150, marks=pytest.mark.full)])
def test_step_back_skips_nothing_that_stays(ties: float, churn: int, most_requests: int, runs: int) -> None:
    skipped = requests = 0
    for seed in range(runs):
        changing = ChangingList(seed, rows=1000, ties=ties, churn=churn)
        skipped += not changing.stays <= changing.walk(step_back)
        requests += changing.requests

    assert skipped == 0
    assert requests / runs < most_requests


def test_a_plain_offset_does_skip() -> None:
    changing = ChangingList(1, rows=1000, ties=0.0, churn=2)

    assert changing.stays - changing.walk(plain_offset)


def test_a_group_of_equal_times_that_fills_pages_does_not_hold_a_walk_up() -> None:
    changing = ChangingList(1, rows=0, ties=0.0, churn=0)
    changing.rows = {f"a{n}": 5 for n in range(130)} | {f"b{n}": n for n in range(10, 90)}

    seen = changing.walk(step_back)

    assert {f"b{n}" for n in range(10, 90)} <= seen
    assert len(seen) > 150


ROWS = [Row(created_at, f"user_{created_at}") for created_at in (10, 11, 12)]


@pytest.mark.parametrize(
    ("place", "rows", "expected"),
    [
        (Place(), ROWS, Step(Place(cursor="user_12", last=12), counts=True)),
        (Place(cursor="user_9", last=9), ROWS[:2], Step(Place(is_end=True), counts=True)),
        (Place(cursor="user_9", last=9), [], Step(Place(is_end=True), counts=True)),
        (Place(cursor="user_11", last=11), ROWS, Step(Place(after=10, last=11), counts=False)),
        (Place(after=10, last=11), ROWS, Step(Place(cursor="user_12", last=12), counts=True)),
    ],
    ids=["goes on", "short", "empty", "begins anew", "after a gone cursor"],
)
def test_a_cursor_goes_on_behind_its_user(place: Place, rows: list[Row], expected: Step) -> None:
    assert by_cursor(place, rows, 3) == expected


def test_a_cursor_that_is_gone_goes_on_a_little_before_it() -> None:
    assert without_cursor(Place(cursor="user_11", last=11)) == Place(after=10, last=11)
