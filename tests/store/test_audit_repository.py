"""Who did what is kept for 90 days, and what strangers try takes few rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import given
import pytest
from sqlalchemy import func, select, update

from hub.model.audit import COMMAND_LINE, Act, Actor, AuditEntry, By, new_entry
from hub.store.repositories.audit import REFUSED_KEPT
from hub.store.repositories.retention import Prunable
from hub.store.store import Store
from hub.store.tables import audit_subjects, wrong_keys

SOMEBODY = Actor(by=By.SESSION, address="192.0.2.1")
NOW = given.NOON


def entry(act: Act, subject: str, minutes: float = 0, actor: Actor = SOMEBODY) -> AuditEntry:
    return new_entry(act, actor, NOW + timedelta(minutes=minutes), subject)


def keep(store: Store, *entries: AuditEntry) -> None:
    def work(transaction: object) -> None:
        for one in entries:
            transaction.audit.add(one)  # type: ignore[attr-defined]

    store.write(work)


def kept(store: Store, **filters: object) -> list[AuditEntry]:
    with store.read() as snapshot:
        return snapshot.audit.entries(**filters)  # type: ignore[arg-type]


def test_entries_are_listed_newest_first_and_by_subject_and_act(store: Store) -> None:
    paused, retried = entry(Act.PAUSE, "crm"), entry(Act.RETRY, "dlv_1", 1)
    resumed = entry(Act.RESUME, "crm", 2, COMMAND_LINE)
    keep(store, paused, retried, resumed)

    assert kept(store) == [resumed, retried, paused]
    assert kept(store, subjects=["crm"]) == [resumed, paused]
    assert kept(store, subjects=["crm", "dlv_1"], act=Act.RETRY) == [retried]
    assert kept(store, limit=1, before=resumed.id) == [retried]


def test_an_act_in_several_transactions_is_one_entry(store: Store) -> None:
    act = new_entry(Act.RETRY, SOMEBODY, NOW, "crm", changed=500)
    keep(store, act)
    keep(store, act)

    assert [one.changed for one in kept(store)] == [1000]


def test_an_act_on_many_is_found_by_each_of_them_and_pruned_with_them(store: Store) -> None:
    act = new_entry(Act.RETRY, SOMEBODY, NOW, changed=2)
    store.write(lambda transaction: transaction.audit.add(act, ["dlv_1", "dlv_2"]))
    store.write(lambda transaction: transaction.audit.add(act, ["dlv_2", "dlv_3"]))

    assert [kept(store, subjects=[name])[0].changed for name in ("hub", "dlv_1", "dlv_2", "dlv_3")] == [4] * 4
    assert kept(store, subjects=["dlv_1"], act=Act.CANCEL) == []
    later = NOW + timedelta(days=90)
    store.write(lambda transaction: transaction.retention.prune(Prunable.AUDIT, later, 10))
    with store.read() as snapshot:
        rows = snapshot.session.connection.execute(select(func.count()).select_from(audit_subjects))
        assert rows.scalar_one() == 0


def test_refused_keys_of_one_address_are_one_entry_for_an_hour(store: Store) -> None:
    for count in (1, 4):
        store.write(lambda transaction, count=count: transaction.audit.add_refused(SOMEBODY, count))
    by_key = Actor(by=By.KEY, address="192.0.2.1")
    store.write(lambda transaction: transaction.audit.add_refused(by_key, 1))

    assert [(one.act, one.actor, one.changed) for one in kept(store)] == [
        (Act.REFUSED, by_key, 1),
        (Act.REFUSED, SOMEBODY, 5),
    ]


def test_refused_keys_of_many_addresses_take_few_entries(store: Store) -> None:
    def work(transaction: object) -> None:
        for number in range(REFUSED_KEPT + 50):
            actor = Actor(by=By.KEY, address=f"10.0.0.{number}")
            transaction.audit.add_refused(actor, 1)  # type: ignore[attr-defined]

    store.write(work)
    counts = {one.actor.address: one.changed for one in kept(store, limit=500)}

    assert len(counts) == REFUSED_KEPT + 1
    assert counts["others"] == 50


def test_entries_are_pruned_after_90_days_whatever_the_retention_is(store: Store) -> None:
    def long_ago(days: float) -> AuditEntry:
        return new_entry(Act.PAUSE, SOMEBODY, datetime.now(NOW.tzinfo) - timedelta(days=days), f"{days}")

    keep(store, long_ago(91), long_ago(89))
    with store.transaction() as transaction:
        count = transaction.retention.prune_by_age(Prunable.AUDIT, timedelta(days=1))

    assert count == 1
    assert [one.subject for one in kept(store)] == ["89"]


def wrong(store: Store, address: str, count: int = 1) -> int:
    return store.write(lambda transaction: transaction.wrong_keys.add(address, count))


def test_wrong_keys_are_counted_until_their_minute_is_over(store: Store) -> None:
    counts = [wrong(store, "192.0.2.1"), wrong(store, "192.0.2.1", 5), wrong(store, "192.0.2.2")]
    with store.read() as snapshot:
        over = snapshot.now - timedelta(seconds=61)
    store.write(
        lambda transaction: (
            transaction.session.connection.execute(update(wrong_keys).values(since=over)) and None
        )
    )

    assert counts == [1, 6, 1]
    assert wrong(store, "192.0.2.1") == 1


@pytest.mark.parametrize("is_over", [False, True])
def test_wrong_keys_of_many_addresses_take_few_rows(store: Store, is_over: bool) -> None:
    def work(transaction: object) -> int:
        session = transaction.session  # type: ignore[attr-defined]
        since = session.now - timedelta(seconds=61) if is_over else session.now
        rows = [{"address": f"10.0.{n // 250}.{n % 250}", "since": since, "count": 1} for n in range(1_000)]
        session.connection.execute(wrong_keys.insert(), rows)
        counts = [
            transaction.wrong_keys.add(address, 1)  # type: ignore[attr-defined]
            for address in ("192.0.2.1", "192.0.2.2", "10.0.0.1")
        ]
        number = session.connection.execute(select(func.count()).select_from(wrong_keys)).scalar_one()
        return (*counts, number)

    assert store.write(work) == ((1, 1, 1, 3) if is_over else (1, 2, 2, 1_001))
