"""What failed at a destination of late, by its cause."""

from __future__ import annotations

from datetime import timedelta

import given
from sqlalchemy import select, update

from hub.delivery import retry
from hub.maintenance.totals import count_totals
from hub.model.delivery import Outcome, Receipt, State
from hub.model.routing import Send
from hub.model.stats import Day
from hub.store.repositories.attempts import HALF_HOURS
from hub.store.repositories.totals import half_hour_of
from hub.store.store import Store
from hub.store.tables import attempts, deliveries

DAY = timedelta(days=1)


def owe(store: Store, name: str = "crm", type_: str = "user.created", data: object = None) -> None:
    event = given.event(type_, data=data)
    store.write(lambda transaction: given.keep(transaction, event, given.of_version(Send(to=name), "1")))


def causes(store: Store, name: str = "crm", ago: timedelta = DAY) -> list[tuple[object, ...]]:
    with store.read() as snapshot:
        failures = snapshot.attempts.failures(name, snapshot.now - ago)
    return [(one.outcome, one.detail, one.attempts, one.messages) for one in failures]


def test_the_median_is_that_of_a_destinations_attempts_of_late(store: Store) -> None:
    for _ in range(3):
        owe(store)
        given.fail(store, "crm", "answered 500 Internal Server Error")
    with store.transaction() as transaction:
        for number, (seconds, ago) in enumerate([(0.1, 0), (9.0, 1), (5.0, 48)]):
            ids = select(deliveries.c.id).order_by(deliveries.c.id).offset(number).limit(1).scalar_subquery()
            at = transaction.now - timedelta(hours=ago)
            change = update(attempts).where(attempts.c.delivery_id == ids).values(seconds=seconds, at=at)
            transaction.session.connection.execute(change)
    with store.read() as snapshot:
        times = [snapshot.attempts.median_seconds(name, snapshot.now - DAY) for name in ("crm", "mail")]

    assert times == [4.55, None]


def test_causes_are_counted_the_latest_first(store: Store) -> None:
    for _ in range(3):
        owe(store)
        given.fail(store, "crm", "answered 500 Internal Server Error", status=500)
    owe(store)
    given.fail(store, "crm", "answered 422 Unprocessable Entity", status=422, is_last=True)
    owe(store, "mail")
    given.fail(store, "mail", "no such mailbox", status=550)

    assert causes(store) == [
        (Outcome.FAILED, "answered 422 Unprocessable Entity", 1, 1),
        (Outcome.FAILED, "answered 500 Internal Server Error", 3, 3),
    ]
    assert causes(store, ago=timedelta()) == []


def test_what_failed_is_still_told_once_it_was_cancelled(store: Store) -> None:
    owe(store)
    given.fail(store, "crm", "answered 422 Unprocessable Entity", status=422, is_last=True)
    before = causes(store)
    with store.read() as snapshot:
        (dead,) = snapshot.delivery_list.find().ids
    store.write(lambda t: t.operator.finish([dead], State.CANCELLED, "nobody wants it"))

    assert causes(store) == before == [(Outcome.FAILED, "answered 422 Unprocessable Entity", 1, 1)]


def test_what_failed_is_still_told_once_an_operator_retried_it(store: Store) -> None:
    owe(store)
    given.fail(store, "crm", "answered 422 Unprocessable Entity", status=422, is_last=True)
    before = causes(store)
    with store.read() as snapshot:
        (dead,) = snapshot.delivery_list.find().ids
    store.write(lambda transaction: transaction.operator.requeue([dead]))

    assert causes(store) == before == [(Outcome.FAILED, "answered 422 Unprocessable Entity", 1, 1)]
    with store.read() as snapshot:
        assert [sum(day.failed) for day in snapshot.attempts.last_day().values()] == [1]


def test_what_was_found_delivered_arrived_at_its_last_attempt(store: Store) -> None:
    owe(store)
    given.fail(store, "crm", "no answer within 3 s")
    with store.transaction() as transaction:
        (held,) = transaction.delivery_list.find().ids
        hour_ago = transaction.now - timedelta(hours=1)
        tried_at = hour_ago + timedelta(seconds=3)
        for change in (update(deliveries).values(created_at=hour_ago), update(attempts).values(at=tried_at)):
            transaction.session.connection.execute(change)
    store.write(lambda t: t.operator.finish([held], State.DELIVERED, "an operator found it delivered"))
    with store.read() as snapshot:
        record = snapshot.delivery_list.record(held)
        _, seconds = snapshot.metrics.delivery_seconds()

    assert record.delivered_at == tried_at
    assert seconds == 3
    assert causes(store) == [(Outcome.FAILED, "no answer within 3 s", 1, 1)]


def test_what_arrived_at_once_is_not_looked_at(store: Store) -> None:
    owe(store)
    (claim,) = given.claim(store, "crm")
    store.write(lambda t: t.queue.settle([retry.after_receipt(claim, Receipt(detail="ok"), 0.1)]))

    assert causes(store) == []


def test_a_day_has_what_arrived_and_what_failed_by_half_hours(store: Store) -> None:
    owe(store), owe(store), owe(store, "mail")
    given.fail(store, "crm", "answered 500 Internal Server Error", status=500)
    (claim,) = given.claim(store, "crm")
    store.write(lambda t: t.queue.settle([retry.after_receipt(claim, Receipt(detail="ok"), 0.1)]))
    for age in (timedelta(0), timedelta(days=2), timedelta(hours=12, minutes=10)):
        at = claim.event.received_at - age
        for statement in (update(deliveries).values(finished_at=at), update(attempts).values(at=at)):
            store.write(lambda t, change=statement: t.session.connection.execute(change) and None)
        with store.read() as snapshot:
            day = snapshot.attempts.last_day("crm").get("crm", Day())
            place = HALF_HOURS - 1 - (half_hour_of(snapshot.now) - half_hour_of(at))
        expected = tuple(int(number == place) for number in range(HALF_HOURS))

        assert (day.sent, day.failed, sum(day.unknown)) == (expected, expected, 0)
    # Counted once and for all it is the same.
    count_totals(store, settled=timedelta(0))
    with store.read() as snapshot:
        assert snapshot.totals.until() > at
        assert sum(snapshot.attempts.last_day()["crm"].sent) == 1


def test_a_cause_shows_no_one_time_secret(store: Store) -> None:
    url = "https://accounts.example.com/ticket?t=eyJhbGciOi123456"
    owe(store, type_="invitation.created", data={"url": url})
    given.fail(store, "crm", f"refused {url}", status=400)

    assert causes(store)[0][1] == "refused ••••••"
