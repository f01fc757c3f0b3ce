"""A real worker on a real store sends to real servers on loopback."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import given
import pytest
from servers.http_receiver import CannedResponse, Failure, HttpReceiver, ReceivedRequest
from sqlalchemy import delete, select, text, update
from structlog.testing import capture_logs
from working import Today, working

from hub import operator
from hub.delivery import retry, throttle, worker
from hub.delivery.batch import Completion
from hub.errors import Reject, Retry
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import Outcome, Receipt, State
from hub.model.destination import DestinationConfig, DestinationState, OnUnknown, RateLimit
from hub.model.filter import Filter
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.open import open_store
from hub.store.store import Store
from hub.store.tables import attempts, deliveries, destinations

QUICK = (0.02, 0.02)


def to(receiver: HttpReceiver, name: str = "crm", **changes: Any) -> DestinationConfig:
    return given.destination(name, url=receiver.url, **{"retry_seconds": QUICK, **changes})


def sending(*receivers: DestinationConfig, fields: dict[str, Any] | None = None) -> Rules:
    """One route for everything to each of the destinations."""
    sends = (Send(to=place.name, fields=fields or {}) for place in receivers)
    return given.rules(given.route("all", ("*",), *sends), destinations=receivers)


def only(store: Store) -> DeliveryRecord:
    with store.read() as snapshot:
        (record,) = snapshot.delivery_list.records()
        return snapshot.delivery_list.record(record.id)


def wait_for_state(store: Store, state: State, count: int = 1) -> list[DeliveryRecord]:
    def matching() -> list[DeliveryRecord]:
        with store.read() as snapshot:
            records = snapshot.delivery_list.records(Filter(state=state))
        return records if len(records) >= count else []

    return given.until(matching)


def outcomes(record: DeliveryRecord) -> list[Outcome | None]:
    return [attempt.outcome for attempt in record.attempt_list]


# -- the way of a delivery ------------------------------------------------------------------------


def test_an_event_arrives_byte_for_byte_with_its_ids(store: Store) -> None:
    event = given.event(payload=b'{ "type":"user.created",  "data": {"n": "\xc3\xa9\\ud800"} }')
    with HttpReceiver() as receiver, working(store, rules := sending(to(receiver))):
        fan_out(event, rules, store)
        (request,) = receiver.wait_for(1)
        (record,) = wait_for_state(store, State.DELIVERED)
    kept = only(store)

    assert request.body == event.payload
    assert request.headers["webhook-id"] == record.id
    assert request.headers["hub-event-id"] == event.id
    assert request.headers["hub-attempt"] == "1"
    assert outcomes(kept) == [Outcome.DELIVERED]
    assert (kept.attempt_list[0].status, kept.attempts, kept.reason) == (200, 1, None)
    assert kept.delivered_at is not None


def test_retry_sends_the_same_bytes(store: Store) -> None:
    with HttpReceiver([CannedResponse(status=500), CannedResponse(status=503)]) as receiver:
        today = Today(sending(to(receiver), fields={"json": {"old": "{{ data.id }}"}}))
        receiver.respond = lambda _: CannedResponse()
        with working(store, today):
            fan_out(given.event(), today.rules, store)
            receiver.wait_for(1)
            today.rules = sending(to(receiver), fields={"json": {"new": "{{ data.id }}"}})
            requests = receiver.wait_for(3)
            wait_for_state(store, State.DELIVERED)

    assert [request.body for request in requests] == [b'{"old": "user_1"}'] * 3
    assert len({request.headers["webhook-id"] for request in requests}) == 1
    assert [request.headers["hub-attempt"] for request in requests] == ["1", "2", "3"]
    assert outcomes(only(store)) == [Outcome.FAILED, Outcome.FAILED, Outcome.DELIVERED]


def test_after_the_last_attempt_a_delivery_is_dead_and_an_operator_can_retry_it(store: Store) -> None:
    with HttpReceiver([CannedResponse(status=500)] * 3) as receiver:
        rules = sending(to(receiver))
        with working(store, rules):
            fan_out(given.event(), rules, store)
            (dead,) = wait_for_state(store, State.DEAD)
            operator.retry(store, rules, dead.id)
            wait_for_state(store, State.DELIVERED)
    kept = only(store)

    assert dead.reason == "answered 500 Internal Server Error (attempt 3 of 3, the last)"
    assert (kept.id, kept.attempts) == (dead.id, 4)


def test_an_operators_retry_is_rendered_anew(store: Store) -> None:
    with HttpReceiver([CannedResponse(status=410)]) as receiver:
        today = Today(sending(to(receiver), fields={"json": {"old": 1}}))
        with working(store, today):
            fan_out(given.event(), today.rules, store)
            (dead,) = wait_for_state(store, State.DEAD)
            today.rules = sending(to(receiver), fields={"json": {"new": 1}})
            operator.retry(store, today.rules, dead.id)
            first, second = receiver.wait_for(2)

    assert (first.body, second.body) == (b'{"old": 1}', b'{"new": 1}')


def test_a_replay_arrives_under_another_id(store: Store) -> None:
    with HttpReceiver() as receiver, working(store, rules := sending(to(receiver))):
        fanned_out = fan_out(given.event(), rules, store)
        receiver.wait_for(1)
        operator.replay(fanned_out.event_id, rules, store)
        first, second = receiver.wait_for(2)

    assert first.body == second.body
    assert first.headers["webhook-id"] != second.headers["webhook-id"]


def test_a_throttled_destination_rests_as_long_as_it_asked(store: Store) -> None:
    with HttpReceiver([CannedResponse(status=429, headers={"Retry-After": "1"})]) as receiver:
        rules = sending(to(receiver, concurrency=1))
        with working(store, rules):
            fan_out(given.event(), rules, store)
            receiver.wait_for(1)
            wait_for_state(store, State.PENDING)
            fan_out(given.event(), rules, store)
            first, second, _ = receiver.wait_for(3)

    assert 1 <= (second.at - first.at).total_seconds() < throttle.FIRST_REST_SECONDS


def test_a_rate_limit_spreads_what_is_due(store: Store) -> None:
    limit = RateLimit(count=20, seconds=1)
    with HttpReceiver() as receiver:
        rules = sending(to(receiver, rate_limit=limit))
        for _ in range(9):
            fan_out(given.event(), rules, store)
        with working(store, rules):
            wait_for_state(store, State.DELIVERED, 9)
    with store.read() as snapshot:
        claimed_at = snapshot.session.connection.execute(select(attempts.c.at)).scalars().all()

    assert (max(claimed_at) - min(claimed_at)).total_seconds() >= 0.3


# -- what cannot be rendered ----------------------------------------------------------------------


def test_a_template_that_fails_for_a_machine_is_a_dead_delivery_with_the_reason(store: Store) -> None:
    with HttpReceiver() as receiver:
        rules = sending(to(receiver), fields={"json": {"a": "x {{ data.name + 1 }}"}})
        with working(store, rules):
            fan_out(given.event(data={"name": "\0 \ud800"}), rules, store)
            (dead,) = wait_for_state(store, State.DEAD)

    assert (dead.reason or "").startswith("template failed: json.a:1: ")
    assert (dead.attempts, receiver.received) == (0, [])


def test_a_template_that_fails_for_people_degrades_to_the_built_in_message(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = sending(given.destination("log"), fields={"text": "{{ data.first_name + 1 }}"})
    with working(store, rules):
        event = given.event("user.created", data={"first_name": "Ada"})
        fan_out(event, rules, store)
        (record,) = wait_for_state(store, State.DELIVERED)

    assert (record.degraded or "").startswith("template failed: text:1: ")
    printed = capsys.readouterr().out
    assert "Ada" in printed
    assert f"https://hub.example.com/events/{event.id}" in printed


# -- waiting --------------------------------------------------------------------------------------


def test_a_paused_destination_keeps_what_it_is_owed_until_it_is_resumed(store: Store) -> None:
    with HttpReceiver() as receiver, HttpReceiver() as other:
        rules = sending(to(receiver), to(other, "other"))
        operator.pause(store, rules, "crm")
        with working(store, rules):
            fan_out(given.event(), rules, store)
            other.wait_for(1)
            (waiting,) = wait_for_state(store, State.PENDING)
            assert (waiting.attempts, receiver.received) == (0, [])
            operator.resume(store, rules, "crm")
            receiver.wait_for(1)


@pytest.mark.parametrize("changes", [{"options": None, "missing": ("CRM_URL",)}, {"enabled": False}])
def test_what_is_owed_to_a_destination_that_cannot_be_sent_to_waits(
    store: Store, changes: dict[str, Any]
) -> None:
    with HttpReceiver() as receiver, HttpReceiver() as other:
        ready = sending(to(receiver), to(other, "other"))
        today = Today(sending(to(receiver, **changes), to(other, "other")))
        fan_out(given.event(), ready, store)
        long_ago = update(deliveries).values(owed_since=given.NOON - timedelta(days=900))
        store.write(
            lambda t: t.session.connection.execute(long_ago.where(deliveries.c.destination == "crm")) and None
        )
        with working(store, today) as worker:
            other.wait_for(1)
            (waiting,) = wait_for_state(store, State.PENDING)
            assert (waiting.destination, waiting.attempts, receiver.received) == ("crm", 0, [])
            today.rules = ready
            worker._completions.wake()
            receiver.wait_for(1)


def test_what_waited_too_long_is_given_up(store: Store) -> None:
    with HttpReceiver() as receiver:
        rules = sending(to(receiver))
        fan_out(given.event(), rules, store)
        change = update(deliveries).values(
            owed_since=given.NOON - timedelta(days=900), due_at=given.NOON + timedelta(days=90_000)
        )
        store.write(lambda t: t.session.connection.execute(change) and None)
        with working(store, rules):
            (dead,) = wait_for_state(store, State.DEAD)

    assert (dead.reason, receiver.received) == ("given up after 3 days", [])


def test_a_destination_that_hangs_delays_no_other(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "DRAIN_SECONDS", 0.1)
    hanging = CannedResponse(failure=Failure.HANG)
    with HttpReceiver(respond=lambda _: hanging) as slow, HttpReceiver() as fast:
        slow_place, fast_place = to(slow, "slow", timeout_seconds=100.0, concurrency=4), to(fast, "fast")
        rules = sending(slow_place, fast_place)
        for _ in range(20):
            fan_out(given.event(), sending(slow_place), store)
        with working(store, rules, threads=4):
            slow.wait_for(1)
            for number in range(5):
                fan_out(given.event(), sending(fast_place), store)
                fast.wait_for(number + 1)


def test_a_breaker_opens_and_lets_nothing_through(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "FIRST_PROBE_SECONDS", 600.0)
    with HttpReceiver(respond=lambda _: CannedResponse(status=503)) as failing, HttpReceiver() as fine:
        rules = sending(to(failing, "failing", retry_seconds=(0.01,) * 50, concurrency=1), to(fine, "fine"))
        with working(store, rules):
            for _ in range(3):
                fan_out(given.event(), rules, store)
            state = given.until(lambda: probed(store, "failing"))
            fan_out(given.event(), rules, store)
            fine.wait_for(4)
            given.until(lambda: len(wait_for_state(store, State.PENDING, 4)) == 4)

    assert state.failures == 5
    assert len(failing.received) == 5
    assert sum(record.attempts for record in wait_for_state(store, State.PENDING, 4)) == 5


def test_an_endpoint_that_fails_each_first_attempt_gets_all_within_a_few_probes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FIRST_PROBE_SECONDS", 0.05)
    seen = set()

    def respond(request: ReceivedRequest) -> CannedResponse:
        known = request.headers["webhook-id"] in seen
        seen.add(request.headers["webhook-id"])
        return CannedResponse(status=200 if known else 503)

    with HttpReceiver(respond=respond) as receiver:
        rules = sending(to(receiver, retry_seconds=(0.05,) * 3))
        for _ in range(20):
            fan_out(given.event(), rules, store)
        with working(store, rules):
            records = wait_for_state(store, State.DELIVERED, 20)

    assert {record.attempts for record in records} == {2}


def test_messages_that_are_refused_keep_no_other_waiting(store: Store) -> None:
    """Five in a row would open the breaker, if they spoke of the endpoint."""

    def respond(request: ReceivedRequest) -> CannedResponse:
        return CannedResponse(status=422 if b"bad" in request.body else 200)

    with HttpReceiver(respond=respond) as receiver:
        rules = sending(to(receiver, retry_seconds=(60.0,), concurrency=1))
        for number in range(40):
            fan_out(given.event(data={"id": f"{'bad' if number % 4 else 'good'} {number}"}), rules, store)
        with working(store, rules):
            wait_for_state(store, State.DELIVERED, 10)
            given.until(lambda: len(receiver.received) == 40)
            state = states_of(store)["crm"]

    assert (state.failures, state.probe_at) == (0, None)


def states_of(store: Store) -> dict[str, DestinationState]:
    with store.read() as snapshot:
        return snapshot.destinations.all()


def probed(store: Store, name: str) -> Any:
    with store.read() as snapshot:
        state = snapshot.destinations.all().get(name)
    return state if state is not None and state.probe_at is not None else None


# -- what may have arrived ------------------------------------------------------------------------


def test_an_unknown_outcome_is_resent_with_the_same_id(store: Store) -> None:
    with (
        HttpReceiver([CannedResponse(failure=Failure.CLOSE)]) as receiver,
        working(store, rules := sending(to(receiver))),
    ):
        fan_out(given.event(), rules, store)
        first, second = receiver.wait_for(2)
        wait_for_state(store, State.DELIVERED)

    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert outcomes(only(store)) == [Outcome.UNKNOWN, Outcome.DELIVERED]


def test_an_unknown_outcome_is_held_for_an_operator_where_asked_for(store: Store) -> None:
    with HttpReceiver([CannedResponse(failure=Failure.CLOSE)]) as receiver:
        rules = sending(to(receiver, on_unknown=OnUnknown.HOLD))
        with working(store, rules):
            fan_out(given.event(), rules, store)
            (delivery,) = wait_for_state(store, State.HELD)
            operator.resolve(store, delivery.id, "retry")
            first, second = receiver.wait_for(2)

    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_what_a_dead_worker_was_sending_is_taken_over(store: Store) -> None:
    with HttpReceiver() as receiver:
        rules = sending(to(receiver))
        fan_out(given.event(), rules, store)
        given.claim(store, "crm", lease=timedelta(seconds=-1))
        with working(store, rules):
            receiver.wait_for(1)
            wait_for_state(store, State.DELIVERED)
        with store.read() as snapshot:
            state = snapshot.destinations.all()["crm"]

    assert outcomes(only(store)) == [Outcome.UNKNOWN, Outcome.DELIVERED]
    assert state.failures == 0


def test_secrets_are_gone_once_the_last_delivery_arrived(store: Store) -> None:
    link = "https://example.com/?ticket=abcdef&x=1"
    with HttpReceiver() as receiver:
        rules = sending(to(receiver), to(receiver, "second"), fields={"json": {"u": "<{{ data.url }}>"}})
        with working(store, rules):
            fanned_out = fan_out(given.event("invitation.created", data={"url": link}), rules, store)
            requests = receiver.wait_for(2)
            wait_for_state(store, State.DELIVERED, 2)
    with store.read() as snapshot:
        kept = repr(
            (snapshot.event_list.record(fanned_out.event_id).payload, snapshot.delivery_list.records())
        )

    assert all(link.encode() in request.body for request in requests)
    assert "abcdef" not in kept


# -- what a cycle fails at -------------------------------------------------------------------------


@pytest.mark.usefixtures("plain_log")
def test_a_delivery_that_cannot_be_read_is_put_off_and_stops_no_other(store: Store) -> None:
    with HttpReceiver() as receiver:
        rules = sending(to(receiver), to(receiver, "erp"))
        poisoned = fan_out(given.event(), rules, store).event_id
        broken = update(deliveries).where(deliveries.c.destination == "crm").values(send=text("'no JSON'"))
        store.write(lambda t: t.session.connection.execute(broken) and None)
        fan_out(given.event(), rules, store)
        with working(store, rules):
            wait_for_state(store, State.DELIVERED, 3)
    (waiting,) = store.write(
        lambda t: t.session.connection.execute(
            select(deliveries.c.event_id, deliveries.c.reason).where(deliveries.c.state == "pending")
        ).all()
    )

    assert waiting == (poisoned, worker.PUT_OFF_REASON)


@pytest.mark.usefixtures("plain_log")
def test_a_result_that_cannot_be_settled_stops_no_other(store: Store) -> None:
    with HttpReceiver() as receiver:
        rules = sending(to(receiver))
        fan_out(given.event(), rules, store)
        (claim,) = given.claim(store, "crm")
        with working(store, rules) as worker:
            gone = replace(claim, destination="gone")
            worker._completions.put(Completion(claim=gone, seconds=1.0, result=Retry("no")))
            fan_out(given.event(), rules, store)
            wait_for_state(store, State.DELIVERED)


@pytest.mark.usefixtures("plain_log")
def test_a_result_whose_message_cannot_be_kept_is_settled_without_it_and_its_neighbour_with_it(
    store: Store,
) -> None:
    with HttpReceiver() as receiver:
        rules = sending(to(receiver), to(receiver, "erp"))
        fan_out(given.event(), rules, store)
        messages = {"crm": {"text": object()}, "erp": {"text": "hello"}}
        completions = [
            Completion(
                claim=replace(given.claim(store, name)[0], message=message),
                seconds=0.1,
                result=Receipt(detail="ok"),
            )
            for name, message in messages.items()
        ]
        with working(store, rules) as running:
            running._completions.put_back(completions)
            running._completions.wake()
            delivered = wait_for_state(store, State.DELIVERED, 2)
    with store.read() as reading:
        kept = {record.destination: reading.delivery_list.record(record.id) for record in delivered}

    assert {name: record.message for name, record in kept.items()} == {"crm": None, "erp": {"text": "hello"}}
    assert [outcomes(record) for record in kept.values()] == [[Outcome.DELIVERED]] * 2
    assert receiver.received == []


REFUSE_ANSWERS = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF strpos(concat(NEW.answer, NEW.detail), '東京') > 0 THEN
            RAISE untranslatable_character USING MESSAGE = 'character has no equivalent in encoding "LATIN1"';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION refuse()
"""


@pytest.mark.usefixtures("plain_log")
@pytest.mark.parametrize(
    ("result", "state", "outcome"),
    [
        (Receipt(detail="東京", status=250, answer="東京"), State.DELIVERED, Outcome.DELIVERED),
        (Reject("東京", status=550, answer="東京"), State.DEAD, Outcome.FAILED),
    ],
)
def test_an_answer_that_the_database_refuses_settles_its_delivery_all_the_same(
    new_postgres_database: Callable[..., str], result: Receipt | Reject, state: State, outcome: Outcome
) -> None:
    with closing(open_store(new_postgres_database())) as store, HttpReceiver() as receiver:
        store.write(lambda t: t.session.connection.exec_driver_sql(REFUSE_ANSWERS) and None)
        rules = sending(to(receiver))
        fan_out(given.event(), rules, store)
        (claim,) = given.claim(store, "crm")
        claim = replace(claim, message={"text": "hello"})
        with working(store, rules) as running:
            running._completions.put(Completion(claim=claim, seconds=0.1, result=result))
            wait_for_state(store, state)
        (attempt,) = only(store).attempt_list

    assert (attempt.outcome, attempt.status, attempt.answer) == (outcome, result.status, None)
    assert receiver.received == []


def test_wake_ups_without_end_keep_nothing_that_falls_due_waiting(postgres_store_url: str) -> None:
    """Each comes while the worker still asks, as where the database is far away."""
    store, web = open_store(postgres_store_url), open_store(postgres_store_url)
    notify, ends = text("NOTIFY hub_wake"), threading.Event()

    def wake_without_end() -> None:
        while not ends.wait(0.002):
            web.write(lambda t: t.session.connection.execute(notify) and None)

    with HttpReceiver() as receiver, ThreadPoolExecutor(1) as pool:
        rules = sending(to(receiver))
        fan_out(given.event(), rules, web)
        soon = web.write(lambda t: t.now) + timedelta(seconds=0.5)
        web.write(lambda t: t.session.connection.execute(update(deliveries).values(due_at=soon)) and None)
        with working(store, rules):
            waking = pool.submit(wake_without_end)
            (request,) = receiver.wait_for(1)
            ends.set()
            waking.result()
    store.close()
    web.close()

    assert request.at >= soon


# -- many workers, and the end --------------------------------------------------------------------


def test_workers_share_the_work_and_send_everything_once(open_stores: Callable[..., Store]) -> None:
    stores = [open_stores() for _ in range(3)]
    with HttpReceiver() as receiver, ExitStack() as stack:
        rules = sending(to(receiver, concurrency=6))
        for store in stores[1:]:
            stack.enter_context(working(store, rules))
        for _ in range(60):
            fan_out(given.event(), rules, stores[0])
        wait_for_state(stores[0], State.DELIVERED, 50)
        given.until(lambda: len({r.headers["webhook-id"] for r in receiver.received}) == 60)

    assert len(receiver.received) == 60


def test_a_worker_recovers_from_lost_connections(new_postgres_database: Callable[..., str]) -> None:
    url = new_postgres_database()
    store, other = open_store(url), open_store(url)
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with HttpReceiver() as receiver:
        rules = sending(to(receiver))
        with working(store, rules):
            fan_out(given.event(), rules, other)
            receiver.wait_for(1)
            other.write(lambda t: t.session.connection.execute(cut) and None)
            fan_out(given.event(), rules, other)
            receiver.wait_for(2)
    store.close()
    other.close()


def test_stopping_takes_back_what_has_not_begun_and_leaves_unknown_what_was_being_sent(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "DRAIN_SECONDS", 0.3)
    with HttpReceiver(respond=lambda _: CannedResponse(failure=Failure.HANG)) as receiver:
        rules = sending(to(receiver, timeout_seconds=60.0, concurrency=2))
        for _ in range(5):
            fan_out(given.event(), rules, store)
        with working(store, rules):
            receiver.wait_for(2)
    with store.read() as snapshot:
        records = [snapshot.delivery_list.record(record.id) for record in snapshot.delivery_list.records()]
        seen_at = snapshot.workers.last_seen_at()

    assert {record.state for record in records} == {State.PENDING}
    assert sorted(len(record.attempt_list) for record in records) == [0, 0, 0, 1, 1]
    assert [outcomes(record) for record in records if record.attempt_list] == [[Outcome.UNKNOWN]] * 2
    assert seen_at is None


def test_stopping_waits_for_what_arrives_in_time(store: Store) -> None:
    arrived = threading.Event()

    def slowly(_: Any) -> CannedResponse:
        arrived.set()
        threading.Event().wait(0.4)
        return CannedResponse()

    with HttpReceiver(respond=slowly) as receiver:
        rules = sending(to(receiver))
        with working(store, rules):
            fan_out(given.event(), rules, store)
            assert arrived.wait(30)

    assert only(store).state is State.DELIVERED


STOPPING = """
import sys, threading
import given
from hub.delivery import worker as module
from hub.store.open import open_store

module.DRAIN_SECONDS = 0.3
place = given.destination("crm", url=sys.argv[2], timeout_seconds=60.0)
rules = given.rules(given.route("all", ("*",), "crm"), destinations=(place,))
store = open_store(sys.argv[1])
worker = module.Worker(store, lambda: rules, threads=4)
threading.Thread(target=lambda: (sys.stdin.readline(), worker.stop())).start()
worker.run()
store.close()
"""


def test_a_destination_whose_row_was_removed_is_served_on(store: Store) -> None:
    with HttpReceiver() as crm:
        rules = sending(to(crm))
        with working(store, rules):
            fan_out(given.event(), rules, store)
            assert crm.wait_for(1)
            store.write(lambda t: t.session.connection.execute(delete(destinations)) and None)
            fan_out(given.event(), rules, store)
            assert len(crm.wait_for(2)) == 2


def test_a_process_ends_although_a_destination_hangs(sqlite_url: str) -> None:
    store = open_store(sqlite_url)
    with HttpReceiver(respond=lambda _: CannedResponse(failure=Failure.HANG)) as receiver:
        fan_out(given.event(), sending(to(receiver)), store)
        store.close()
        folder = str(Path(__file__).parents[1])
        with subprocess.Popen(
            [sys.executable, "-c", STOPPING, sqlite_url, receiver.url],
            env={"PYTHONPATH": folder},
            stdin=subprocess.PIPE,
        ) as process:
            try:
                receiver.wait_for(1)
                process.communicate(b"stop\n", timeout=40)
            finally:
                process.kill()

    assert process.returncode == 0
    assert len(receiver.received) == 1


@pytest.mark.parametrize(("outcome", "attempt"), [(Outcome.FAILED, 2), (None, 1)])
def test_the_log_counts_no_attempt_that_never_began(
    store: Store, outcome: Outcome | None, attempt: int
) -> None:
    fan_out(given.event(), sending(given.destination("log")), store)
    (claim,) = given.claim(store)
    settlement = replace(retry.not_begun(replace(claim, attempts=2), None), outcome=outcome)
    with capture_logs() as lines:
        worker.log_settled(settlement, given.NOON)

    assert [line["attempt"] for line in lines] == [attempt]
