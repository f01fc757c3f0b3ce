"""An operator retries, cancels, resolves, replays, pauses and resumes, on both dialects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import given
import pytest
from sqlalchemy import update

from hub import operator
from hub.errors import Conflict, NotFound
from hub.ingest.fanout import fan_out
from hub.ingest.route import Rules
from hub.model.delivery import State
from hub.model.filter import Filter
from hub.model.routing import Send
from hub.store.store import Store
from hub.store.tables import deliveries, events

FIELDS = {"text": "old"}
KEPT = given.rules(given.route("all", ("*",), Send(to="log", fields=FIELDS)))


def owe(store: Store, rules: Rules = KEPT, *, state: State = State.PENDING, **values: Any) -> str:
    """A delivery in a state; its id."""
    event = given.event()
    fan_out(event, rules, store)
    change = update(deliveries).where(deliveries.c.event_id == event.id).values(state=state, **values)
    store.write(lambda t: t.session.connection.execute(change) and None)
    with store.read() as snapshot:
        return snapshot.delivery_list.records(event=event.id)[0].id


def row(store: Store, delivery_id: str) -> Any:
    return store.write(lambda t: t.operator.lock(delivery_id))


@pytest.mark.parametrize("state", [State.DEAD, State.CANCELLED, State.PENDING])
def test_retry_owes_a_delivery_again_under_its_id(store: Store, state: State) -> None:
    delivery_id = owe(
        store, state=state, reason="no", tries=4, attempts=4, message={"text": "x"}, degraded="y"
    )
    record = operator.retry(store, KEPT, delivery_id)
    stored = row(store, delivery_id)

    assert (record.id, record.state, record.reason, record.message) == (
        delivery_id,
        State.PENDING,
        None,
        None,
    )
    assert (stored.tries, stored.attempts, stored.degraded, stored.finished_at) == (0, 4, None, None)
    assert stored.rendering == 2


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (State.SENDING, "it is being sent right now"),
        (State.DELIVERED, "replay its event"),
        (State.HELD, "resolve it"),
    ],
)
def test_retry_says_why_not(store: Store, state: State, why: str) -> None:
    with pytest.raises(Conflict, match=why):
        operator.retry(store, KEPT, owe(store, state=state))


def test_retry_of_nothing_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="there is no delivery dlv_x"):
        operator.retry(store, KEPT, "dlv_x")


def todays(*sends: Send, name: str = "all") -> Rules:
    destinations = (given.destination("log"), given.destination("off", enabled=False))
    return given.rules(given.route(name, ("*",), *sends), destinations=destinations)


@pytest.mark.parametrize(
    ("rules", "fields"),
    [
        (todays(Send(to="log", fields={"text": "new"})), {"text": "new"}),
        (todays(Send(to="log", fields={"text": "a"}), Send(to="log", fields={"text": "b"})), {"text": "a"}),
        (todays(Send(to="off", fields={"text": "a"}), Send(to="log", fields={"text": "b"})), {"text": "b"}),
        (todays(Send(to="off")), FIELDS),
        (todays(Send(to="log", fields={"text": "new"}), name="renamed"), FIELDS),
    ],
)
def test_retry_renders_todays_send_block_or_the_kept_one(
    store: Store, rules: Rules, fields: dict[str, str]
) -> None:
    delivery_id = owe(store, state=State.DEAD)
    operator.retry(store, rules, delivery_id)

    assert row(store, delivery_id).send == fields


def test_retry_of_an_alert_renders_todays_block_of_problems(store: Store) -> None:
    old, new = (Send(to="log", fields={"text": text}) for text in ("old", "new"))
    delivery_id = owe(store, given.rules(given.route("all", ("*",), old)), state=State.DEAD, route="problems")
    operator.retry(store, given.rules(problems=(new,)), delivery_id)

    assert row(store, delivery_id).send == {"text": "new"}


def test_retry_finds_the_second_block_to_a_destination_behind_one_that_is_switched_off(store: Store) -> None:
    off = Send(to="off", fields={"text": "off"})
    old = todays(off, Send(to="log", fields={"text": "one"}), Send(to="log", fields={"text": "two"}))
    new = todays(off, Send(to="log", fields={"text": "uno"}), Send(to="log", fields={"text": "due"}))
    owe(store, old, state=State.DEAD)
    with store.read() as snapshot:
        ids = [record.id for record in snapshot.delivery_list.records()]
    before = {row(store, delivery_id).send["text"]: delivery_id for delivery_id in ids}
    for delivery_id in ids:
        operator.retry(store, new, delivery_id)

    assert row(store, before["one"]).send == {"text": "uno"}
    assert row(store, before["two"]).send == {"text": "due"}


@pytest.mark.parametrize(
    ("values", "why"),
    [({"payload": None}, "its payload was pruned"), ({"blanked": True}, "one-time secrets were removed")],
)
def test_retry_needs_the_payload(store: Store, values: dict[str, Any], why: str) -> None:
    delivery_id = owe(store, state=State.CANCELLED)
    store.write(lambda t: t.session.connection.execute(update(events).values(**values)) and None)
    with pytest.raises(Conflict, match=why):
        operator.retry(store, KEPT, delivery_id)


def test_retry_all_takes_every_delivery_of_a_state(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.operator.deliveries.LARGEST", 3)
    for _ in range(7):
        owe(store, state=State.DEAD)
    held_id = owe(store, state=State.HELD)

    assert operator.retry_all(store, KEPT, destination="none") == 0
    assert operator.retry_all(store, KEPT, since=given.NOON + timedelta(days=9999)) == 0
    assert operator.retry_all(store, KEPT, destination="log") == 7
    with store.read() as snapshot:
        assert {record.id for record in snapshot.delivery_list.records(Filter(state=State.HELD))} == {held_id}
        assert snapshot.delivery_list.records(Filter(state=State.DEAD)) == []


def test_retry_all_leaves_out_what_cannot_be_retried(store: Store) -> None:
    owe(store, state=State.CANCELLED)
    store.write(lambda t: t.session.connection.execute(update(events).values(payload=None)) and None)
    owe(store, state=State.CANCELLED)

    assert operator.retry_all(store, KEPT, state=State.CANCELLED) == 1


@pytest.mark.parametrize("state", [State.PENDING, State.HELD, State.SENDING, State.DELIVERED])
def test_retry_all_takes_no_other_state(store: Store, state: State) -> None:
    with pytest.raises(Conflict, match="only dead or cancelled"):
        operator.retry_all(store, KEPT, state=state)


@pytest.mark.parametrize("state", [State.PENDING, State.DEAD, State.HELD])
def test_cancel_ends_what_is_not_wanted(store: Store, state: State) -> None:
    record = operator.cancel(store, owe(store, state=state))

    assert (record.state, record.reason) == (State.CANCELLED, "cancelled by an operator")
    assert row(store, record.id).finished_at is not None


@pytest.mark.parametrize("state", [State.SENDING, State.DELIVERED, State.CANCELLED])
def test_cancel_says_why_not(store: Store, state: State) -> None:
    with pytest.raises(Conflict, match=f"it cannot be cancelled: it is {state}"):
        operator.cancel(store, owe(store, state=state))


def test_a_held_delivery_is_resolved_as_delivered(store: Store) -> None:
    record = operator.resolve(store, owe(store, state=State.HELD), "delivered")

    assert (record.state, record.reason) == (State.DELIVERED, "an operator found it delivered")
    assert record.delivered_at is not None


def test_a_held_delivery_is_resolved_as_retry_with_the_same_bytes(store: Store) -> None:
    delivery_id = owe(store, state=State.HELD, message={"text": "same"}, tries=3)
    record = operator.resolve(store, delivery_id, "retry")

    assert (record.state, record.message) == (State.PENDING, {"text": "same"})
    assert row(store, delivery_id).tries == 0


def test_only_held_deliveries_are_resolved(store: Store) -> None:
    with pytest.raises(Conflict, match="only held deliveries are resolved; it is pending"):
        operator.resolve(store, owe(store), "delivered")
    with pytest.raises(Conflict, match="say as=delivered or as=retry"):
        operator.resolve(store, owe(store, state=State.HELD), "maybe")


def test_pause_and_resume(store: Store) -> None:
    paused = operator.pause(store, KEPT, "log")
    resumed = operator.resume(store, KEPT, "log")

    assert (paused.paused_at is not None, paused.paused_reason) == (True, "paused by an operator")
    assert (resumed.paused_at, resumed.paused_reason, resumed.failures) == (None, None, 0)
    assert resumed.available_since is not None


def test_a_destination_that_is_gone_from_the_configuration_can_be_resumed(store: Store) -> None:
    store.write(lambda t: t.destinations.pause("old", "revoked"))

    assert operator.resume(store, KEPT, "old").paused_at is None
    for act in (operator.pause, operator.resume):
        with pytest.raises(NotFound, match='there is no destination "never"'):
            act(store, KEPT, "never")


def test_a_test_message_is_owed_to_one_destination(store: Store) -> None:
    delivery_id = operator.send_test(store, KEPT, "log")
    with store.read() as snapshot:
        record = snapshot.delivery_list.record(delivery_id)
        event = snapshot.event_list.record(record.event)

    assert (record.type, record.route, record.destination) == ("hub.test", "send-test", "log")
    assert (event.source, event.type) == ("hub", "hub.test")
    with pytest.raises(NotFound, match='there is no destination "never"; there is only log'):
        operator.send_test(store, KEPT, "never")
