"""What earlier events said is looked up at most twice for a message, and never stands in its way."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import given
from structlog.testing import capture_logs

from hub.delivery.earlier import EarlierEvents
from hub.model.event import Event
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
