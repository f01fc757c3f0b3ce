"""Deliveries past their lease, or past `give_up_after`."""

from __future__ import annotations

from datetime import timedelta

import pytest
from test_queue import LONG, change, claim, now, owe

from hub.model.delivery import State
from hub.store.store import Store
from hub.store.tables import deliveries, destinations


def test_a_lease_that_ran_out_is_left_for_a_while_to_who_knows_the_destination(store: Store) -> None:
    owe(store, "log", "other")
    claim(store, "log")
    claim(store, "other")
    minute = timedelta(minutes=1)

    def expired_for(seconds: int) -> set[str]:
        change(store, deliveries, lease_until=now(store) - timedelta(seconds=seconds))
        return {
            claim.destination
            for claim in store.write(lambda t: t.overdue.lapsed_claims(["log"], others_after=minute))
        }

    assert expired_for(30) == {"log"}
    assert expired_for(90) == {"log", "other"}


def test_giving_up_ends_what_waited_too_long_alone(store: Store) -> None:
    owe(store, "log")
    change(store, deliveries, owed_since=now(store) - LONG - timedelta(seconds=5))
    owe(store, "log", "other")
    gave_up = store.write(lambda t: t.overdue.expire("log", after=LONG))
    with store.read() as snapshot:
        states = sorted(
            (record.destination, record.state, record.reason)
            for record in snapshot.delivery_list.records()
            if record.reason
        )

    assert gave_up == (1, True)
    assert states == [("log", State.DEAD, "given up after 3 days")]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (None, ""),
        ("answered 500 Internal Server Error", "; the last answer was 500 Internal Server Error"),
        ("did not answer within 10 s", "; at its last try: did not answer within 10 s"),
    ],
)
def test_what_is_given_up_says_what_came_back_last(store: Store, reason: str | None, words: str) -> None:
    owe(store, "log")
    change(store, deliveries, owed_since=now(store) - LONG - timedelta(seconds=5), reason=reason)
    store.write(lambda t: t.overdue.expire("log", after=timedelta(hours=36)))
    with store.read() as snapshot:
        (dead,) = snapshot.delivery_list.records()

    assert dead.reason == f"given up after 36 h{words}"


def test_giving_up_stands_still_while_paused_and_counts_from_the_resume(store: Store) -> None:
    owe(store, "log")
    change(store, deliveries, owed_since=now(store) - 2 * LONG)
    store.write(lambda t: t.destinations.pause("log", "revoked"))
    while_paused = store.write(lambda t: t.overdue.expire("log", after=LONG))
    store.write(lambda t: t.destinations.resume("log"))
    after_resume = store.write(lambda t: t.overdue.expire("log", after=LONG))
    change(store, destinations, available_since=now(store) - LONG - timedelta(seconds=5))
    later = store.write(lambda t: t.overdue.expire("log", after=LONG))

    assert (while_paused, after_resume, later) == ((0, True), (0, True), (1, True))


def test_giving_up_counts_from_when_a_destination_was_configured(store: Store) -> None:
    store.write(lambda t: t.destinations.mark_configured({"log": False}))
    owe(store, "log")
    change(store, deliveries, owed_since=now(store) - 2 * LONG)
    store.write(lambda t: t.destinations.mark_configured({"log": True}))

    assert store.write(lambda t: t.overdue.expire("log", after=LONG)) == (0, True)


def test_nothing_is_given_up_before_a_worker_serves_the_version_that_configures_its_destination(
    store: Store,
) -> None:
    """Maintenance sees an edit by itself: it may come first."""
    store.write(lambda t: t.destinations.mark_configured({"log": False}))
    owe(store, "log")
    change(store, deliveries, owed_since=now(store) - 2 * LONG)

    assert store.write(lambda t: t.overdue.expire("log", after=LONG)) == (0, True)


def test_a_destination_that_was_gone_and_is_put_back_was_not_configured_meanwhile(store: Store) -> None:
    store.write(lambda t: t.destinations.mark_configured({"log": True, "crm": True}))
    owe(store, "log")
    change(store, deliveries, owed_since=now(store) - 2 * LONG)
    store.write(lambda t: t.destinations.mark_configured({"crm": True}))
    with store.read() as snapshot:
        assert not snapshot.destinations.all()["log"].configured
    store.write(lambda t: t.destinations.mark_configured({"log": True, "crm": True}))

    assert store.write(lambda t: t.overdue.expire("log", after=LONG)) == (0, True)
