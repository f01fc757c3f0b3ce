"""A claim can be taken back until its first byte: what did not begin leaves no trace but its message.

Whatever happens between claim and first byte, nothing is lost, nothing is sent twice without an attempt that
says `unknown`, and nothing goes round without end.
"""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import given
import psutil
import pytest
from halting import (
    BEGIN_WITHIN_SECONDS,
    FIELDS,
    LEASE_SECONDS,
    POINTS,
    STOPPING_SECONDS,
    WatchedSandbox,
    place,
    rules_of,
)
from servers.http_receiver import CannedResponse, Failure, HttpReceiver
from structlog.testing import capture_logs
from test_worker import only, outcomes, sending, to, wait_for_state
from working import working

from hub.delivery import in_flight, worker
from hub.delivery.worker import Worker
from hub.ingest.fanout import fan_out
from hub.maintenance.rescue import Rescue
from hub.model.delivery import Outcome, State
from hub.model.destination import DestinationState
from hub.model.records import DeliveryRecord
from hub.store.engine import sqlite
from hub.store.open import open_store
from hub.store.store import Store
from hub.templating.escapes import plain
from hub.templating.sandbox import Sandbox

TEXT = b"hello user_1"


class Gate:
    """A point at which a thread waits."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        self._opened.wait(30)

    def open(self) -> None:
        self._opened.set()


def records(store: Store) -> list[DeliveryRecord]:
    with store.read() as reading:
        return [
            reading.delivery_list.record(record.id) for record in reading.delivery_list.records(limit=100)
        ]


def tries_of(store: Store) -> int:
    return int(store.write(lambda t: t.operator.lock(only(store).id)).tries)


def assert_no_attempt(record: DeliveryRecord) -> None:
    assert (record.state, record.attempts, record.attempt_list, record.reason) == (
        State.PENDING,
        0,
        (),
        None,
    )


@contextmanager
def halting(store: Store, receiver: HttpReceiver, point: str, number: signal.Signals) -> Iterator[Any]:
    """A worker in a process that sends itself a signal at a point; what it prints is in `stdout`."""
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("halting.py"), store.url, receiver.url, point, number.name],
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_halted(process: subprocess.Popen[str]) -> None:
    halted = psutil.STATUS_STOPPED
    given.until(lambda: process.poll() is not None or psutil.Process(process.pid).status() == halted, 30)
    assert process.poll() is None, process.communicate()[0]


def end(process: subprocess.Popen[str]) -> str:
    """Stop a process in good order, and return what it printed."""
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=40)
    assert process.returncode == 0, output
    return output


# -- stopping -------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["waiting for a thread", "before rendering", "after rendering"])
def test_stopping_takes_back_what_has_not_begun_at_any_point(store: Store, point: str) -> None:
    gate = Gate()
    with HttpReceiver() as receiver:
        rules = rules_of(to(receiver), WatchedSandbox(**dict.fromkeys(POINTS.get(point, ()), gate)))
        with working(store, rules, threads=2) as running:
            for _ in range(2) if point == "waiting for a thread" else ():
                running._pool.submit(gate)
            fan_out(given.event(), rules, store)
            wait_for_state(store, State.SENDING)
            assert gate.reached.wait(30)
        back = only(store)
        gate.open()
        for thread in running._pool._threads:
            thread.join(30)
        after_all = only(store)
        nothing = list(receiver.received)
        with working(store, sending(to(receiver), fields=FIELDS)):
            (request,) = receiver.wait_for(1)
            wait_for_state(store, State.DELIVERED)

    assert_no_attempt(back)
    assert back.message is None
    assert (after_all, nothing) == (back, [])
    assert (request.headers["hub-attempt"], request.body) == ("1", TEXT)
    assert outcomes(only(store)) == [Outcome.DELIVERED]
    assert tries_of(store) == 1


def test_a_process_that_is_told_to_stop_takes_it_back(store: Store) -> None:
    with HttpReceiver() as receiver:
        fan_out(given.event(), rules := rules_of(place(receiver.url), Sandbox({})), store)
        with halting(store, receiver, "before rendering", signal.SIGTERM) as process:
            assert process.wait(30 + STOPPING_SECONDS) == 0, process.communicate()[0]
        back, nothing = only(store), list(receiver.received)
        with working(store, rules):
            (request,) = receiver.wait_for(1)

    assert_no_attempt(back)
    assert nothing == []
    assert request.headers["hub-attempt"] == "1"


def test_a_result_that_the_store_cannot_take_while_stopping_is_not_taken_for_unknown(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store comes back for the last cycle: by then nobody waits for the destination any more."""
    monkeypatch.setattr(worker, "DRAIN_SECONDS", 0.0)
    monkeypatch.setattr(worker, "STORE_PAUSE_SECONDS", 60.0)
    monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 0.1)
    store, answers = open_store(sqlite_url), threading.Event()

    def respond(_: Any) -> CannedResponse:
        answers.wait(30)
        return CannedResponse()

    with (
        HttpReceiver(respond=respond) as receiver,
        closing(sqlite3.connect(sqlite_url[10:])) as other,
        capture_logs() as logs,
    ):
        rules = sending(to(receiver))
        fan_out(given.event(), rules, store)
        stopping = Worker(store, lambda: rules, threads=2)
        thread = threading.Thread(target=stopping.run)
        thread.start()
        receiver.wait_for(1)
        other.execute("BEGIN IMMEDIATE")
        answers.set()
        given.until(lambda: [line for line in logs if line["event"] == "worker.store_unavailable"])
        given.until(lambda: len(stopping._completions._completions) == 1)
        # It waits after a failure; now it gives up what is under way, and settles for the last time.
        monkeypatch.setattr(sqlite, "_BUSY_SECONDS", 60.0)
        stopping.stop()
        other.execute("ROLLBACK")
        thread.join(30)
    kept = only(store)
    store.close()

    assert (kept.state, outcomes(kept)) == (State.DELIVERED, [Outcome.DELIVERED])


# -- a process that is halted ---------------------------------------------------------------------


@pytest.mark.parametrize("point", ["before rendering", "after rendering"])
def test_a_process_that_was_halted_too_long_takes_it_back_itself_and_sends_it_once(
    store: Store, point: str
) -> None:
    with HttpReceiver() as receiver:
        fan_out(given.event(), rules_of(place(receiver.url), Sandbox({})), store)
        with halting(store, receiver, point, signal.SIGSTOP) as process:
            wait_until_halted(process)
            under_way = only(store)
            time.sleep(BEGIN_WITHIN_SECONDS + 0.2)
            process.send_signal(signal.SIGCONT)
            (request,) = receiver.wait_for(1)
            wait_for_state(store, State.DELIVERED)
            output = end(process)
        kept = only(store)

    assert (under_way.state, under_way.attempts) == (State.SENDING, 1)
    assert "delivery.settled" in output
    assert (request.headers["hub-attempt"], request.body) == ("1", TEXT)
    assert (kept.attempts, outcomes(kept), tries_of(store)) == (1, [Outcome.DELIVERED], 1)
    assert len(receiver.received) == 1


def test_a_process_that_was_halted_past_its_lease_neither_sends_nor_settles_what_was_taken_over(
    store: Store,
) -> None:
    with HttpReceiver() as receiver:
        fan_out(given.event(), rules := rules_of(place(receiver.url), Sandbox({})), store)
        with halting(store, receiver, "after rendering", signal.SIGSTOP) as process:
            wait_until_halted(process)
            time.sleep(LEASE_SECONDS)
            with working(store, rules):
                (request,) = receiver.wait_for(1)
                wait_for_state(store, State.DELIVERED)
            taken_over = only(store)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.3)
            output = end(process)
        kept = only(store)

    assert "delivery.late" in output
    assert request.headers["hub-attempt"] == "2"
    assert outcomes(kept) == [Outcome.UNKNOWN, Outcome.DELIVERED]
    assert (kept, len(receiver.received)) == (taken_over, 1)


# -- a process that is killed ---------------------------------------------------------------------


@pytest.mark.parametrize("point", ["after rendering", "while sending"])
def test_a_killed_process_leaves_one_unknown_attempt_that_counts(store: Store, point: str) -> None:
    nearly_broken = DestinationState(name="crm", failures=4)
    store.write(lambda t: t.destinations.save([nearly_broken]))
    hang = [CannedResponse(failure=Failure.HANG)] if point == "while sending" else []
    with HttpReceiver(hang) as receiver:
        fan_out(given.event(), rules := rules_of(place(receiver.url), Sandbox({})), store)
        with halting(store, receiver, point, signal.SIGKILL) as process:
            if point == "while sending":
                receiver.wait_for(1)
                process.kill()
            process.wait(30)
        under_way, rescue = only(store), Rescue(store)
        given.until(lambda: rescue.run(rules) or only(store).state is State.PENDING)
        rescued, tries = only(store), tries_of(store)
        with store.read() as reading:
            state = reading.destinations.all()["crm"]
        arrived = len(receiver.received)
        with working(store, rules):
            *before, request = receiver.wait_for(arrived + 1)
            wait_for_state(store, State.DELIVERED)

    assert under_way.state is State.SENDING
    assert (outcomes(rescued), rescued.attempts, tries) == ([Outcome.UNKNOWN], 1, 1)
    assert (state.failures, state.probe_at) == (4, None)
    assert request.headers["hub-attempt"] == "2"
    assert {sent.headers["webhook-id"] for sent in (*before, request)} == {rescued.id}
    assert outcomes(only(store)) == [Outcome.UNKNOWN, Outcome.DELIVERED]
    assert arrived == len(hang)


# -- slow templates -------------------------------------------------------------------------------

LOOP = "{% for x in range(ROUNDS) %}{% for y in range(50) %}{% endfor %}{% endfor %}hello {{ data.id }}"


def slow_template(seconds: float) -> str:
    """A template that takes so much processor time here."""
    rounds, began = 2_000, time.thread_time()
    Sandbox({}).text(LOOP.replace("ROUNDS", str(rounds)), {"data": {}}, plain, name="body")
    return LOOP.replace("ROUNDS", str(round(rounds * seconds / (time.thread_time() - began))))


def send_many(store: Store, seconds: float) -> WatchedSandbox:
    """16 messages of a slow template each, in as many threads, all of which must arrive once."""
    sandbox = WatchedSandbox()
    fields = {**FIELDS, "body": slow_template(seconds)}
    with HttpReceiver() as receiver:
        rules = rules_of(to(receiver, concurrency=16), sandbox, fields)
        for _ in range(16):
            fan_out(given.event(), rules, store)
        with working(store, rules, threads=16):
            requests = receiver.wait_for(16)
            given.until(lambda: {record.state for record in records(store)} == {State.DELIVERED})
    kept = records(store)

    assert len(receiver.received) == 16
    assert len({request.headers["webhook-id"] for request in requests}) == 16
    assert {(request.headers["hub-attempt"], request.body) for request in requests} == {("1", TEXT)}
    assert {(record.attempts, *outcomes(record)) for record in kept} == {(1, Outcome.DELIVERED)}
    return sandbox


def test_slow_templates_under_one_interpreter_are_each_rendered_once_and_arrive(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Together they take longer than a claim may wait: each is taken back, and its message kept."""
    monkeypatch.setattr(in_flight, "BEGIN_WITHIN_SECONDS", 0.3)
    sandbox = send_many(store, seconds=0.1)

    assert sandbox.rendered == 16


def test_what_is_rendered_too_late_keeps_its_message_and_is_not_sent_by_that_claim(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No cycle follows that could claim it again: its destination is paused meanwhile."""
    monkeypatch.setattr(in_flight, "BEGIN_WITHIN_SECONDS", 0.1)
    gate = Gate()
    with HttpReceiver() as receiver:
        rules = rules_of(to(receiver), sandbox := WatchedSandbox(after=gate))
        fan_out(given.event(), rules, store)
        due_at = only(store).due_at
        with working(store, rules):
            assert gate.reached.wait(30)
            store.write(lambda t: t.destinations.pause("crm", "by the test"))
            time.sleep(0.15)
            gate.open()
            (back,) = wait_for_state(store, State.PENDING)
            kept, nothing = only(store), list(receiver.received)
            store.write(lambda t: t.destinations.resume("crm"))
            store.wake()
            (request,) = receiver.wait_for(1)

    assert_no_attempt(kept)
    assert (back.due_at, nothing) == (due_at, [])
    assert kept.message is not None
    assert (request.body, request.headers["hub-attempt"], sandbox.rendered) == (TEXT, "1", 1)


def test_a_template_that_fails_too_late_is_dead_without_an_attempt(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_flight, "BEGIN_WITHIN_SECONDS", -1.0)
    with HttpReceiver() as receiver:
        rules = sending(to(receiver), fields={"json": {"a": "{{ data.id + 1 }}"}})
        with working(store, rules):
            fan_out(given.event(), rules, store)
            (dead,) = wait_for_state(store, State.DEAD)

    assert (dead.reason or "").startswith("template failed: ")
    assert (dead.attempts, only(store).attempt_list, receiver.received) == (0, (), [])
