"""What earlier events said is looked up at most twice for a message, and never stands in its way."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import given
from structlog.testing import capture_logs
from working import working

from hub.delivery.earlier import EarlierEvents
from hub.ingest.fanout import fan_out
from hub.ingest.route import match
from hub.model.delivery import State
from hub.model.event import Event
from hub.model.routing import Send
from hub.store.open import open_store
from hub.store.store import Store


def keep(store: Store, *events: Event) -> None:
    for event in events:
        store.write(lambda t, event=event: given.keep(t, event, given.routing()))


def test_the_data_of_the_newest_before_it_is_found(store: Store) -> None:
    keep(store, given.event(data={"id": "user_1", "first_name": "Augusta"}))
    keep(store, given.event(data={"id": "user_1", "first_name": "Ada"}))
    earlier = EarlierEvents(store=store, event=given.event("user.deleted"))

    assert earlier.of("user", "user_1") == {"id": "user_1", "first_name": "Ada"}
    assert earlier.of("user", "user_2") is None


def test_one_time_secrets_of_an_earlier_event_stay_out(store: Store) -> None:
    data = {"id": "ema_1", "subject": "424242 is your code", "data": {"otp_code": "424242"}}
    keep(store, given.event("email.created", data=data))
    data = EarlierEvents(store=store, event=given.event()).of("email", "ema_1")

    assert data is not None
    assert "424242" not in json.dumps(data)


def test_no_more_than_two_objects_are_looked_up_for_a_message_and_each_once(store: Store) -> None:
    first = EarlierEvents(store=store, event=given.event())
    keep(store, *(given.event(data={"id": f"user_{number}"}) for number in range(3)))
    last = EarlierEvents(store=store, event=given.event())

    assert first.of("user", "user_0") is None
    keep(store, given.event(id="evt_0", data={"id": "user_0"}))
    assert first.of("user", "user_0") is None
    assert [last.of("user", f"user_{number}") for number in (0, 1, 2, 0)] == [
        {"id": "user_0"},
        {"id": "user_1"},
        None,
        {"id": "user_0"},
    ]


def test_a_store_that_is_away_is_asked_once_and_nothing_fails(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / 'gone.db'}")) as store, capture_logs() as logs:
        earlier = EarlierEvents(store=store, event=given.event())

        assert earlier.of("user", "user_1") is None
        assert earlier.of("user", "user_2") is None
    assert [entry["event"] for entry in logs] == ["delivery.made_without_earlier"]


def sent(store: Store, *events: Event, fields: dict[str, Any] | None = None) -> list[str]:
    """The texts that a worker prints of events, one after the other."""
    rules = given.rules(given.route("all", ("*",), Send(to="log", fields=fields or {})))
    texts: list[str] = []
    with working(store, rules):
        for event in events:
            fan_out(event, rules, store)
            texts.append(given.until(lambda event=event: message_of(store, event)))
    return texts


def message_of(store: Store, event: Event) -> str | None:
    with store.read() as snapshot:
        (record,) = snapshot.delivery_list.records(event=event.id)
        delivery = snapshot.delivery_list.record(record.id)
    return delivery.message["text"] if delivery.state is State.DELIVERED and delivery.message else None


def about(name: str, data: dict[str, Any], **changes: Any) -> Event:
    return given.event(name, payload=json.dumps({"type": name, "data": data}).encode(), **changes)


ADA = {"id": "user_1", "first_name": "Ada", "last_name": "Lovelace"}


def test_who_was_deleted_is_named_by_what_the_hub_heard_before(store: Store) -> None:
    created, deleted = about("user.created", ADA), about("user.deleted", {"id": "user_1", "deleted": True})
    first, last = sent(store, created, deleted)

    assert first.startswith("Ada Lovelace signed up")
    assert last.startswith("Ada Lovelace's account was deleted")


def test_a_template_sees_it_in_summary_and_a_condition_does_not(store: Store) -> None:
    keep(store, about("user.created", ADA))
    deleted = about("user.deleted", {"id": "user_1", "deleted": True})
    (text,) = sent(store, deleted, fields={"text": "{{ summary.about }} :wave:"})
    unnamed = given.rules(given.route("all", ("*",), when=("'Ada' in summary.headline",)))

    assert text == "Ada Lovelace :wave:"
    assert match(unnamed, deleted).routes == ()


def test_what_came_later_or_from_another_sender_names_nobody(store: Store) -> None:
    deleted = about("user.deleted", {"id": "user_1", "deleted": True})
    keep(store, about("user.created", ADA, source="partner"), about("user.created", ADA))
    (text,) = sent(store, deleted)

    assert text.startswith("A user was deleted")
