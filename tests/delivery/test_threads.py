"""Messages of one thread go out one after the other, each knowing what became of the first."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import given
import pytest
from servers.http_receiver import CannedResponse, ReceivedRequest
from servers.slack_receiver import SlackReceiver
from sqlalchemy import select, update
from working import working

from hub import operator
from hub.delivery.completion_queue import CompletionQueue
from hub.delivery.executor import Executor
from hub.delivery.in_flight import InFlight
from hub.delivery.threads import Threads
from hub.destinations.slack.options import SlackOptions
from hub.errors import StoreUnavailable, ThreadBusy
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import Receipt, State
from hub.model.destination import DestinationConfig
from hub.model.event import Event
from hub.model.records import DeliveryRecord
from hub.model.routing import Send
from hub.store.store import Store
from hub.store.tables import deliveries, threads

KEY = {"thread": "{{ data.id }}"}


def slack(receiver: SlackReceiver, **changes: Any) -> DestinationConfig:
    options = {"bot_token": "xoxb-demo", "channel": "sales", "api_url": receiver.api_url}
    return replace(
        given.destination("team"), type="slack", options=SlackOptions.model_validate(options), **changes
    )


def rules(place: DestinationConfig, *blocks: dict[str, Any]) -> Rules:
    sends = (Send(to="team", fields={"text": "{{ type }}", **KEY, **block}) for block in blocks or ({},))
    return given.rules(given.route("all", ("*",), *sends), destinations=(place,))


def event(type_: str = "user.created", minute: float = 0, id_: str = "user_1") -> Event:
    body = {"type": type_, "data": {"id": id_}, "timestamp": (given.NOON.timestamp() + 60 * minute) * 1000}
    return given.event(type_, payload=json.dumps(body).encode())


def records(store: Store) -> list[DeliveryRecord]:
    with store.read() as snapshot:
        page = snapshot.delivery_list.records(limit=100)
        return [snapshot.delivery_list.record(record.id) for record in reversed(page)]


def settle_all(store: Store, count: int) -> list[DeliveryRecord]:
    def settled() -> list[DeliveryRecord]:
        done = [record for record in records(store) if record.state is State.DELIVERED]
        return done if len(done) == count else []

    return given.until(settled)  # type: ignore[no-any-return]


def rows(store: Store) -> list[Any]:
    with store.read() as snapshot:
        return list(snapshot.session.connection.execute(select(threads)))


def test_a_life_stands_in_one_thread_and_its_record_is_the_newest(store: Store) -> None:
    with SlackReceiver() as receiver:
        today = rules(slack(receiver), {"thread_mode": ["update", "broadcast"]})
        with working(store, today):
            for minute, type_ in enumerate(("user.created", "user.updated", "user.deleted")):
                fan_out(event(type_, minute), today, store)
                settle_all(store, minute + 1)
            fan_out(event("user.created", id_="user_2"), today, store)
            settle_all(store, 4)
        first, *news, other = receiver.messages

    assert (first.text, first.edits) == ("user.deleted", 2)
    assert [(reply.text, reply.thread_ts) for reply in news] == [
        ("user.updated", first.ts),
        ("user.deleted", first.ts),
    ]
    assert (other.text, other.thread_ts) == ("user.created", "")
    assert [row.holder for row in rows(store)] == [None, None]


def test_an_older_event_that_comes_late_is_left_out_of_the_record_and_the_receipt_says_so(
    store: Store,
) -> None:
    with SlackReceiver() as receiver:
        today = rules(slack(receiver), {"thread_mode": "update"})
        with working(store, today):
            fan_out(event("user.updated", minute=2), today, store)
            settle_all(store, 1)
            fan_out(event("user.created", minute=1), today, store)
            _, late = settle_all(store, 2)
        (message,) = receiver.messages

    assert (message.text, message.edits) == ("user.updated", 0)
    assert [attempt.detail for attempt in late.attempt_list] == [
        "left the first of its thread alone, which shows a newer event"
    ]


def test_while_the_first_is_being_posted_others_wait_and_make_no_attempt(store: Store) -> None:
    is_open = threading.Event()
    with SlackReceiver() as receiver:
        respond = receiver.http.respond

        def slow(request: ReceivedRequest) -> CannedResponse:
            is_open.wait(30)
            return respond(request)

        receiver.http.respond = slow
        today = rules(slack(receiver, concurrency=4, rate_limit=None))
        with working(store, today):
            for _ in range(3):
                fan_out(event(), today, store)
            waiting = given.until(lambda: both_wait(store))
            requests = len(receiver.http.received)
            is_open.set()
            done = settle_all(store, 3)
        first, *replies = receiver.messages

    assert requests == 1
    assert [(record.reason, record.attempts, record.attempt_list) for record in waiting] == [
        ("another message of its thread is being sent", 0, ())
    ] * 2
    assert [record.attempts for record in done] == [1, 1, 1]
    assert [reply.thread_ts for reply in replies] == [first.ts] * 2


def both_wait(store: Store) -> list[DeliveryRecord]:
    waiting = [record for record in records(store) if record.state is State.PENDING and record.reason]
    return waiting if len(waiting) == 2 else []


def test_a_message_whose_template_fails_stays_in_its_thread(store: Store) -> None:
    with SlackReceiver() as receiver:
        today = rules(slack(receiver), {"text": "{{ data.id }}"}, {"text": "{{ 1 / 0 }}"})
        with working(store, today):
            fan_out(event(), today, store)
            settle_all(store, 2)
        messages = receiver.messages

    assert sorted(message.thread_ts for message in messages)[1] in {message.ts for message in messages}
    assert len({row.id for row in rows(store)}) == 1


def test_a_form_that_is_refused_goes_out_as_text_in_the_same_thread(store: Store) -> None:
    picture = {"type": "image", "image_url": "https://pictures.invalid/a.png", "alt_text": "a picture"}
    with SlackReceiver() as receiver:
        today = rules(slack(receiver), {"blocks": [picture], "text": "Ada"})
        with working(store, today):
            for minute in range(2):
                fan_out(event(minute=minute), today, store)
                settle_all(store, minute + 1)
        first, reply = receiver.messages

    assert [(message.text, message.blocks) for message in (first, reply)] == [("Ada", ())] * 2
    assert reply.thread_ts == first.ts


def test_a_text_that_is_refused_too_makes_room_for_the_built_in_message_in_the_same_thread(
    store: Store,
) -> None:
    refusals = [CannedResponse(body=b'{"ok": false, "error": "invalid_blocks"}')] * 2
    with SlackReceiver() as receiver:
        today = rules(slack(receiver), {"blocks": [{"type": "divider"}], "text": "Ada"})
        with working(store, today):
            fan_out(event(), today, store)
            settle_all(store, 1)
            respond = receiver.http.respond
            receiver.http.respond = lambda request: refusals.pop() if refusals else respond(request)
            fan_out(event(minute=1), today, store)
            settle_all(store, 2)
        first, reply = receiver.messages

    assert (reply.thread_ts, reply.blocks[0]["type"]) == (first.ts, "header")


def test_the_block_with_nothing_but_a_thread_sends_the_built_in_message(store: Store) -> None:
    with SlackReceiver() as receiver:
        today = given.rules(
            given.route("all", ("*",), Send(to="team", fields=KEY)), destinations=(slack(receiver),)
        )
        with working(store, today):
            fan_out(event(), today, store)
            settle_all(store, 1)
        (message,) = receiver.messages

    assert message.blocks[0]["type"] == "header"
    assert "Open in the hub" in str(message.attachments)


@pytest.mark.parametrize("fields", [{"thread": None}, {"thread": "{{ data.nothing }}"}])
def test_a_message_without_a_key_is_a_post_like_any_other(store: Store, fields: dict[str, Any]) -> None:
    fields = {key: value for key, value in {**KEY, **fields}.items() if value is not None}
    with SlackReceiver() as receiver:
        today = given.rules(
            given.route("all", ("*",), Send(to="team", fields={"text": "hi", **fields})),
            destinations=(slack(receiver),),
        )
        with working(store, today):
            fan_out(event(), today, store)
            (record,) = settle_all(store, 1)

    assert rows(store) == []
    assert [attempt.detail for attempt in record.attempt_list] == ["Slack answered ok"]


def test_what_was_posted_and_kept_but_never_settled_is_not_posted_again(store: Store) -> None:
    with SlackReceiver() as receiver:
        today = rules(slack(receiver))
        fan_out(event(), today, store)
        (claim,) = given.claim(store, "team")
        thread = Threads(store).join(claim, "sales", "user_1", 1)
        receipt = Receipt(detail="ok", thread={"channel": "C0000000002", "ts": "1.1"}, accepted=("1.1",))
        Threads(store).leave(claim, thread, receipt)
        died = {"state": State.PENDING, "token": None, "lease_until": None}
        store.write(lambda t: t.session.connection.execute(update(deliveries).values(died)) and None)
        with working(store, today):
            settle_all(store, 1)
        messages = receiver.messages

    assert messages == []


def test_a_replay_of_an_old_event_leaves_the_record_alone(store: Store) -> None:
    with SlackReceiver() as receiver:
        today = rules(slack(receiver), {"thread_mode": ["update", "reply"]})
        with working(store, today):
            old = fan_out(event("user.created", minute=1), today, store).event_id
            settle_all(store, 1)
            fan_out(event("user.updated", minute=2), today, store)
            settle_all(store, 2)
            operator.replay(str(old), today, store)
            *_, replayed = settle_all(store, 3)
        first, _, reply = receiver.messages

    assert (first.text, reply.text, reply.thread_ts) == ("user.updated", "user.created", first.ts)
    assert replayed.attempt_list[0].detail == (
        "left the first of its thread alone, which shows a newer event; replied in its thread"
    )


def test_a_retry_of_what_slack_has_posts_nothing_and_of_what_it_has_not_does(store: Store) -> None:
    with SlackReceiver() as receiver:
        today = rules(slack(receiver))
        with working(store, today):
            (taken, lost) = (fan_out(event(), today, store).event_id for _ in range(2))
            settle_all(store, 2)
            dead = update(deliveries).values(state=State.DEAD)
            never = update(deliveries).where(deliveries.c.event_id == lost).values(accepted=None)
            for change in (dead, never):
                store.write(lambda t, change=change: t.session.connection.execute(change) and None)
            assert operator.retry_all(store, today) == 2
            done = settle_all(store, 2)
        texts = [message.text for message in receiver.messages]

    assert len(texts) == 3
    assert {record.event: record.attempt_list[1].detail for record in done} == {
        taken: "Slack has it since an attempt before this one",
        lost: "replied in its thread",
    }


def test_a_claim_that_was_taken_back_leaves_its_thread(store: Store) -> None:
    with SlackReceiver() as receiver:
        place = slack(receiver)
        today = rules(place)
        fan_out(event(), today, store)
        (claim,) = given.claim(store, "team")
        taken_back = InFlight()
        executor = Executor(taken_back, CompletionQueue(), store, "")
        executor.attempt(claim, place, today, given.NOON)
        requests = receiver.http.received

    assert requests == []
    assert [(row.holder, row.kept) for row in rows(store)] == [(None, None)]


def test_a_key_is_any_text_and_counts_at_its_place_alone(store: Store) -> None:
    own = Threads(store)
    fan_out(event(), rules(given.destination("team")), store)
    (claim,) = given.claim(store, "team")
    keys = [("sales", "a"), ("sale", "a"), ("sale", "sa"), ("sales", "\x00\ud800" * 50_000), ("", "salesa")]
    ids = {own.join(claim, place, key, 1).id for place, key in keys}

    assert len(ids) == 5
    with pytest.raises(ThreadBusy):
        own.join(replace(claim, token="another"), "sales", "a", 1)


def test_what_came_of_a_message_is_kept_once_the_store_is_back(store: Store) -> None:
    fan_out(event(), rules(given.destination("team")), store)
    (claim,) = given.claim(store, "team")
    away = Away(store, times=2)
    thread = Threads(store).join(claim, "", "a", 1)
    receipt = Receipt(detail="ok", thread={"ts": "1"})
    Threads(away, again_seconds=0.01).leave(claim, thread, receipt)  # type: ignore[arg-type]

    assert [row.kept for row in rows(store)] == [{"ts": "1"}]


def test_a_store_that_stays_away_lets_the_delivery_be_settled(store: Store) -> None:
    fan_out(event(), rules(given.destination("team")), store)
    (claim,) = given.claim(store, "team")
    thread = Threads(store).join(claim, "", "a", 1)
    away = Away(store, times=10**6)
    began = time.monotonic()
    Threads(away, 0.05, 0.01).leave(claim, thread, Receipt(detail="ok"))  # type: ignore[arg-type]

    assert 0.05 < time.monotonic() - began < 30


class Away:
    """A store that does not answer so many times."""

    def __init__(self, store: Store, times: int) -> None:
        self._store = store
        self._times = times

    def write(self, work: Callable[[Any], Any]) -> Any:
        self._times -= 1
        if self._times >= 0:
            raise StoreUnavailable("the database does not answer")
        return self._store.write(work)
