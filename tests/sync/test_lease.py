"""One process at a time reads from Clerk: its lease, renewed, given back, run out and lost."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import given
import pytest
from sqlalchemy import select

from hub.store.store import Store
from hub.store.tables import settings
from hub.sync.lease import Lease, LeaseTaken, reading

NAME = "reading/clerk"
SHORT = timedelta(seconds=1)


def kept(store: Store) -> str | None:
    with store.read() as snapshot:
        statement = select(settings.c.value).where(settings.c.name == NAME)
        return snapshot.session.connection.execute(statement).scalar()


def take(store: Store, seconds: float) -> bool:
    with store.transaction() as transaction:
        return transaction.mirrors.lease(NAME, f"{transaction.now.isoformat()} x", timedelta(seconds=seconds))


def is_lost(lease: Lease) -> bool:
    with suppress(LeaseTaken):
        lease.wait(0)
        return False
    return True


@pytest.mark.parametrize("end", [None, KeyboardInterrupt, ValueError])
def test_a_lease_is_given_back_however_its_run_ends(store: Store, end: type[BaseException] | None) -> None:
    with suppress(KeyboardInterrupt, ValueError), reading(store, "clerk", "a"):
        with pytest.raises(LeaseTaken), reading(store, "clerk", "b"):
            pass
        with reading(store, "another", "b"):
            pass
        if end is not None:
            raise end
    with reading(store, "clerk", "c"):
        pass

    assert kept(store) is None


def test_a_lease_is_renewed_for_as_long_as_its_run_takes(store: Store) -> None:
    with reading(store, "clerk", "a", SHORT) as lease:
        values = {kept(store)}
        given.until(lambda: values.add(kept(store)) or len(values) > 2, 30)

        assert not is_lost(lease)
        assert len({str(value).partition(" ")[2] for value in values}) == 1


def test_the_lease_of_a_process_that_was_killed_runs_out(store: Store) -> None:
    take(store, -1)
    with reading(store, "clerk", "a"):
        pass

    assert kept(store) is None


def test_a_run_ends_once_another_has_its_lease(store: Store) -> None:
    with reading(store, "clerk", "a", SHORT) as lease:
        with store.transaction() as transaction:
            transaction.mirrors.end_lease(NAME, transaction.mirrors.lease_owner(NAME))
            transaction.mirrors.lease(NAME, "another", timedelta(hours=1))
        given.until(lambda: is_lost(lease), 30)

    assert str(kept(store)).endswith(" another")
