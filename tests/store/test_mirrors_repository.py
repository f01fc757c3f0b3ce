"""The last that is known of mirrors, leases, and the objects of which a delivery is owed."""

from __future__ import annotations

from datetime import timedelta

from given import NOON, claim, event, keep, routing

from hub.model.mirror import MirrorTable
from hub.store.store import Store
from hub.store.tables import deliveries


def test_what_is_kept_of_a_table_is_what_was_last_told_of_it(store: Store) -> None:
    with store.transaction() as transaction:
        transaction.mirrors.keep("app-db", "users", rows=3, newest_at=NOON, backfilled_at=NOON)
        transaction.mirrors.keep("app-db", "users", verified_at=NOON, missing=1, stale=0, extra=2)
        transaction.mirrors.keep("other", "roles", rows=1)

    with store.read() as snapshot:
        known = snapshot.mirrors.all()

    assert known["app-db"] == (
        MirrorTable(
            name="users",
            rows=3,
            newest_at=NOON,
            backfilled_at=NOON,
            verified_at=NOON,
            missing=1,
            stale=0,
            extra=2,
        ),
    )
    assert known["app-db"][0].drift == 3
    assert [(table.name, table.rows, table.drift) for table in known["other"]] == [("roles", 1, 0)]


def test_a_lease_is_one_owners_until_it_ends(store: Store) -> None:
    def lease(owner: str, seconds: float) -> bool:
        with store.transaction() as transaction:
            return transaction.mirrors.lease("verify/app-db", owner, timedelta(seconds=seconds))

    assert [lease("a", 60), lease("b", 60), lease("a", 60), lease("a", 0)] == [True, False, True, True]
    assert [lease("b", 60), lease("a", 60)] == [True, False]


def test_owed_are_objects_with_a_delivery_to_that_destination_that_is_not_over(store: Store) -> None:
    waiting, sent, elsewhere = (event(data={"id": f"user_{n}"}) for n in range(3))
    with store.transaction() as transaction:
        keep(transaction, sent, routing("app-db"))
    claimed = claim(store, "app-db")
    with store.transaction() as transaction:
        keep(transaction, waiting, routing("app-db"))
        keep(transaction, elsewhere, routing("log"))
    keys = [f"user/user_{n}" for n in range(4)]

    def owed() -> set[str]:
        with store.read() as snapshot:
            return snapshot.mirrors.owed("app-db", keys)

    assert len(claimed) == 1
    assert owed() == {"user/user_0", "user/user_1"}

    store.write(lambda t: t.session.connection.execute(deliveries.update().values(state="dead")))

    assert owed() == set()
