"""Requests are counted in memory, and what was counted reaches the store once, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import given
import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from hub.ingest.request_counter import RequestCounter
from hub.model.source import Refusals, SourceCounts, SourceState, merge
from hub.store.open import open_store
from hub.store.repositories.retention import Prunable
from hub.store.store import Store
from hub.store.tables import refusals

NOON = given.NOON
MINUTE = timedelta(minutes=1)


def refuse(
    counter: RequestCounter,
    at: datetime,
    code: str = "invalid_signature",
    *,
    is_complete: bool = True,
    ahead: float | None = None,
) -> bool:
    return counter.refuse("clerk", code, at.timestamp(), is_complete=is_complete, clock_ahead_seconds=ahead)


def accept(counter: RequestCounter, at: datetime) -> None:
    counter.accepted_at["clerk"] = at.timestamp()


def state(store: Store) -> SourceState:
    with store.read() as snapshot:
        return snapshot.sources.all()["clerk"]


def totals(store: Store) -> dict[tuple[str, str], int]:
    with store.read() as snapshot:
        return snapshot.metrics.refused()


def rows(store: Store) -> int:
    with store.read() as snapshot:
        return len(snapshot.session.connection.execute(select(refusals)).all())


def test_what_was_refused_reaches_the_store_with_the_next_flush_as_one_row_a_code(store: Store) -> None:
    counter = RequestCounter(store)
    for second in range(300):
        refuse(counter, NOON + timedelta(seconds=second))
    refuse(counter, NOON, "missing_headers", is_complete=False)
    assert totals(store) == {}
    counter.flush()
    counter.flush()

    assert totals(store) == {("clerk", "invalid_signature"): 300, ("clerk", "missing_headers"): 1}
    assert rows(store) == 2
    assert state(store).refused == Refusals(
        since=NOON, last_at=NOON + timedelta(seconds=299), counts={"invalid_signature": 300}
    )


def test_an_accepted_request_ends_what_was_refused_before_it_and_nothing_after(store: Store) -> None:
    counter = RequestCounter(store)
    refuse(counter, NOON)
    accept(counter, NOON + MINUTE)
    refuse(counter, NOON + 2 * MINUTE)
    counter.flush()

    refused = state(store).refused
    assert refused is not None
    assert (state(store).accepted_at, refused.since, refused.count) == (NOON + MINUTE, NOON + 2 * MINUTE, 1)
    assert totals(store) == {("clerk", "invalid_signature"): 2}


def test_what_processes_see_of_one_source_is_put_together(open_stores: Callable[..., Store]) -> None:
    store = open_stores()
    one, other = RequestCounter(store), RequestCounter(open_stores())
    for counter in (one, other):
        refuse(counter, NOON)
        refuse(counter, NOON + 2 * MINUTE)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(RequestCounter.flush, (one, other)))
    refused = state(store).refused
    assert refused is not None
    assert refused.counts == {"invalid_signature": 4}
    accept(other, NOON + 3 * MINUTE)
    other.flush()

    assert state(store) == SourceState(name="clerk", accepted_at=NOON + 3 * MINUTE)
    assert totals(store) == {("clerk", "invalid_signature"): 4}


def test_a_store_that_takes_nothing_yet_loses_no_count(empty_url: str) -> None:
    store = open_store(empty_url)
    counter = RequestCounter(store)
    refuse(counter, NOON, ahead=600.0)
    accept(counter, NOON - MINUTE)
    counter.flush()
    refuse(counter, NOON + MINUTE)
    counter.flush()
    store.migrate()
    counter.flush()
    counted, its_state = totals(store), state(store)
    store.close()

    assert counted == {("clerk", "invalid_signature"): 2}
    assert its_state == SourceState(
        name="clerk",
        accepted_at=NOON - MINUTE,
        refused=Refusals(
            since=NOON,
            last_at=NOON + MINUTE,
            counts={"invalid_signature": 2},
            clock_ahead_seconds=600.0,
        ),
    )


def test_of_clocks_that_differ_the_median_counts(store: Store) -> None:
    counter = RequestCounter(store)
    for ahead in (600.0, 601.0, 90_000.0):
        refuse(counter, NOON, "invalid_timestamp", ahead=ahead)
    counter.flush()

    refused = state(store).refused
    assert refused is not None
    assert refused.clock_ahead_seconds == 601.0


def test_nothing_is_written_while_nothing_comes(store: Store) -> None:
    counter = RequestCounter(store)
    accept(counter, NOON)
    counter.flush()
    with store.transaction() as transaction:
        transaction.sources.add([SourceCounts(seen=SourceState(name="clerk", accepted_at=NOON + MINUTE))])
    counter.flush()

    assert state(store).accepted_at == NOON + MINUTE


def test_a_count_is_flushed_on_a_clock(store: Store) -> None:
    counter = RequestCounter(store)
    counter.start(every_seconds=0.02)
    refuse(counter, NOON)

    given.until(lambda: totals(store) == {("clerk", "invalid_signature"): 1})
    counter.close()


def test_a_count_is_flushed_when_its_process_ends(store: Store) -> None:
    counter = RequestCounter(store)
    counter.start()
    refuse(counter, NOON)
    counter.close()

    assert totals(store) == {("clerk", "invalid_signature"): 1}


def test_threads_that_count_at_once_lose_nothing(store: Store) -> None:
    counter = RequestCounter(store)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: refuse(counter, NOON), range(400)))
        counter.flush()

    assert totals(store) == {("clerk", "invalid_signature"): 400}


def test_a_flood_of_refusals_is_two_lines_of_the_log(store: Store) -> None:
    counter = RequestCounter(store)
    are_first = [refuse(counter, NOON) for _ in range(50)]
    with capture_logs() as logs:
        counter.flush()

    assert are_first == [True] + [False] * 49
    assert logs == [
        {
            "event": "events.refused",
            "log_level": "warning",
            "source": "clerk",
            "code": "invalid_signature",
            "count": 50,
        }
    ]


def test_old_numbers_are_pruned_and_stay_in_the_total(store: Store) -> None:
    counter = RequestCounter(store)
    refuse(counter, NOON)
    counter.flush()
    with store.transaction() as transaction:
        removed = transaction.retention.prune(Prunable.REFUSALS, datetime.now(UTC) + MINUTE, 500)
    refuse(counter, NOON)
    counter.flush()

    assert removed == 1
    assert totals(store) == {("clerk", "invalid_signature"): 2}


def since(minutes: int, count: int = 1) -> Refusals:
    at = NOON + minutes * MINUTE
    return Refusals(since=at, last_at=at, counts={"invalid_signature": count})


@pytest.mark.parametrize(
    ("known", "seen", "expected"),
    [
        ((None, None), (None, None), (None, None)),
        ((None, None), (0, None), (0, None)),
        ((0, None), (None, None), (0, None)),
        ((5, None), (0, None), (5, None)),
        ((0, 1), (None, None), (0, 1)),
        ((0, 1), (2, None), (2, None)),
        ((0, 1), (2, 3), (2, 3)),
        ((4, None), (2, 3), (4, None)),
        ((2, None), (None, 2), (2, None)),
    ],
)
def test_states_are_merged(
    known: tuple[int | None, int | None],
    seen: tuple[int | None, int | None],
    expected: tuple[int | None, int | None],
) -> None:
    def a_state(accepted: int | None, refused: int | None) -> SourceState:
        return SourceState(
            name="clerk",
            accepted_at=None if accepted is None else NOON + accepted * MINUTE,
            refused=None if refused is None else since(refused),
        )

    merged = merge(a_state(*known), a_state(*seen))

    assert merged == a_state(*expected)
