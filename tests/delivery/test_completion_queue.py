"""The queue of completions wakes the one thread that waits, once for all that came before."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import given
import pytest

from hub.delivery.batch import Completion
from hub.delivery.completion_queue import CompletionQueue
from hub.errors import Unknown
from hub.model.delivery import Claim, Receipt
from hub.model.routing import Send


def completion(delivery_id: str, token: str = "mine", *, is_unknown: bool = False) -> Completion:
    claim = Claim(
        id=delivery_id,
        token=token,
        event=given.event(),
        route="all",
        destination="crm",
        send=Send(to="crm"),
        attempts=1,
        tries=1,
        message=None,
        degraded=None,
        accepted=(),
    )
    return Completion(claim=claim, result=Unknown("stopped") if is_unknown else Receipt(detail="ok"))


@pytest.fixture
def queue() -> Iterator[CompletionQueue]:
    queue = CompletionQueue()
    yield queue
    queue.close()


def waited(queue: CompletionQueue, seconds: float = 60) -> float:
    began_at = time.monotonic()
    queue.wait(seconds)
    return time.monotonic() - began_at


def test_what_is_put_is_taken_in_order_and_once(queue: CompletionQueue) -> None:
    completions = (completion("dlv_1"), completion("dlv_2"))
    for end in completions:
        queue.put(end)

    assert queue.take() == completions
    assert queue.take() == ()


def test_a_wake_up_from_before_is_heard_and_all_of_them_as_one(queue: CompletionQueue) -> None:
    queue.wake()
    queue.wake()
    assert waited(queue) < 30
    queue.take()

    assert waited(queue, 0.1) >= 0.1


def put_soon(queue: CompletionQueue, delivery_id: str) -> None:
    threading.Timer(0.1, queue.put, [completion(delivery_id)]).start()


def test_whoever_waits_is_woken_by_what_is_put_and_not_before(queue: CompletionQueue) -> None:
    put_soon(queue, "dlv_1")

    assert waited(queue) < 30
    assert len(queue.take()) == 1


def test_what_is_put_back_wakes_nobody_and_is_there_the_next_time(queue: CompletionQueue) -> None:
    queue.put(completion("dlv_1"))
    failed = queue.take()
    queue.put_back(failed)

    assert waited(queue, 0.05) >= 0.05
    assert queue.take() == failed


def test_of_two_ends_of_one_claim_the_first_counts(queue: CompletionQueue) -> None:
    delivered, given_up = completion("dlv_1"), completion("dlv_1", is_unknown=True)
    later_claim = completion("dlv_1", "another")
    queue.put_back([delivered])
    for end in (given_up, later_claim):
        queue.put(end)

    assert queue.take() == (delivered, later_claim)


def test_gathering_ends_with_so_many_or_in_time(queue: CompletionQueue) -> None:
    queue.put(completion("dlv_1"))
    put_soon(queue, "dlv_2")
    began_at = time.monotonic()
    queue.gather(2, 60)
    gathered_at, gathered = time.monotonic(), queue.take()
    queue.put_back(gathered)
    queue.gather(3, 0.1)

    assert gathered_at - began_at < 30
    assert len(gathered) == 2
    assert 0.1 <= time.monotonic() - gathered_at < 30


def test_a_thread_that_ends_after_the_queue_was_closed_fails_at_nothing() -> None:
    queue = CompletionQueue()
    queue.close()
    queue.put(completion("dlv_1"))
    queue.wake()
